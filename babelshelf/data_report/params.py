"""Params of the data_report stage."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator

from babelshelf.core.params import Section
from babelshelf.pairs.params import CharactersPerText
from babelshelf.text.params import ToleranceParams


class DataReportParams(Section):
    """The section `data_report`.

    Attributes:
        long: maximum lengths; longer texts are counted.
        queries_per_language: sample size of the language identification, for each split and language.
        tolerance: when a declared language counts as contradicted.
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
