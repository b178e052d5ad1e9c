"""The params that `train` and `dpo` share: how long and how fast a model is trained."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from babelshelf.params.load import Section


class ScheduleParams(Section):
    """How long and how fast, and what it costs in memory."""

    precision: Literal["fp32", "bf16"]
    attention: Literal["eager", "sdpa", "flash_attention_2"]
    gradient_checkpointing: bool
    warmup_share: float = Field(ge=0, lt=1)
    weight_decay: float = Field(ge=0)
    batch_size: int = Field(gt=0)
    learning_rate: float = Field(gt=0)
    epochs: float = Field(gt=0)
