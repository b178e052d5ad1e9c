"""A causal LM by transformers, on a CPU or one GPU: greedy or beam search."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from babelshelf.llm.requirements import Generation, Model, Requirement
from babelshelf.translate.causal_lm import LmTranslator
from babelshelf.translate.params import CAUSAL_LM_SECTION, CausalLmParams

if TYPE_CHECKING:
    from babelshelf.translate.causal_lm import Generator
    from babelshelf.translate.params import TranslateParams

SECTION = f"""{CAUSAL_LM_SECTION}\
batch_size: 32 # queries at once
"""


class Params(CausalLmParams):
    """The section `translate.transformers`."""

    batch_size: int = Field(gt=0)  # queries that are generated at once


def requirements(settings: TranslateParams) -> Iterator[Requirement]:
    """What translating needs."""
    own = settings.own(Params)
    yield Model("translate.transformers", own)
    yield Generation(
        sequences=own.batch_size * (own.beam_width if own.decoding == "beam" else 1),
        precision=own.precision,
        longest=own.max_length,
        fix="lower translate.transformers.batch_size",
        source=own,
    )


def load(settings: TranslateParams, glossary: Path) -> LmTranslator:
    """The translator; the weights are loaded with the first text."""
    own = settings.own(Params)
    return LmTranslator("transformers", own, lambda folder: _generator(folder, own))


def _generator(folder: Path, settings: Params) -> Generator:
    from babelshelf.translate.backends.transformers import generator  # noqa: PLC0415 - slow to import

    return generator.load(folder, settings)
