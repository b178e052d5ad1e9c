"""The params of `score`, `score_train` and `predict`: the section `score`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from babelshelf.core.params import Section
from babelshelf.llm.params import Precision


class VllmParams(Section):
    """How vLLM serves the model; of the backends `vllm` and `ray`."""

    adapter: Literal["lora", "merged"]
    tensor_parallel: int = Field(ge=1)
    data_parallel: int = Field(ge=1)  # of the backend vllm alone
    gpu_memory_utilization: float = Field(gt=0, le=1)
    enforce_eager: bool


class RayParams(Section):
    """On which machines vLLM serves the model, and what they are dealt; of the backend `ray`."""

    address: str = Field(pattern=r"^(local|auto|[^/\s:]+:\d+)$")  # not ray://: a job runs on a machine of its cluster
    replicas: int = Field(ge=1)
    shard: int = Field(ge=1)  # prompts


class ScoreParams(Section):
    """How pairs are scored."""

    backend: Literal["transformers", "vllm", "ray"]
    batch_tokens: int = Field(ge=512)  # padded tokens a batch
    row_tokens: int = Field(ge=1)  # of a row of prompts that begin alike
    precision: Precision
    weights: Literal["fp32", "bf16"]  # as they are kept by transformers
    attention: Literal["eager", "sdpa"]
    vllm: VllmParams
    ray: RayParams

    @field_validator("weights", mode="before")
    @classmethod
    def _auto(cls, value: object, info: ValidationInfo) -> object:
        return info.data.get("precision", "fp32") if value == "auto" else value

    @field_validator("weights")
    @classmethod
    def _bf16_is_computed_in_bf16(cls, value: str, info: ValidationInfo) -> str:
        if value == "bf16" and info.data.get("precision") == "fp32":
            raise ValueError("bf16 needs precision: bf16, as nothing more precise can come of it; or set weights: fp32")
        return value
