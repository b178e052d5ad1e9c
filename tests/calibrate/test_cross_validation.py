"""Methods are compared on query groups that they have not seen, and `auto` takes the simplest of those as good."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from babelshelf.calibrate.calibrating import calibrate
from babelshelf.calibrate.cross_validation import cross_validated, f1, gain_error, simplest
from babelshelf.calibrate.params import METHODS
from tests.helpers.dev_rows import dev, params, simulated


def test_own_thresholds_are_preferred_where_languages_differ() -> None:
    rows = simulated(np.random.default_rng(5), 500, 4, intercept=1.5)
    found = calibrate(rows, params(per_language={"shrinkage": 0}), 1)["cross_validated"]
    for method in ("per_language", "logistic"):
        assert found[method]["gain"] == pytest.approx(found[method]["f1"] - found["shared"]["f1"])
        assert found[method]["gain"] > 2 * found[method]["gain_error"] > 0
    assert found["shared"]["gain"] == found["shared"]["gain_error"] == 0


def test_the_shared_threshold_is_preferred_where_own_ones_are_chance() -> None:
    generator = np.random.default_rng(2)
    labels = generator.random(240) < 0.5
    rows = dev(labels, generator.random(240), " ".join(f"l{i}" for i in range(24)))  # ten rows a language, no signal
    found = calibrate(rows, params("auto", per_language={"shrinkage": 0}), 1)
    assert found["cross_validated"]["per_language"]["gain"] < 0
    assert found["method"] == "shared"


@pytest.mark.parametrize("method", ["shared", "per_language", "logistic"])
def test_rows_are_answered_by_calibrations_of_other_groups(method: str) -> None:
    generator = np.random.default_rng(3)  # scores are chance: each group moves the threshold
    rows = dev(generator.random(60) < 0.5, generator.random(60), "en de")
    settings = params(method, folds=30, per_language={"shrinkage": 0}, logistic={"penalties": [0.1]})  # a group a fold
    fit = METHODS.load(method).fit
    expected = [
        fit(rows.filter(pl.col("group") != row["group"][0]), settings, 1).answer(row)["is_relevant"][0]
        for row in rows.iter_slices(1)
    ]
    assert cross_validated(rows, settings, 1)[method].tolist() == expected
    assert fit(rows, settings, 1).answer(rows)["is_relevant"].to_list() != expected  # as with the own group


def test_too_few_groups_for_the_folds_and_fixed_thresholds_are_not_compared() -> None:
    few = dev(np.array([True, True, False, True, False, False]), np.linspace(0.9, 0.1, 6))
    assert "cross_validated" not in calibrate(few, params(), 1)
    assert calibrate(few, params("auto"), 1)["method"] == "shared"
    assert "cross_validated" not in calibrate(
        simulated(np.random.default_rng(1), 60, 2, intercept=0), params(threshold=0.4), 1
    )


def test_auto_prefers_the_simpler_method_up_to_one_standard_error() -> None:
    """Of n answers that differ, the standard error is about the square root."""
    rows = dev(np.arange(400) % 2 == 0, np.zeros(400)).with_columns(group=pl.int_range(400).cast(pl.String))
    labels = rows["label"].to_numpy() == 1
    simple = labels.copy()
    simple[:100] ^= True

    def changed(corrected: int, broken: int) -> np.ndarray:
        answers = simple.copy()
        answers[:corrected] ^= True
        answers[100 : 100 + broken] ^= True
        return answers

    assert simplest(rows, {"shared": simple, "logistic": changed(40, 20)}) == "logistic"
    assert simplest(rows, {"shared": simple, "logistic": changed(24, 20)}) == "shared"
    assert simplest(rows, {"shared": simple, "logistic": changed(20, 40)}) == "shared"
    three = {"shared": simple, "per_language": changed(39, 20), "logistic": changed(40, 20)}
    assert simplest(rows, three) == "per_language"
    assert simplest(rows, {}) == "shared"


def test_the_standard_error_is_that_of_repeated_samples_of_groups() -> None:
    """Against 3,000 simulated dev sets, with rows of a group that are answered alike."""
    generator = np.random.default_rng(7)

    def answered(groups: int) -> tuple[pl.DataFrame, np.ndarray, np.ndarray]:
        labels = generator.random((groups, 4)) < 0.6
        before, after = (np.where(generator.random((groups, 1)) < right, labels, ~labels) for right in (0.75, 0.8))
        rows = pl.DataFrame({"group": np.repeat(np.arange(groups), 4), "label": labels.ravel().astype(int)})
        return rows, before.ravel(), after.ravel()

    gains, errors = [], []
    for _ in range(3000):
        rows, before, after = answered(60)
        labels = rows["label"].to_numpy() == 1
        gains.append(f1(labels, after) - f1(labels, before))
        errors.append(gain_error(rows, before, after))
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.std(gains), rel=0.06)
