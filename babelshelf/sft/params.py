"""The params of `sft`: the section `sft`, and `tasks.<task>.sft` for what differs by task."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from babelshelf.core.params import Section
from babelshelf.llm.params import Template
from babelshelf.trainer.params import ScheduleParams


class LoraParams(Section):
    """Low-rank adaptation (LoRA, arXiv 2106.09685)."""

    r: int = Field(gt=0)
    alpha: int = Field(gt=0)
    dropout: float = Field(ge=0, lt=1)
    target_modules: Literal["all-linear"] | list[str]
    modules_to_save: list[str]  # trained whole beside the adapter, e.g. [embed_tokens]; [] for none


class SftParams(ScheduleParams):
    """How a variant's model is fine-tuned.

    With `steps`, training sets of any size get as many gradient steps, as `babelshelf ladder` sets it; with 0 the model
    is the base as it is, without training.
    """

    steps: Annotated[int, Field(ge=0)] | Literal["none"]  # in place of epochs; none: as many as epochs makes
    adapter: Literal["lora", "none"]  # none: all weights
    lora: LoraParams
    template: Template  # a folder of prompts/
    max_length: int = Field(ge=16)

    @field_validator("adapter")
    @classmethod
    def _bf16_is_for_frozen_weights(cls, value: str, info: ValidationInfo) -> str:
        if value == "none" and info.data.get("weights") == "bf16":
            raise ValueError("weights: bf16 is for frozen weights: it needs adapter: lora")
        return value
