"""The params of `score`, `score_train` and `predict`: the section `score`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from babelshelf.params.load import Section


class VllmParams(Section):
    """How vLLM serves the model; read by the backend `vllm` alone."""

    adapter: Literal["lora", "merged"]
    tensor_parallel: int = Field(ge=1)
    data_parallel: int = Field(ge=1)
    gpu_memory_utilization: float = Field(gt=0, le=1)
    enforce_eager: bool


class ScoreParams(Section):
    """How pairs are scored."""

    backend: Literal["transformers", "vllm"]
    batch_tokens: int = Field(ge=512)  # padded tokens a batch
    row_tokens: int = Field(ge=1)  # of a row of prompts that begin alike
    precision: Literal["fp32", "bf16"]
    weights: Literal["fp32", "bf16"]  # as they are kept by transformers
    attention: Literal["eager", "sdpa"]
    vllm: VllmParams

    @field_validator("weights")
    @classmethod
    def _bf16_is_computed_in_bf16(cls, value: str, info: ValidationInfo) -> str:
        if value == "bf16" and info.data.get("precision") == "fp32":
            raise ValueError("bf16 needs precision: bf16, as nothing more precise can come of it")
        return value
