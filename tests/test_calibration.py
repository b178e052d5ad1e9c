"""The best threshold by hand, with ties, and what the written one gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import f1_score

from babelshelf.calibration import best_threshold, calibrate, curve, scores_at
from babelshelf.errors import InputError
from babelshelf.files import read_json, write_json
from babelshelf.params.calibrate import CalibrateParams
from babelshelf.params.load import section

LABELS = np.array([True, True, False, True, False, False])
P_YES = np.array([0.9, 0.7, 0.6, 0.5, 0.2, 0.1])


def dev(labels: np.ndarray, p_yes: np.ndarray) -> pl.DataFrame:
    return pl.DataFrame({"label": labels.astype(np.int8), "p_yes": p_yes})


def test_the_threshold_is_the_middle_of_the_best_cut() -> None:
    # "yes" down to 0.5: tp 3, fp 1, fn 0, F1 6/7; the cut lies between 0.5 and 0.2
    assert best_threshold(LABELS, P_YES) == pytest.approx(0.35)
    result = calibrate(dev(LABELS, P_YES), fixed=None)
    assert result["f1"] == pytest.approx(6 / 7)
    assert result["all_yes_f1"] == pytest.approx(2 / 3)
    assert result["average_precision"] == pytest.approx((1 + 1 + 3 / 4) / 3)


def test_flipped_labels_move_the_threshold() -> None:
    assert best_threshold(~LABELS, P_YES) < 0.1


def test_rows_of_one_score_fall_on_one_side() -> None:
    # split as they stand, the tied rows would allow F1 = 1
    labels, p_yes = np.array([True, True, False, False, False]), np.array([0.8, 0.4, 0.4, 0.4, 0.4])
    threshold = best_threshold(labels, p_yes)
    assert threshold == pytest.approx(0.6)
    assert calibrate(dev(labels, p_yes), fixed=None)["f1"] == pytest.approx(2 / 3)


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
    write_json(tmp_path / "qc.json", calibrate(dev(labels, p_yes), fixed=None))
    written = read_json(tmp_path / "qc.json")
    assert f1_score(labels, p_yes >= written["threshold"]) == pytest.approx(written["f1"], abs=1e-6)


def test_a_fixed_threshold_is_kept_and_takes_equal_scores_as_yes() -> None:
    result = calibrate(dev(LABELS, P_YES), fixed=0.7)
    assert result["threshold"] == 0.7
    assert result["f1"] == pytest.approx(4 / 5)
    assert result["f1_at_half"] == pytest.approx(6 / 7)


def test_unlabelled_rows_are_left_out_and_counted() -> None:
    rows = pl.concat(
        [dev(LABELS, P_YES), pl.DataFrame({"label": [None], "p_yes": [0.99]}, schema_overrides={"label": pl.Int8})]
    )
    assert calibrate(rows, fixed=None) == calibrate(dev(LABELS, P_YES), fixed=None) | {"unlabelled": 1}


def test_the_curve_has_101_points_that_agree_with_scikit_learn() -> None:
    points = curve(dev(LABELS, P_YES))
    assert points["threshold"].to_list() == [i / 100 for i in range(101)]
    labels, p_yes = LABELS, P_YES
    expected = [f1_score(labels, p_yes >= t, zero_division=0) for t in points["threshold"]]
    assert points["f1"].to_list() == pytest.approx(expected)


@pytest.mark.parametrize("threshold", ["tuned", 0, 0.4, 1])
def test_params_take_tuned_or_a_number(threshold: object) -> None:
    params = section(CalibrateParams, {"calibrate": {"threshold": threshold}}, "calibrate", None)
    assert params.threshold == threshold


@pytest.mark.parametrize("threshold", ["best", -0.1, 1.5, True, None])
def test_params_refuse_anything_else_with_one_line(threshold: object) -> None:
    values = {"tasks": {"qc": {"calibrate": {"threshold": threshold}}}}
    with pytest.raises(InputError, match=r"^params.yaml: tasks.qc.calibrate.threshold: [^\n]*$"):
        section(CalibrateParams, values, "calibrate", "qc")
