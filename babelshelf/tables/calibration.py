"""What the stage `calibrate` decides: from which p(yes) on a pair is relevant, and how p(yes) becomes a probability.

`evaluate`, `predict`, `babelshelf score` and the report all answer with this one object, read from
`metrics/calibrate/<task>.json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

import polars as pl

LEAST = 1e-6  # p(yes) is taken as at least this and at most 1 minus this, as the logit of 0 and 1 is infinite

FrameT = TypeVar("FrameT", pl.DataFrame, pl.LazyFrame)


@dataclass(frozen=True)
class Recalibration:
    """Maps p to 1 / (1 + exp(-(intercept + slope * logit(p)))).

    Attributes:
        intercept: 0 leaves p as it is.
        slope: above 0, so that the order of the pairs stays; 1 leaves p as it is.
    """

    intercept: float
    slope: float


@dataclass(frozen=True)
class Calibration:
    """Decision thresholds and, optionally, a recalibration of p(yes); each may differ by language.

    A pair is relevant if its p(yes), recalibrated where there is a recalibration, reaches the threshold.

    Attributes:
        threshold: of all languages that are not in `thresholds`.
        thresholds: of single languages, by ISO 639-1 code.
        recalibration: of all languages that are not in `recalibrations`; None: p(yes) is taken as it is.
        recalibrations: of single languages; empty where `recalibration` is None.
    """

    threshold: float
    thresholds: Mapping[str, float] = field(default_factory=dict)
    recalibration: Recalibration | None = None
    recalibrations: Mapping[str, Recalibration] = field(default_factory=dict)

    @classmethod
    def of(cls, metrics: Mapping[str, Any]) -> Calibration:
        """The calibration in the metrics of the stage `calibrate`."""
        shared = metrics.get("recalibration")
        by_language = metrics.get("recalibrations", {})
        return cls(
            metrics["threshold"],
            metrics.get("thresholds", {}),
            None if shared is None else Recalibration(**shared),
            {language: Recalibration(**own) for language, own in by_language.items()},
        )

    def metrics(self) -> dict[str, Any]:
        """What `of` reads; without the keys of what it does not have."""
        return {name: value for name, value in asdict(self).items() if value is not None and value != {}}

    def recalibrate(self, predictions: FrameT) -> FrameT:
        """Add the column `p_calibrated`, null where `p_yes` is null; as it was where there is no recalibration."""
        if self.recalibration is None:
            return predictions
        own = self.recalibrations
        intercept = _of_language(self.recalibration.intercept, {name: one.intercept for name, one in own.items()})
        slope = _of_language(self.recalibration.slope, {name: one.slope for name, one in own.items()})
        p_yes = pl.col("p_yes").clip(LEAST, 1 - LEAST)
        logit = (p_yes / (1 - p_yes)).log()
        return predictions.with_columns(p_calibrated=1 / (1 + (-(intercept + slope * logit)).exp()))

    def answer(self, predictions: FrameT) -> FrameT:
        """Add `p_calibrated`, as `recalibrate` does, and the Boolean column `is_relevant`, null where `p_yes` is null.

        Args:
            predictions: columns `language` and `p_yes`.
        """
        judged = "p_yes" if self.recalibration is None else "p_calibrated"
        threshold = _of_language(self.threshold, self.thresholds)
        return self.recalibrate(predictions).with_columns(is_relevant=pl.col(judged) >= threshold)


def _of_language(shared: float, own: Mapping[str, float]) -> pl.Expr:
    """The value of each row's language."""
    if not own:
        return pl.lit(shared)
    of_language = pl.col("language").replace_strict(dict(own), default=None, return_dtype=pl.Float64)
    return pl.coalesce(of_language, pl.lit(shared))
