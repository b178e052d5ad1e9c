"""Each method on rows whose true probabilities are known."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression

from babelshelf.calibrate.cross_validation import cross_validated, f1, simplest
from babelshelf.calibrate.methods import logistic, per_language
from babelshelf.calibrate.params import METHODS
from babelshelf.calibrate.thresholds import best_threshold
from babelshelf.tables.calibration import Calibration, Recalibration
from babelshelf.tables.predictions import arrays
from tests.helpers.dev_rows import dev, params, simulated


def two_languages() -> pl.DataFrame:
    """A thousand rows each; scores of `de` lie lower than those of `en`, with the same labels otherwise."""
    generator = np.random.default_rng(5)
    labels = generator.random(2000) < 0.6
    rows = dev(labels, np.zeros(2000), "en de")
    p_yes = (
        0.55 + 0.25 * (labels - 0.5) + 0.08 * generator.normal(size=2000) - 0.3 * (rows["language"] == "de").to_numpy()
    )
    return rows.with_columns(p_yes=np.clip(p_yes, 0, 1))


def test_shrinkage_goes_from_each_languages_own_threshold_to_the_shared_one() -> None:
    rows = two_languages()
    own = {name: best_threshold(*arrays(rows.filter(pl.col("language") == name))) for name in ("de", "en")}
    shared = best_threshold(*arrays(rows))
    assert per_language.thresholds(rows, 0).thresholds == pytest.approx(own)
    halfway = {name: (threshold + shared) / 2 for name, threshold in own.items()}
    assert per_language.thresholds(rows, 1000).thresholds == pytest.approx(halfway, abs=1e-6)
    assert per_language.thresholds(rows, 1e9).thresholds == pytest.approx(dict.fromkeys(own, shared), abs=1e-4)
    assert own["de"] < shared - 0.05 or own["en"] > shared + 0.05


def test_a_language_without_both_labels_has_the_shared_threshold() -> None:
    rows = two_languages()[:100].with_columns(
        label=pl.when(pl.col("language") == "de").then(pl.lit(1)).otherwise("label").cast(pl.Int8)
    )
    found = per_language.thresholds(rows, 0)
    assert found.thresholds["de"] == found.threshold


def test_the_recalibration_is_the_one_that_was_simulated() -> None:
    rows = simulated(np.random.default_rng(2), 40_000, 3, intercept=1, slope=0.3)
    found = logistic.recalibration(rows, 1)
    assert found is not None
    recalibrated = found.recalibrate(rows)
    assert (recalibrated["p_calibrated"] - recalibrated["p_true"]).abs().max() < 0.02
    assert (recalibrated["p_yes"] - recalibrated["p_true"]).abs().max() > 0.1


def test_the_penalty_draws_languages_to_platt_scaling_of_all_rows() -> None:
    rows = simulated(np.random.default_rng(4), 1000, 4, intercept=1)
    loose, tight = logistic.recalibration(rows, 0.1), logistic.recalibration(rows, 1e4)
    assert loose is not None
    assert tight is not None
    assert tight.recalibration is not None

    def spread(found: Calibration) -> float:
        return float(np.std([own.intercept for own in found.recalibrations.values()]))

    assert spread(loose) > 0.3
    assert spread(tight) < 0.1 * spread(loose)
    logits = np.log(rows["p_yes"] / (1 - rows["p_yes"])).to_numpy()
    platt = LogisticRegression(C=1e9).fit(logits[:, None], rows["label"])
    assert tight.recalibration.slope == pytest.approx(platt.coef_[0, 0], abs=0.02)
    assert tight.recalibration.intercept == pytest.approx(platt.intercept_[0], abs=0.02)


@pytest.mark.parametrize(("spread", "penalty"), [(0.0, 1e4), (1.5, 1.0)])
def test_the_penalty_is_chosen_on_other_query_groups(spread: float, penalty: float) -> None:
    rows = simulated(np.random.default_rng(6), 300, 6, intercept=spread)
    several = logistic.fit(rows, params("logistic", logistic={"penalties": [1.0, 1e4]}), 1)
    assert several == logistic.fit(rows, params("logistic", logistic={"penalties": [penalty]}), 1)


def test_a_language_without_dev_rows_takes_the_shared_recalibration() -> None:
    rows = simulated(np.random.default_rng(2), 500, 3, intercept=1)
    found = logistic.fit(rows, params("logistic"), 1)
    new = rows.head(3).with_columns(language=pl.lit("xx"))
    assert found.recalibration is not None
    assert sorted(found.recalibrations) == ["l0", "l1", "l2"]
    alone = Calibration(found.threshold, {}, found.recalibration)
    assert found.answer(new).equals(alone.answer(new))
    assert not found.answer(rows.head(3)).equals(alone.answer(rows.head(3)))


def test_a_language_whose_order_would_be_turned_around_has_no_recalibration_of_its_own() -> None:
    rows = simulated(np.random.default_rng(2), 500, 3, intercept=0).with_columns(
        p_yes=pl.when(pl.col("language") == "l1").then(1 - pl.col("p_yes")).otherwise("p_yes")
    )
    found = logistic.recalibration(rows, 0.1)
    assert found is not None
    assert list(found.recalibrations) == ["l0", "l2"]


@pytest.mark.parametrize("case", ["one label", "equal scores", "scores that fall with the label"])
def test_without_anything_to_fit_logistic_is_shared(case: str) -> None:
    rows = two_languages()
    rows = {
        "one label": rows.with_columns(label=pl.lit(1, pl.Int8)),
        "equal scores": rows.with_columns(p_yes=pl.lit(0.3)),
        "scores that fall with the label": rows.with_columns(p_yes=1 - pl.col("p_yes")),
    }[case]
    assert logistic.fit(rows, params("logistic"), 1) == METHODS.load("shared").fit(rows, params(), 1)


def test_the_threshold_of_calibrated_probabilities_is_half_of_the_best_expected_f1() -> None:
    """By hand for three rows, and against the best cut of many labels that were drawn with the probabilities."""
    # "yes" to one, two, three rows: 2 * 0.9 / (1 + 1.5), 2 * 1.4 / (2 + 1.5), 2 * 1.5 / (3 + 1.5)
    assert logistic.best_expected_f1(np.array([0.5, 0.1, 0.9])) == pytest.approx(0.8)
    generator = np.random.default_rng(1)
    p = generator.beta(1.5, 1, size=200_000)
    expected = logistic.best_expected_f1(p)
    labels = generator.random(len(p)) < p
    assert best_threshold(labels, p) == pytest.approx(expected / 2, abs=0.03)
    assert f1(labels, p >= expected / 2) == pytest.approx(expected, abs=0.003)


def test_a_recalibration_maps_the_logit() -> None:
    found = Calibration(0.5, {}, Recalibration(0.0, 1.0), {"de": Recalibration(1.0, 2.0)})
    rows = pl.DataFrame({"language": ["de", "en", "en", "de", "en"], "p_yes": [0.5, 0.3, None, 0.0, 1.0]})
    answered = found.answer(rows)
    assert answered["p_calibrated"][0] == pytest.approx(1 / (1 + np.exp(-1)))
    assert answered["p_calibrated"][1] == pytest.approx(0.3)
    assert answered["is_relevant"].to_list() == [True, False, None, False, True]
    assert answered["p_calibrated"][3] == pytest.approx(0, abs=1e-5)
    assert "p_calibrated" not in Calibration(0.5).answer(rows).columns
    assert Calibration.of(found.metrics()) == found


@pytest.mark.parametrize(("spread", "gain"), [(0.0, False), (1.2, True)])
def test_simulated_dev_sets_choose_by_what_a_test_set_would_gain(spread: float, gain: bool) -> None:
    """Where p(yes) is wrong by language `auto` wins most of what can be won; where it is right it loses nothing."""
    found: dict[str, list[float]] = {"shared": [], "auto": [], "true": []}
    chosen = []
    for seed in range(4):
        both = simulated(np.random.default_rng(seed), 450, 8, intercept=spread)
        place = pl.int_range(pl.len()).over("language")
        rows, test = both.filter(place < 150), both.filter(place >= 150)
        settings, labels = params("auto", logistic={"penalties": [3]}), test["label"].to_numpy() == 1
        chosen.append(simplest(rows, cross_validated(rows, settings, seed)))
        for name, method in (("shared", "shared"), ("auto", chosen[-1])):
            answered = METHODS.load(method).fit(rows, settings, seed).answer(test)
            found[name].append(f1(labels, answered["is_relevant"].to_numpy()))
        p_true = test["p_true"].to_numpy()
        found["true"].append(f1(labels, p_true >= logistic.best_expected_f1(p_true) / 2))
    shared, auto, true = (float(np.mean(values)) for values in found.values())
    if gain:
        assert auto - shared > 0.7 * (true - shared) > 0.005
    else:
        assert chosen.count("shared") >= 2
        assert auto == pytest.approx(shared, abs=0.002)
