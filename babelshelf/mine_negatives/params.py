"""The params of `mine_negatives`: the section `mine_negatives`, and `tasks.<task>.mine_negatives`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, field_validator

from babelshelf.core.params import Section
from babelshelf.encoder.params import EncoderParams


class IvfParams(Section):
    """FAISS's inverted file: vectors are clustered, and a query is compared with those of its nearest clusters."""

    lists: int = Field(gt=0)  # clusters
    probes: int = Field(gt=0)  # clusters that a query is compared with


class HnswParams(Section):
    """A hierarchical navigable small-world graph (arXiv 1603.09320)."""

    links: int = Field(ge=2)  # of a vector in the graph; M in the paper
    ef_construction: int = Field(gt=0)  # size of the candidate list when a vector is linked
    ef_search: int = Field(gt=0)  # size of the candidate list of a query


class MineNegativesParams(EncoderParams):
    """The index, the window of ranks, the target share and the guards."""

    section: ClassVar[str] = "mine_negatives"

    query_prompt: str  # instruction before the positive when it is the search query; "": reuse its candidate vector
    index: Literal["flat", "ivf", "hnsw"]  # flat: compares with every candidate
    codes: Literal["fp32", "fp16", "sq8"]  # of the vectors in the index: 4, 2 or 1 bytes a dimension
    ivf: IvfParams
    hnsw: HnswParams
    origins: list[Literal["original", "translated"]] = Field(min_length=1)  # whose positive rows are anchors
    rank_window: tuple[int, int] = Field(strict=False)  # [first, last): ranks from 0, the positive itself left out
    positive_share: float = Field(gt=0, le=1)  # each language is brought down to this share of label 1
    guards: list[Literal["known_positive", "related_category", "equal_text"]]

    @field_validator("rank_window")
    @classmethod
    def _ordered(cls, window: tuple[int, int]) -> tuple[int, int]:
        first, last = window
        if not 0 <= first < last:
            raise ValueError("expected [first, last] with 0 <= first < last")
        return window
