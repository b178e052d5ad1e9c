"""The params of `mine_negatives`: the section `mine_negatives`, and `tasks.<task>.mine_negatives`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from babelshelf.params.load import Section


class MineNegativesParams(Section):
    """Which neighbours of a positive become negatives, and how many."""

    index: Literal["flat"]  # flat: exact inner product
    batch_size: int = Field(gt=0)  # texts that are embedded at once
    origins: list[Literal["original", "translated"]] = Field(min_length=1)  # whose positive rows are anchors
    window: tuple[int, int] = Field(strict=False)  # [first, last): ranks from 0, the positive itself left out
    positive_share: float = Field(gt=0, le=1)  # each language is brought down to this share of label 1
    guards: list[Literal["known_positive", "related_category", "equal_text"]]

    @field_validator("window")
    @classmethod
    def _ordered(cls, window: tuple[int, int]) -> tuple[int, int]:
        first, last = window
        if not 0 <= first < last:
            raise ValueError("expected [first, last] with 0 <= first < last")
        return window
