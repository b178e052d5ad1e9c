"""Params of the evaluate stage."""

from __future__ import annotations

from pydantic import Field

from babelshelf.core.params import Section


class EvaluateParams(Section):
    """The section `evaluate`.

    Attributes:
        resamples: bootstrap resamples of the query groups.
        confidence: of the intervals.
        reliability_bins: of equal numbers of rows, for the reliability curve and the expected calibration error.
        in_train_share: a language counts as in train from this share of the train rows on.
    """

    resamples: int = Field(gt=0)
    confidence: float = Field(gt=0, lt=1)
    reliability_bins: int = Field(gt=1)
    in_train_share: float = Field(gt=0, lt=1)
