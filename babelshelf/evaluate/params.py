"""Params of the evaluate stage."""

from __future__ import annotations

from pydantic import Field

from babelshelf.core.params import Section


class EvaluateParams(Section):
    """The section `evaluate`.

    Attributes:
        resamples: number of bootstrap resamples of the query groups.
        confidence: confidence level of the intervals.
        reliability_bins: number of bins of the reliability curve and the expected calibration error.
        in_train_rows: minimum number of labelled train rows for a language to count as in train.
    """

    resamples: int = Field(gt=0)
    confidence: float = Field(gt=0, lt=1)
    reliability_bins: int = Field(gt=1)
    in_train_rows: int = Field(gt=0)
