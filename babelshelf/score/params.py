"""The params of `score`, `score_train` and `predict`: the section `score`.

A scoring backend is a plugin, a module of `babelshelf.score.backends`; docs/serving.md says what it has.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from babelshelf.core.params import Section
from babelshelf.core.plugins import Plugins, PluginSection, known
from babelshelf.llm.params import Precision

BACKENDS = Plugins("babelshelf.score.backends", "score", "backend")


class ScoreParams(PluginSection):
    """How pairs are scored: the backend, and its own section."""

    plugins: ClassVar[Plugins] = BACKENDS
    backend: Annotated[str, AfterValidator(partial(known, BACKENDS))]


class VllmEngineParams(Section):
    """How an engine of vLLM serves the model; the backends `vllm` and `ray` extend it."""

    precision: Precision
    adapter: Literal["lora", "merged"]  # beside the base model, or added to its weights before it is loaded
    tensor_parallel: int = Field(ge=1)  # GPUs that one model is split over
    gpu_memory_utilization: float = Field(gt=0, le=1)  # of each GPU; on a CPU, of the memory
    enforce_eager: bool
