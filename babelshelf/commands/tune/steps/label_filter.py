"""The filter: drop rows whose label out-of-fold scores contradict, by each rule, the paper's at several confidences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import polars as pl

from babelshelf.commands.tune.context import Context
from babelshelf.commands.tune.recipe import Option, Tools, TrainingSet
from babelshelf.core.errors import InputError
from babelshelf.filter.params import RULES, FilterParams
from babelshelf.filter.self_validation import filter_rows
from babelshelf.tables.truth import no_truth

ORDER = 30
NAME = "filter"
CONFIDENCE = "confidence"
LEAST = (0.6, 0.75, 0.9)  # confidences that are tried


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
        """The paper's rule at each confidence and that of the params, and each of the other rules."""
        given = getattr(self._settings, CONFIDENCE, None)
        tried = sorted({*LEAST, *([given.at_least] if given else [])})
        confidences = [Option(NAME, f"confidence {least:g}", _values(CONFIDENCE, at_least=least)) for least in tried]
        others = [name for name in RULES.names() if name != CONFIDENCE]
        return confidences + [
            Option(NAME, name.replace("_", " "), _values(name, **RULES.defaults(name))) for name in others
        ]

    def refinements(self, best: Option) -> list[Option]:
        """Nothing further."""
        return []

    def apply(self, training: TrainingSet, option: Option, tools: Tools) -> TrainingSet:
        """Take the rows that are contradicted out of each split."""
        settings = self._with(option)
        p_yes, masks = tools.out_of_fold(), np.zeros_like(training.masks)
        for number, mask in enumerate(training.masks.T):
            rows = training.rows.filter(pl.Series(mask))
            scores = pl.DataFrame({"id": rows["id"], "p_yes": p_yes[mask, number].astype(np.float64)})
            masks[mask, number] = rows["id"].is_in(_kept(rows, scores, settings).implode()).to_numpy()
        return training.with_masks(masks)

    def params(self, option: Option) -> dict[tuple[str, ...], Any]:
        """The rule and its params; the scores are those of the classifier."""
        task, rule = ("tasks", self._task), option.values["rule"]
        values: dict[tuple[str, ...], Any] = {(*task, "filter", "rule"): rule}
        values |= {(*task, "filter", rule, name): value for name, value in option.values.get(rule, {}).items()}
        return values | {(*task, "filter_method"): "classifier"}

    def _with(self, option: Option) -> FilterParams:
        """The params of the stage with those of an option."""
        values = self._settings.model_dump() | dict(option.values)
        return cast("FilterParams", FilterParams.fitted(values).model_validate(values))


def load(context: Context) -> LabelFilter:
    """The step."""
    return LabelFilter(context.data.task, context.section(FilterParams, "filter"))


def _kept(rows: pl.DataFrame, scores: pl.DataFrame, settings: FilterParams) -> pl.Series:
    """Ids of the rows that stay; all, where the filter would drop all."""
    try:
        return filter_rows(rows, scores, no_truth(), settings).kept["id"]
    except InputError:
        return rows["id"]


def _values(rule: str, **own: float) -> dict[str, Any]:
    """Of `tasks.<task>.filter`: the rule and its section, where it has one."""
    return {"rule": rule, **({rule: own} if own else {})}
