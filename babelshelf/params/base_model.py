"""The params of `base_model`: which LM and which embedder, and how those are made that are made here."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from babelshelf.params.load import Section

NANO = "nano"  # the model that is made here
NEWEST = "none"  # the revision that a branch has on the day of its download
HUB_ID = re.compile(r"([A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]*")
COMMIT = re.compile(r"[0-9a-f]{40}")


def is_folder(model: str) -> bool:
    """Whether `model` names a folder of this machine: it begins with `/`, `./`, `../` or `~`."""
    return model.startswith(("/", "./", "../", "~"))


def _hub_id_or_folder(model: str) -> str:
    if not is_folder(model) and not HUB_ID.fullmatch(model):
        raise ValueError(
            "expected nano, a hub id such as Qwen/Qwen3-0.6B-Base, or a folder that begins with /, ./, ../ or ~"
        )
    return model


def _commit(revision: str) -> str:
    if revision != NEWEST and not COMMIT.fullmatch(revision):
        raise ValueError("expected none, or the 40 hex digits of a commit (a branch or a tag may move)")
    return revision


class SourceParams(Section):
    """Where a model comes from."""

    model: Annotated[str, AfterValidator(_hub_id_or_folder)]  # nano, an id of the Hugging Face hub, or a folder
    revision: Annotated[str, AfterValidator(_commit)]  # none, or a commit of the hub

    @field_validator("revision")
    @classmethod
    def _of_hub(cls, revision: str, info: ValidationInfo) -> str:
        model = info.data.get("model", "")
        if revision != NEWEST and (model == NANO or is_folder(model)):
            raise ValueError(f"expected none: {model} is no model of the hub, which alone has revisions")
        return revision


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
    template: Literal["short"]  # its candidate stands before its query, so that one candidate can have many questions
    precision: Literal["fp32", "bf16"]
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

    lm: LmParams
    embedder: EmbedderParams
