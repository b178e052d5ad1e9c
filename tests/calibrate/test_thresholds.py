"""The best threshold by hand, with ties."""

from __future__ import annotations

import numpy as np
import pytest

from babelshelf.calibrate.thresholds import best_threshold, scores_at

LABELS = np.array([True, True, False, True, False, False])
P_YES = np.array([0.9, 0.7, 0.6, 0.5, 0.2, 0.1])


def test_the_threshold_is_the_middle_of_the_best_cut() -> None:
    # "yes" down to 0.5: tp 3, fp 1, fn 0, F1 6/7; the cut lies between 0.5 and 0.2
    assert best_threshold(LABELS, P_YES) == pytest.approx(0.35)
    assert scores_at(LABELS, P_YES, np.array([0.35]))["f1"][0] == pytest.approx(6 / 7)


def test_scores_that_are_all_0_give_yes_to_everything() -> None:
    assert best_threshold(LABELS, np.zeros(6)) == 0


def test_rows_of_one_score_fall_on_one_side() -> None:
    # split as they stand, the tied rows would allow F1 = 1
    labels, p_yes = np.array([True, True, False, False, False]), np.array([0.8, 0.4, 0.4, 0.4, 0.4])
    threshold = best_threshold(labels, p_yes)
    assert threshold == pytest.approx(0.6)
    assert scores_at(labels, p_yes, np.array([threshold]))["f1"][0] == pytest.approx(2 / 3)


def test_flipped_labels_move_the_threshold() -> None:
    assert best_threshold(~LABELS, P_YES) < 0.1


@pytest.mark.parametrize(("lowest", "threshold"), [(0.3, 0.7), (0.48, 0.24)])
def test_of_equal_cuts_the_widest_gap_is_taken(lowest: float, threshold: float) -> None:
    # "yes" for the first row alone and for all rows give the same F1; the gaps are 0.9 - 0.5 and lowest - 0
    labels, p_yes = np.array([True, False, False, True]), np.array([0.9, 0.5, 0.49, lowest])
    assert scores_at(labels, p_yes, np.array([0.7, 0.0]))["f1"].to_list() == pytest.approx([2 / 3, 2 / 3])
    assert best_threshold(labels, p_yes) == pytest.approx(threshold)
