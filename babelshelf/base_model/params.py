"""The params of `base_model`: which LM and embedder to use, and the sizes of the built-in nano models."""

from __future__ import annotations

import textwrap
from typing import Literal, Self

from pydantic import Field, model_validator

from babelshelf.core.params import Section
from babelshelf.llm.params import NANO, Precision, SourceParams, Template

NANO_LM = """
nano: # Qwen3's architecture
  vocab_size: 6144
  hidden_size: 128
  intermediate_size: 384
  layers: 2
  heads: 4
  texts: 48000 # that it is pre-trained on, each with several questions
  questions: 6 # of a text
  batch_size: 32
  learning_rate: 0.001
  embedding_learning_rate: 0.02
  precision: auto
  attention: eager
"""
NANO_EMBEDDER = """
nano: # one vector a token
  vocab_size: 2048
  dimension: 256
"""


class NanoLmParams(Section):
    """A causal LM with Qwen3's architecture, pre-trained from scratch on the catalogue's text."""

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
    """A static embedder (one vector a token), fitted to the catalogue's text."""

    vocab_size: int = Field(ge=512)
    dimension: int = Field(gt=0)


class BaseLmParams(SourceParams):
    """The base LM; `nano` is needed where that is the model."""

    nano: NanoLmParams | None = None

    @model_validator(mode="after")
    def _nano_has_sizes(self) -> Self:
        if self.model == NANO and self.nano is None:
            raise ValueError(_missing("lm", NANO_LM))
        return self


class EmbedderParams(SourceParams):
    """The embedder; `nano` is needed where that is the model."""

    nano: NanoEmbedderParams | None = None

    @model_validator(mode="after")
    def _nano_has_sizes(self) -> Self:
        if self.model == NANO and self.nano is None:
            raise ValueError(_missing("embedder", NANO_EMBEDDER))
        return self


class BaseModelParams(Section):
    """The base LM and the embedder."""

    template: Template  # of the built-in LM's pre-training
    lm: BaseLmParams
    embedder: EmbedderParams


def _missing(model: str, ready: str) -> str:
    pasted = textwrap.indent(ready.strip("\n"), "    ")
    return f"nano: missing section of the model nano; paste under `base_model.{model}:`\n{pasted}"
