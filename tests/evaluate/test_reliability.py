"""Reliability by hand, with ties, and against scores of known calibration."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from babelshelf.evaluate.reliability import expected_calibration_error, reliability


def test_by_hand() -> None:
    labels, p_yes = np.array([False, True, True, True]), np.array([0.1, 0.3, 0.8, 0.9])
    curve = reliability(labels, p_yes, 2)
    assert curve["p_yes"].to_list() == pytest.approx([0.2, 0.85])
    assert curve["positive_share"].to_list() == [0.5, 1.0]
    assert curve["rows"].to_list() == [2, 2]
    assert expected_calibration_error(curve) == pytest.approx((0.3 + 0.15) / 2)


def test_equal_scores_share_a_bin_whatever_their_order() -> None:
    labels, p_yes = np.array([True, False, True, False, True]), np.array([0.5, 0.5, 0.5, 0.5, 0.9])
    curve = reliability(labels, p_yes, 5)
    assert curve["rows"].to_list() == [4, 1]
    assert curve["positive_share"].to_list() == [0.5, 1.0]
    assert expected_calibration_error(curve) == pytest.approx(1 / 5 * 0.1)  # a bin counts as much as it has rows
    assert reliability(labels[::-1], p_yes[::-1], 5).equals(curve)


def test_bins_have_equal_mass_as_those_of_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    p_yes = generator.random(1000) ** 4
    labels = generator.random(1000) < p_yes
    curve = reliability(labels, p_yes, 10)
    assert curve["rows"].to_list() == [100] * 10
    share, mean = calibration_curve(labels, p_yes, n_bins=10, strategy="quantile")
    assert curve["p_yes"].to_list() == pytest.approx(list(mean), abs=2e-3)
    assert curve["positive_share"].to_list() == pytest.approx(list(share), abs=2e-2)


def test_the_error_tells_calibrated_scores_from_others() -> None:
    generator = np.random.default_rng(0)
    p_yes = generator.random(100_000)
    labels = generator.random(100_000) < p_yes
    assert expected_calibration_error(reliability(labels, p_yes, 10)) < 0.01
    assert expected_calibration_error(reliability(labels, p_yes**2, 10)) == pytest.approx(1 / 2 - 1 / 3, abs=0.01)
    assert expected_calibration_error(reliability(labels, 1 - p_yes, 10)) == pytest.approx(0.5, abs=0.01)
