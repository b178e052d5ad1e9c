"""The params of `mine_negatives`: the section `mine_negatives`, and `tasks.<task>.mine_negatives`."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator

from babelshelf.params.load import Section

DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


class IvfParams(Section):
    """FAISS's inverted file: vectors are clustered, and a query is compared with those of its nearest clusters."""

    lists: int = Field(gt=0)  # clusters
    probes: int = Field(gt=0)  # clusters that a query is compared with


class HnswParams(Section):
    """A hierarchical navigable small-world graph (arXiv 1603.09320)."""

    links: int = Field(ge=2)  # of a vector in the graph; M in the paper
    ef_construction: int = Field(gt=0)  # vectors that are looked at to link one
    ef_search: int = Field(gt=0)  # vectors that are looked at to answer a query


class MineNegativesParams(Section):
    """Which neighbours of a positive become negatives, and how many."""

    devices: list[str] = Field(min_length=1)  # of the embedder, a process each; [auto]: a GPU, where there is one
    batch_size: int = Field(gt=0)  # texts that are embedded at once
    precision: Literal["fp32", "bf16"]  # of the embedder's weights
    max_length: int | Literal["none"]  # tokens a text; none: the embedder's own limit
    truncate_dim: int | Literal["none"]  # dimensions kept of a Matryoshka embedder's (arXiv 2205.13147); none: all
    query_prompt: str  # before a positive that neighbours are searched of; "": its vector as a candidate serves
    index: Literal["flat", "ivf", "hnsw"]  # flat: compares with every candidate
    codes: Literal["fp32", "fp16", "sq8"]  # of the vectors in the index: 4, 2 or 1 bytes a dimension
    ivf: IvfParams
    hnsw: HnswParams
    origins: list[Literal["original", "translated"]] = Field(min_length=1)  # whose positive rows are anchors
    window: tuple[int, int] = Field(strict=False)  # [first, last): ranks from 0, the positive itself left out
    positive_share: float = Field(gt=0, le=1)  # each language is brought down to this share of label 1
    guards: list[Literal["known_positive", "related_category", "equal_text"]]

    @field_validator("devices")
    @classmethod
    def _known(cls, devices: list[str]) -> list[str]:
        unknown = [device for device in devices if not DEVICE.fullmatch(device)]
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no device, such as auto, cpu or cuda:0")
        if "auto" in devices and len(devices) > 1:
            raise ValueError("auto stands alone: name every device")
        return devices

    @field_validator("max_length", "truncate_dim")
    @classmethod
    def _positive(cls, value: int | str) -> int | str:
        if isinstance(value, int) and value < 1:
            raise ValueError("expected none or a number above 0")
        return value

    @field_validator("window")
    @classmethod
    def _ordered(cls, window: tuple[int, int]) -> tuple[int, int]:
        first, last = window
        if not 0 <= first < last:
            raise ValueError("expected [first, last] with 0 <= first < last")
        return window
