"""The filter: drop rows whose label out-of-fold scores contradict, at several confidences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from babelshelf.commands.tune.context import Context
from babelshelf.commands.tune.recipe import Option, Tools, TrainingSet
from babelshelf.core.errors import InputError
from babelshelf.filter.params import FilterParams
from babelshelf.filter.self_validation import filter_rows
from babelshelf.tables.truth import no_truth

ORDER = 30
NAME = "filter"
CONFIDENCES = (0.6, 0.75, 0.9)


class LabelFilter:
    """Self-validation with the classifier's out-of-fold scores, by the function of the stage.

    Args:
        task: qc or qi.
        settings: the params of the stage, for what is not searched.
    """

    name = NAME

    def __init__(self, task: str, settings: FilterParams) -> None:
        self._task, self._settings = task, settings

    def texts(self) -> Sequence[str]:
        """It adds no rows."""
        return []

    def options(self) -> list[Option]:
        """Each confidence, and that of the params."""
        confidences = sorted({*CONFIDENCES, self._settings.confidence})
        return [Option(NAME, f"confidence {value:g}", {"confidence": value}) for value in confidences]

    def refinements(self, best: Option) -> list[Option]:
        """Nothing further."""
        return []

    def apply(self, training: TrainingSet, option: Option, tools: Tools) -> TrainingSet:
        """Take the rows that are contradicted out of each split."""
        settings = self._settings.model_copy(update={"confidence": option.values["confidence"]})
        p_yes, masks = tools.out_of_fold(), np.zeros_like(training.masks)
        for number, mask in enumerate(training.masks.T):
            rows = training.rows.filter(pl.Series(mask))
            scores = pl.DataFrame({"id": rows["id"], "p_yes": p_yes[mask, number].astype(np.float64)})
            masks[mask, number] = rows["id"].is_in(_kept(rows, scores, settings).implode()).to_numpy()
        return training.with_masks(masks)

    def params(self, option: Option) -> dict[tuple[str, ...], Any]:
        """The confidence; the scores are those of the classifier."""
        task = ("tasks", self._task)
        return {(*task, "filter", "confidence"): option.values["confidence"], (*task, "filter_method"): "classifier"}


def load(context: Context) -> LabelFilter:
    """The step."""
    return LabelFilter(context.data.task, context.section(FilterParams, "filter"))


def _kept(rows: pl.DataFrame, scores: pl.DataFrame, settings: FilterParams) -> pl.Series:
    """Ids of the rows that stay; all, where the filter would drop all."""
    try:
        return filter_rows(rows, scores, no_truth(), settings).kept["id"]
    except InputError:
        return rows["id"]
