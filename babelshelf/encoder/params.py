"""Params of an encoder."""

from __future__ import annotations

import re
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from babelshelf.core.params import Section

DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


class EncoderParams(Section):
    """Devices, batch size and precision of an encoder; `mine_negatives` and `classifier` have them."""

    section: ClassVar[str] = "encoder"  # of params.yaml, for messages

    devices: list[str] = Field(min_length=1)  # a process for each; [auto]: a GPU if there is one
    batch_size: int = Field(gt=0)  # texts
    precision: Literal["fp32", "bf16"]  # of the embedder's weights
    max_length: int | Literal["none"]  # tokens a text; none: the embedder's own limit
    truncate_dim: int | Literal["none"]  # leading dimensions of a Matryoshka embedder (arXiv 2205.13147); none: all

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
