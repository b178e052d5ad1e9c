"""The params of `base_model`: which LM and embedder to use, and the sizes of the built-in LM."""

from __future__ import annotations

import textwrap
from difflib import get_close_matches
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from babelshelf.core.params import Section
from babelshelf.encoder.builtin_encoders import ENCODERS, is_builtin
from babelshelf.llm.params import HUB_ID, NANO, NEWEST, Precision, SourceParams, Template, is_folder

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


class BaseLmParams(SourceParams):
    """The base LM; `nano` is needed where that is the model."""

    nano: NanoLmParams | None = None

    @model_validator(mode="after")
    def _nano_has_sizes(self) -> Self:
        if self.model == NANO and self.nano is None:
            pasted = textwrap.indent(NANO_LM.strip("\n"), "    ")
            raise ValueError(f"nano: missing section of the model nano; paste under `base_model.lm:`\n{pasted}")
        return self


def _encoder(model: str) -> str:
    if model == NANO:
        raise ValueError("the TF-IDF embedder nano is gone: write use_multilingual, and remove the section nano")
    if not is_builtin(model) and (near := get_close_matches(model, ENCODERS.names(), n=1, cutoff=0.8)):
        raise ValueError(f"did you mean the built-in encoder {near[0]}?")
    if not (is_builtin(model) or is_folder(model) or HUB_ID.fullmatch(model)):
        raise ValueError(
            f"expected a built-in encoder ({', '.join(ENCODERS.names())}, or several joined by +), a hub id such as "
            "Qwen/Qwen3-Embedding-0.6B, or a folder that begins with /, ./, ../ or ~"
        )
    return model


class EmbedderParams(SourceParams):
    """The embedder: built-in encoders joined by `+`, a model of the hub or a folder."""

    model: Annotated[str, AfterValidator(_encoder)]

    @model_validator(mode="after")
    def _hub_alone_has_revisions(self) -> Self:
        if self.revision != NEWEST and is_builtin(self.model):
            raise ValueError(f"revision: expected none: {self.model} is built-in, its package's version says which")
        return self


class BaseModelParams(Section):
    """The base LM and the embedder."""

    template: Template  # of the built-in LM's pre-training
    lm: BaseLmParams
    embedder: EmbedderParams
