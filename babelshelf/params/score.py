"""The params of `score` and `score_train`: the section `score`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from babelshelf.params.load import Section


class ScoreParams(Section):
    """How pairs are scored."""

    backend: Literal["transformers"]
    batch_tokens: int = Field(ge=512)  # padded tokens a batch
    precision: Literal["fp32", "bf16"]
    attention: Literal["eager", "sdpa", "flash_attention_2"]
