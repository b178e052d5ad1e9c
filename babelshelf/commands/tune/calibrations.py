"""The step of the calibration: each method against a shared threshold, on the scores of the chosen recipe.

A shared threshold or one for each language changes no order, so F1 judges: `cross_validated` answers each row with a
calibration that was fitted on other query groups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from babelshelf.calibrate.cross_validation import cross_validated, f1
from babelshelf.calibrate.params import SHARED, CalibrateParams
from babelshelf.commands.tune.gains import CONFIDENCE, GAIN, RESAMPLES, Judge, verdict
from babelshelf.commands.tune.recipe import Scores
from babelshelf.evaluate.bootstrap import Difference, Pair, paired_difference


@dataclass(frozen=True)
class CalibrationGain:
    """F1 of a calibration method minus F1 of a shared threshold.

    Attributes:
        method: as in `calibrate.method`.
        gain: the difference.
        before, after: F1 of the shared threshold and of the method.
    """

    method: str
    gain: Difference
    before: float
    after: float

    @property
    def verdict(self) -> str:
        """See `gains.verdict`."""
        return verdict(self.gain)


def judge_calibrations(
    judge: Judge, rows: pl.DataFrame, scores: Mapping[str, Scores], settings: CalibrateParams, seed: int
) -> list[CalibrationGain]:
    """Compare the methods on the rows of the outer folds; none where the params fix the threshold.

    Args:
        judge: has the outer folds.
        rows: the labelled rows.
        scores: p(yes) on the outer folds.
        settings: the methods and folds of `calibrate`.
        seed: of the folds and the bootstrap.

    Returns:
        A gain for each method but `shared`; their intervals hold together at `CONFIDENCE` (Bonferroni).
    """
    tables = []
    for split in judge.splits:
        p_yes = scores[split.name].astype(np.float64)
        tables.append(rows.filter(pl.Series(split.test)).with_columns(p_yes=p_yes))
    table = pl.concat(tables)
    answers = cross_validated(table, settings, seed)
    labels = table["label"].to_numpy() == 1
    others = [method for method in answers if method != SHARED]
    gains = []
    for method in others:
        pair = Pair(*(table.with_columns(is_relevant=answers[name]) for name in (SHARED, method)))
        confidence = 1 - (1 - CONFIDENCE) / len(others)
        gain = paired_difference(pair, resamples=RESAMPLES, confidence=confidence, seed=seed)["f1"]
        gains.append(CalibrationGain(method, gain, f1(labels, answers[SHARED]), f1(labels, answers[method])))
    return gains


def evident(gains: Sequence[CalibrationGain]) -> CalibrationGain | None:
    """The method with the largest gain of those whose interval lies above zero; None where there is none."""
    return max((one for one in gains if one.verdict == GAIN), key=lambda one: one.gain.value, default=None)
