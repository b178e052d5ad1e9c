"""A causal LM by vLLM, on GPUs or its CPU build: greedy or beam search."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from babelshelf.llm.requirements import Model, Package, Requirement, VllmEngines
from babelshelf.translate.causal_lm import LmTranslator
from babelshelf.translate.params import CAUSAL_LM_SECTION, CausalLmParams

if TYPE_CHECKING:
    from babelshelf.translate.causal_lm import Generator
    from babelshelf.translate.params import TranslateParams

SECTION = f"""{CAUSAL_LM_SECTION}\
max_num_seqs: 256 # sequences at once; a query has beam_width of them
tensor_parallel: 1 # GPUs that share the model
gpu_memory_utilization: 0.9 # of each GPU; on a CPU, of the memory
"""


class Params(CausalLmParams):
    """The section `translate.vllm`."""

    max_num_seqs: int = Field(gt=0)
    tensor_parallel: int = Field(gt=0)
    gpu_memory_utilization: float = Field(gt=0, le=1)


def requirements(settings: TranslateParams) -> Iterator[Requirement]:
    """What translating needs."""
    own = settings.own(Params)
    yield Package("vllm", "pip install -e '.[vllm]'")
    yield Model("translate.vllm", own)
    yield VllmEngines(1, own.tensor_parallel, own.gpu_memory_utilization, own.precision, own.max_length, source=own)


def load(settings: TranslateParams, glossary: Path) -> LmTranslator:
    """The translator; the engine is started with the first text."""
    own = settings.own(Params)
    return LmTranslator("vllm", own, lambda folder: _generator(folder, own))


def _generator(folder: Path, settings: Params) -> Generator:
    from babelshelf.translate.backends.vllm import generator  # noqa: PLC0415 - slow to import

    return generator.load(folder, settings)
