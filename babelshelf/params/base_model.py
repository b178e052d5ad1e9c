"""The params of `base_model`: the LM and the embedder that are made here."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from babelshelf.params.load import Section


class LmParams(Section):
    """A Qwen3-architecture causal LM, trained here from scratch on the catalogue's text."""

    vocab_size: int = Field(ge=512)
    hidden_size: int = Field(gt=0)
    intermediate_size: int = Field(gt=0)
    layers: int = Field(gt=0)
    heads: int = Field(gt=0)
    texts: int = Field(gt=0)  # that it is pre-trained on, each with several questions
    questions: int = Field(gt=0)  # of a text
    batch_size: int = Field(gt=0)
    learning_rate: float = Field(gt=0)
    embedding_learning_rate: float = Field(gt=0)  # of the token embeddings
    template: Literal["short"]  # its candidate stands before its query, so that one candidate can have many questions
    precision: Literal["fp32", "bf16"]
    attention: Literal["eager", "sdpa", "flash_attention_2"]


class EmbedderParams(Section):
    """A static embedder (one vector a token), made here from the catalogue's text."""

    vocab_size: int = Field(ge=512)
    dimension: int = Field(gt=0)


class BaseModelParams(Section):
    """The base LM and the embedder."""

    lm: LmParams
    embedder: EmbedderParams
