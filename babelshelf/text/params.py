"""Params of language identification."""

from __future__ import annotations

from pydantic import Field

from babelshelf.core.params import Section


class ToleranceParams(Section):
    """When another language contradicts the declared one, see `language_id.Tolerance`."""

    min_letters: int = Field(ge=0)
    min_confidence: float = Field(ge=0, le=1)
    ratio: float = Field(ge=1)
