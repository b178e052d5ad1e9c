"""The step of the thresholds: one for all languages, or one for each, on the scores of the chosen recipe.

A threshold changes no order, so F1 judges it: `calibrate.cross_validated` answers each row with thresholds that were
tuned on other query groups.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from babelshelf.calibrate.params import CalibrateParams
from babelshelf.calibrate.thresholds import cross_validated
from babelshelf.commands.tune.gains import CONFIDENCE, GAIN, LOSS, RESAMPLES, UNCLEAR, Judge
from babelshelf.commands.tune.recipe import Scores
from babelshelf.evaluate.bootstrap import Difference, Pair, paired_difference


@dataclass(frozen=True)
class ThresholdGain:
    """F1 of thresholds for each language minus F1 of a shared one."""

    f1: Difference
    shared: float
    per_language: float

    @property
    def verdict(self) -> str:
        """As that of `gains.Estimate`."""
        return GAIN if self.f1.low > 0 else LOSS if self.f1.high < 0 else UNCLEAR


def judge_thresholds(
    judge: Judge, rows: pl.DataFrame, scores: Mapping[str, Scores], settings: CalibrateParams, seed: int
) -> ThresholdGain | None:
    """Compare both choices on the rows of the outer folds; None where the params fix the threshold.

    Args:
        judge: has the outer folds.
        rows: the labelled rows.
        scores: p(yes) on the outer folds.
        settings: shrinkage and folds of `calibrate`.
        seed: of the folds and the bootstrap.
    """
    tables = []
    for split in judge.splits:
        p_yes = scores[split.name].astype(np.float64)
        tables.append(rows.filter(pl.Series(split.test)).with_columns(p_yes=p_yes))
    table = pl.concat(tables)
    answers = cross_validated(table, settings, seed)
    if not answers:
        return None
    shared, own = (table.with_columns(is_relevant=answers[name]) for name in ("shared_f1", "per_language_f1"))
    found = paired_difference(Pair(shared, own), resamples=RESAMPLES, confidence=CONFIDENCE, seed=seed)["f1"]
    labels = table["label"].to_numpy() == 1
    f1 = [2 * (labels & yes).sum() / (labels.sum() + yes.sum()) for yes in answers.values()]
    return ThresholdGain(found, *map(float, f1))
