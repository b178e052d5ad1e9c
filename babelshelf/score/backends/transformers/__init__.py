"""Transformers, on a CPU or one GPU; packs prompts that begin alike."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, ValidationInfo, field_validator

from babelshelf.core.params import Section
from babelshelf.llm.params import Precision, Weights
from babelshelf.llm.requirements import Requirement, Scoring

if TYPE_CHECKING:
    from babelshelf.score.params import ScoreParams
    from babelshelf.score.scorer import Scorer

SECTION = """
batch_tokens: 8192 # padded tokens a batch
row_tokens: 64 # of a row of prompts that share their beginning; 512 for the template alpaca
precision: auto # bf16 where the GPU or CPU computes in it, else fp32; or bf16, fp32
weights: auto # as precision; or fp32: twice the memory of bf16, and an adapter is merged
attention: eager # or sdpa
"""


class Params(Section):
    """The section `score.transformers`."""

    batch_tokens: int = Field(ge=512)
    row_tokens: int = Field(ge=1)
    precision: Precision
    weights: Weights  # as they are kept
    attention: Literal["eager", "sdpa"]

    @field_validator("weights", mode="before")
    @classmethod
    def _auto(cls, value: object, info: ValidationInfo) -> object:
        return info.data.get("precision", "fp32") if value == "auto" else value


def requirements(settings: ScoreParams, longest: int, *, adapted: bool) -> Iterator[Requirement]:
    """What scoring needs; `longest` are the tokens of the longest prompt, `adapted` says whether it has an adapter."""
    own = settings.own(Params)
    yield Scoring(
        tokens=max(own.batch_tokens, own.row_tokens, longest),
        longest=max(own.row_tokens, longest),
        precision=own.precision,
        weights=own.weights,
        attention=own.attention,
        fix="lower score.transformers.batch_tokens, or take a smaller base_model",
    )


def load(base: Path, model: Path, settings: ScoreParams) -> AbstractContextManager[Scorer]:
    """A scorer from what `sft` wrote; see `babelshelf.score.scorer.load_scorer`."""
    from babelshelf.score.backends.transformers import scorer  # noqa: PLC0415 - slow to import

    return scorer.load(base, model, settings.own(Params))
