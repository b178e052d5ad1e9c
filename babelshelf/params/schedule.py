"""The params that `train` and `dpo` share: how long and how fast a model is trained."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from babelshelf.params.load import Section


class ScheduleParams(Section):
    """How long and how fast, and what it costs in memory."""

    precision: Literal["fp32", "bf16"]
    weights: Literal["fp32", "bf16"]  # of what is frozen; what is trained is fp32
    packing: Literal["none", "padding_free"]
    attention: Literal["eager", "sdpa", "flash_attention_2"]
    gradient_checkpointing: bool
    warmup_share: float = Field(ge=0, lt=1)
    weight_decay: float = Field(ge=0)
    accelerate: str = Field(pattern=r"^[\w-]+$")  # a file of profiles/accelerate
    micro_batch_size: int = Field(gt=0)
    batch_size: int = Field(gt=0)  # of a gradient step, over all processes
    learning_rate: float = Field(gt=0)
    embedding_learning_rate: float = Field(gt=0)  # of the token embeddings, where they are trained
    epochs: float = Field(gt=0)

    @model_validator(mode="after")
    def _bf16_is_computed_in_bf16(self) -> Self:
        if self.weights == "bf16" and self.precision == "fp32":
            raise ValueError("weights: bf16 needs precision: bf16, as nothing more precise can come of them")
        return self
