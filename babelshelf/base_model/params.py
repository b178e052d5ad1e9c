"""The params of `base_model`: which LM and which embedder, and how those are made that are made here."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from babelshelf.core.params import Section
from babelshelf.llm.params import Precision, SourceParams, Template


class NanoLmParams(Section):
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
    precision: Precision
    attention: Literal["eager", "sdpa", "flash_attention_2"]


class NanoEmbedderParams(Section):
    """A static embedder (one vector a token), made here from the catalogue's text."""

    vocab_size: int = Field(ge=512)
    dimension: int = Field(gt=0)


class LmParams(SourceParams):
    """The base LM; `nano` counts where that is the model."""

    nano: NanoLmParams


class EmbedderParams(SourceParams):
    """The embedder; `nano` counts where that is the model."""

    nano: NanoEmbedderParams


class BaseModelParams(Section):
    """The base LM and the embedder."""

    template: Template  # of the built-in LM's pre-training
    lm: LmParams
    embedder: EmbedderParams
