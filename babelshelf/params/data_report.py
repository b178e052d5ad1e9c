"""Params of the data_report stage."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from babelshelf.params.load import Section
from babelshelf.params.prepare import CharactersPerText


class ToleranceParams(Section):
    """From where on a query contradicts its declared language, see `babelshelf.language_id.Tolerance`."""

    min_letters: int = Field(ge=0)
    min_confidence: float = Field(ge=0, le=1)
    ratio: float = Field(ge=1)


class DataReportParams(Section):
    """The section `data_report`.

    Attributes:
        long: longer texts are counted.
        queries_per_language: unique queries of a split and language whose language is identified, at random.
        tolerance: of that.
    """

    long: CharactersPerText
    queries_per_language: int | Literal["all"]
    tolerance: ToleranceParams

    @field_validator("queries_per_language")
    @classmethod
    def _positive(cls, value: int | str) -> int | str:
        if isinstance(value, int) and value < 1:
            raise ValueError("expected all or a number above 0")
        return value
