"""What the stage writes: the calibration, F1 on dev by hand, and the comparison of the methods."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import f1_score

from babelshelf.calibrate.calibrating import calibrate, curve
from babelshelf.calibrate.params import CalibrateParams
from babelshelf.core.errors import InputError
from babelshelf.core.files import read_json, write_json
from babelshelf.core.params import section
from babelshelf.tables.calibration import Calibration
from tests.helpers.dev_rows import SECTIONS, dev, params, simulated

LABELS = np.array([True, True, False, True, False, False])
P_YES = np.array([0.9, 0.7, 0.6, 0.5, 0.2, 0.1])
REST = {"folds": 5, **SECTIONS}


def test_metrics_of_a_shared_threshold_by_hand() -> None:
    result = calibrate(dev(LABELS, P_YES), params(), 1)
    assert result["threshold"] == pytest.approx(0.35)
    assert result["f1"] == pytest.approx(6 / 7)
    assert result["all_yes_f1"] == pytest.approx(2 / 3)
    assert result["average_precision"] == pytest.approx((1 + 1 + 3 / 4) / 3)
    assert (result["method"], result["rows_by_language"]) == ("shared", {"en": 6})


def test_scores_that_are_all_0_give_yes_to_everything() -> None:
    for method in ("shared", "per_language", "logistic"):
        result = calibrate(dev(LABELS, np.zeros(6)), params(method), 1)
        assert (result["threshold"], result["f1"]) == (0, pytest.approx(2 / 3))


@pytest.mark.parametrize("method", ["shared", "per_language", "logistic"])
def test_the_written_calibration_gives_the_written_f1(tmp_path: Path, method: str) -> None:
    generator = np.random.default_rng(1)
    rows = simulated(generator, 100, 2, intercept=1)
    close = 0.5 + 2e-6 * rows["p_yes"].to_numpy()  # closer to each other than the digits of a metric
    for table in (rows, rows.with_columns(p_yes=close)):
        write_json(tmp_path / "qc.json", calibrate(table, params(method), 1))
        written = read_json(tmp_path / "qc.json")
        assert ("thresholds" in written) == (method == "per_language")
        answered = Calibration.of(written).answer(table)
        assert f1_score(table["label"], answered["is_relevant"]) == pytest.approx(written["f1"], abs=1e-6)


def test_a_fixed_threshold_is_kept_and_takes_equal_scores_as_yes() -> None:
    for method in ("shared", "auto"):
        result = calibrate(dev(LABELS, P_YES), params(method, 0.7), 1)
        assert (result["threshold"], result["method"]) == (0.7, "shared")
        assert result["f1"] == pytest.approx(4 / 5)
        assert result["f1_at_half"] == pytest.approx(6 / 7)


def test_unlabelled_rows_are_left_out_and_counted() -> None:
    rows = pl.concat(
        [dev(LABELS, P_YES), dev(LABELS, P_YES)[:1].with_columns(label=pl.lit(None, pl.Int8), p_yes=pl.lit(0.99))]
    )
    assert calibrate(rows, params(), 1) == calibrate(dev(LABELS, P_YES), params(), 1) | {"unlabelled": 1}


def test_the_curve_has_101_points_that_agree_with_scikit_learn() -> None:
    points = curve(dev(LABELS, P_YES), Calibration(0.5))
    assert points["threshold"].to_list() == [i / 100 for i in range(101)]
    expected = [f1_score(LABELS, t <= P_YES, zero_division=0) for t in points["threshold"]]
    assert points["f1"].to_list() == pytest.approx(expected)


def test_the_curve_of_a_recalibration_is_over_thresholds_on_the_recalibrated_probability() -> None:
    rows = simulated(np.random.default_rng(3), 300, 2, intercept=1.5)
    result = calibrate(rows, params("logistic"), 1)
    at = round(result["threshold"], 2)
    points = curve(rows, Calibration.of(result))
    assert points.filter((pl.col("threshold") - at).abs() < 1e-9)["f1"][0] == pytest.approx(result["f1"], abs=0.01)


@pytest.mark.parametrize("threshold", ["tuned", 0, 0.4, 1])
def test_params_take_tuned_or_a_number(threshold: object) -> None:
    values = {"calibrate": {"threshold": threshold, "method": "shared"} | REST}
    assert section(CalibrateParams, values, "calibrate", None).threshold == threshold


@pytest.mark.parametrize("threshold", ["best", -0.1, 1.5, True, None])
def test_params_refuse_anything_else_with_one_line(threshold: object) -> None:
    values = {"calibrate": REST | {"method": "shared"}, "tasks": {"qc": {"calibrate": {"threshold": threshold}}}}
    with pytest.raises(InputError, match=r"^params.yaml: tasks.qc.calibrate.threshold: [^\n]*$"):
        section(CalibrateParams, values, "calibrate", "qc")


@pytest.mark.parametrize("method", ["per_language", "logistic"])
def test_a_fixed_threshold_leaves_no_room_for_a_method(method: str) -> None:
    with pytest.raises(InputError, match=r"calibrate.method: .*expected shared or auto where the threshold is fixed"):
        params(method, 0.5)


def test_an_unknown_method_is_answered_with_all_methods() -> None:
    with pytest.raises(
        InputError, match=r"no method 'platt'; there are\n  logistic .*\n  per_language .*\n  shared .*\n  auto"
    ):
        params("platt")


@pytest.mark.parametrize(("method", "needed"), [("logistic", ["logistic"]), ("auto", ["logistic", "per_language"])])
def test_a_method_needs_its_section_and_auto_those_of_all(method: str, needed: list[str]) -> None:
    values = {"calibrate": {"threshold": "tuned", "folds": 5, "method": method}}
    with pytest.raises(InputError) as caught:
        section(CalibrateParams, values, "calibrate", None)
    lines = [line for line in str(caught.value).splitlines() if line.startswith("params.yaml")]
    assert [line.split(":")[1] for line in lines] == [f" calibrate.{name}" for name in needed]
    assert "babelshelf profile calibrate.logistic" in str(caught.value)


def test_methods_without_a_section_are_not_compared() -> None:
    values = {"calibrate": {"threshold": "tuned", "folds": 5, "method": "shared", "per_language": {"shrinkage": 1}}}
    settings = section(CalibrateParams, values, "calibrate", None)
    assert settings.methods == ["shared", "per_language"]
    rows = simulated(np.random.default_rng(1), 60, 2, intercept=0)
    assert list(calibrate(rows, settings, 1)["cross_validated"]) == ["shared", "per_language"]
