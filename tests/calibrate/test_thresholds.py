"""The best threshold by hand, with ties, and what the written one gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import f1_score

from babelshelf.calibrate.params import CalibrateParams
from babelshelf.calibrate.thresholds import best_threshold, calibrate, cross_validated, curve, scores_at, tuned
from babelshelf.core.errors import InputError
from babelshelf.core.files import read_json, write_json
from babelshelf.core.params import section
from babelshelf.tables.predictions import arrays

LABELS = np.array([True, True, False, True, False, False])
P_YES = np.array([0.9, 0.7, 0.6, 0.5, 0.2, 0.1])
REST = {"per_language": False, "shrinkage": 100, "folds": 5}


def dev(labels: np.ndarray, p_yes: np.ndarray, languages: str = "en") -> pl.DataFrame:
    """Rows of the languages in turn, two to a group."""
    names = [languages.split()[i % len(languages.split())] for i in range(len(labels))]
    groups = [f"g{i // 2}" for i in range(len(labels))]
    return pl.DataFrame({"language": names, "group": groups, "label": labels.astype(np.int8), "p_yes": p_yes})


def params(
    threshold: float | str = "tuned", *, own: bool = False, shrinkage: float = 100, folds: int = 5
) -> CalibrateParams:
    return CalibrateParams(threshold=threshold, per_language=own, shrinkage=shrinkage, folds=folds)


def test_the_threshold_is_the_middle_of_the_best_cut() -> None:
    # "yes" down to 0.5: tp 3, fp 1, fn 0, F1 6/7; the cut lies between 0.5 and 0.2
    assert best_threshold(LABELS, P_YES) == pytest.approx(0.35)
    result = calibrate(dev(LABELS, P_YES), params(), 1)
    assert result["f1"] == pytest.approx(6 / 7)
    assert result["all_yes_f1"] == pytest.approx(2 / 3)
    assert result["average_precision"] == pytest.approx((1 + 1 + 3 / 4) / 3)


def test_scores_that_are_all_0_give_yes_to_everything() -> None:
    assert best_threshold(LABELS, np.zeros(6)) == 0
    result = calibrate(dev(LABELS, np.zeros(6)), params(), 1)
    assert (result["threshold"], result["f1"]) == (0, pytest.approx(2 / 3))


def test_flipped_labels_move_the_threshold() -> None:
    assert best_threshold(~LABELS, P_YES) < 0.1


def test_rows_of_one_score_fall_on_one_side() -> None:
    # split as they stand, the tied rows would allow F1 = 1
    labels, p_yes = np.array([True, True, False, False, False]), np.array([0.8, 0.4, 0.4, 0.4, 0.4])
    threshold = best_threshold(labels, p_yes)
    assert threshold == pytest.approx(0.6)
    assert calibrate(dev(labels, p_yes), params(), 1)["f1"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(("lowest", "threshold"), [(0.3, 0.7), (0.48, 0.24)])
def test_of_equal_cuts_the_widest_gap_is_taken(lowest: float, threshold: float) -> None:
    # "yes" for the first row alone and for all rows give the same F1; the gaps are 0.9 - 0.5 and lowest - 0
    labels, p_yes = np.array([True, False, False, True]), np.array([0.9, 0.5, 0.49, lowest])
    assert scores_at(labels, p_yes, np.array([0.7, 0.0]))["f1"].to_list() == pytest.approx([2 / 3, 2 / 3])
    assert best_threshold(labels, p_yes) == pytest.approx(threshold)


def test_the_written_threshold_gives_the_written_f1(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    labels = generator.random(400) < 0.6
    p_yes = 0.5 + 2e-6 * generator.random(400)  # closer to each other than the digits of a metric
    write_json(tmp_path / "qc.json", calibrate(dev(labels, p_yes), params(), 1))
    written = read_json(tmp_path / "qc.json")
    assert f1_score(labels, p_yes >= written["threshold"]) == pytest.approx(written["f1"], abs=1e-6)


def test_a_fixed_threshold_is_kept_and_takes_equal_scores_as_yes() -> None:
    result = calibrate(dev(LABELS, P_YES), params(0.7), 1)
    assert result["threshold"] == 0.7
    assert result["f1"] == pytest.approx(4 / 5)
    assert result["f1_at_half"] == pytest.approx(6 / 7)


def test_unlabelled_rows_are_left_out_and_counted() -> None:
    rows = pl.concat(
        [dev(LABELS, P_YES), dev(LABELS, P_YES)[:1].with_columns(label=pl.lit(None, pl.Int8), p_yes=pl.lit(0.99))]
    )
    assert calibrate(rows, params(), 1) == calibrate(dev(LABELS, P_YES), params(), 1) | {"unlabelled": 1}


def test_the_curve_has_101_points_that_agree_with_scikit_learn() -> None:
    points = curve(dev(LABELS, P_YES))
    assert points["threshold"].to_list() == [i / 100 for i in range(101)]
    labels, p_yes = LABELS, P_YES
    expected = [f1_score(labels, p_yes >= t, zero_division=0) for t in points["threshold"]]
    assert points["f1"].to_list() == pytest.approx(expected)


@pytest.mark.parametrize("threshold", ["tuned", 0, 0.4, 1])
def test_params_take_tuned_or_a_number(threshold: object) -> None:
    assert (
        section(CalibrateParams, {"calibrate": {"threshold": threshold} | REST}, "calibrate", None).threshold
        == threshold
    )


@pytest.mark.parametrize("threshold", ["best", -0.1, 1.5, True, None])
def test_params_refuse_anything_else_with_one_line(threshold: object) -> None:
    values = {"calibrate": REST, "tasks": {"qc": {"calibrate": {"threshold": threshold}}}}
    with pytest.raises(InputError, match=r"^params.yaml: tasks.qc.calibrate.threshold: [^\n]*$"):
        section(CalibrateParams, values, "calibrate", "qc")


def test_a_fixed_threshold_leaves_no_room_for_one_per_language() -> None:
    values = {"calibrate": REST | {"threshold": 0.5, "per_language": True}}
    with pytest.raises(InputError, match=r"calibrate.per_language: .*expected false where the threshold is fixed"):
        section(CalibrateParams, values, "calibrate", None)


def two_languages(n: int = 2000, shift: float = 0.3) -> pl.DataFrame:
    """Scores of `de` lie lower by `shift` than those of `en`, with the same labels otherwise."""
    generator = np.random.default_rng(5)
    labels = generator.random(n) < 0.6
    rows = dev(labels, np.zeros(n), "en de")
    p_yes = (
        0.55 + 0.25 * (labels - 0.5) + 0.08 * generator.normal(size=n) - shift * (rows["language"] == "de").to_numpy()
    )
    return rows.with_columns(p_yes=np.clip(p_yes, 0, 1))


def test_shrinkage_goes_from_each_languages_own_threshold_to_the_shared_one() -> None:
    rows = two_languages()
    own = {name: best_threshold(*arrays(rows.filter(pl.col("language") == name))) for name in ("de", "en")}
    shared = tuned(rows, None).shared
    assert tuned(rows, 0).by_language == pytest.approx(own)
    halfway = {name: (threshold + shared) / 2 for name, threshold in own.items()}
    assert tuned(rows, 1000).by_language == pytest.approx(halfway, abs=1e-6)  # each language has 1000 rows
    assert tuned(rows, 1e9).by_language == pytest.approx(dict.fromkeys(own, shared), abs=1e-4)
    assert own["de"] < shared - 0.05 or own["en"] > shared + 0.05


def test_a_language_without_both_labels_has_the_shared_threshold() -> None:
    rows = two_languages(100).with_columns(
        label=pl.when(pl.col("language") == "de").then(pl.lit(1)).otherwise("label").cast(pl.Int8)
    )
    assert tuned(rows, 0).by_language["de"] == tuned(rows, 0).shared


def test_cross_validation_prefers_own_thresholds_where_languages_differ() -> None:
    result = calibrate(two_languages(), params(shrinkage=0), 1)["cross_validated"]
    assert result["per_language_f1"] > result["shared_f1"] + 0.02


def test_cross_validation_prefers_the_shared_threshold_where_own_ones_are_chance() -> None:
    generator = np.random.default_rng(2)
    labels = generator.random(240) < 0.5
    rows = dev(labels, generator.random(240), " ".join(f"l{i}" for i in range(24)))  # ten rows a language, no signal
    result = calibrate(rows, params(shrinkage=0), 1)["cross_validated"]
    assert result["per_language_f1"] < result["shared_f1"]


def test_rows_are_answered_by_thresholds_of_other_groups() -> None:
    generator = np.random.default_rng(3)  # scores are chance: each group moves the threshold
    rows = dev(generator.random(60) < 0.5, generator.random(60), "en de")
    answers = cross_validated(rows, params(shrinkage=0, folds=30), 1)  # so that a fold is a group
    for name, shrinkage in (("shared_f1", None), ("per_language_f1", 0.0)):
        expected = [
            tuned(rows.filter(pl.col("group") != row["group"][0]), shrinkage).answer(row)["is_relevant"][0]
            for row in rows.iter_slices(1)
        ]
        assert answers[name].tolist() == expected
        assert (
            tuned(rows, shrinkage).answer(rows)["is_relevant"].to_list() != expected
        )  # as it would be with the own group


def test_too_few_groups_for_the_folds_are_not_cross_validated() -> None:
    assert "cross_validated" not in calibrate(dev(LABELS, P_YES), params(), 1)
    assert "cross_validated" not in calibrate(two_languages(), params(0.4), 1)
