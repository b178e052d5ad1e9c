"""The params of `translate`: the section `translate`, and `tasks.<task>.translate` for what differs by task."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from babelshelf.languages import is_code
from babelshelf.params.load import Section


def _distinct_languages(codes: list[str]) -> list[str]:
    unknown = [code for code in codes if not is_code(code)]
    if unknown:
        raise ValueError(f"unknown language code {unknown[0]!r}: write one of ISO 639-1, such as de")
    if len(set(codes)) < len(codes):
        raise ValueError("a language is there twice")
    return codes


Languages = Annotated[list[str], AfterValidator(_distinct_languages)]


class TranslateParams(Section):
    """Which training queries are translated, by what, and what a translation must be like to be kept."""

    backend: Literal["lexicon"]
    glossary: str = Field(min_length=1)
    languages: Languages  # translated into; none: nothing is translated
    sources: Annotated[Languages, Field(min_length=1)]  # sampled from, in proportion to their rows
    rows_per_language: int = Field(gt=0)
    min_translated: float = Field(ge=0, le=1)  # share of a query's words, without names, numbers and units
    batch_size: int = Field(gt=0)  # queries a call of the backend and a write to the cache
