"""A causal LM by vLLM, on GPUs or its CPU build: greedy or beam search."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from babelshelf.llm.requirements import Model, Package, Requirement, VllmEngines
from babelshelf.translate.causal_lm import LmTranslator
from babelshelf.translate.params import CausalLmParams

if TYPE_CHECKING:
    from babelshelf.translate.causal_lm import Generator
    from babelshelf.translate.params import TranslateParams

SECTION = r"""
model: ByteDance-Seed/Seed-X-PPO-7B # a hub id, or a folder: /its/path, ./its/path, ~/its/path
revision: none # of a hub model: a commit, 40 hex digits; none takes what its main branch has on that day
languages: # that the model knows
  [ar, cs, da, de, en, es, fi, fr, hr, hu, id, it, ja, ko, ms, nb, nl, "no", pl, pt, ro, ru, sv, th, tr, uk, vi, zh]
prompt: "Translate the following {source_name} sentence into {target_name}:\n{query} <{target}>"
decoding: beam # or greedy
beam_width: 4
max_tokens: 64 # of a translation
max_length: 512 # tokens of prompt and translation; a longer query is dropped
precision: bf16
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
