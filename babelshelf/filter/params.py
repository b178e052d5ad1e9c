"""Params of the filter stage."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from babelshelf.core.params import Section


class FilterParams(Section):
    """`tasks.<task>.filter`; `babelshelf.filter.self_validation` explains them."""

    confidence: float = Field(gt=0.5, le=1)
    derived: Literal["drop", "judge"]
    max_dropped_share: float = Field(gt=0, le=1)  # of the rows of a class in a language
