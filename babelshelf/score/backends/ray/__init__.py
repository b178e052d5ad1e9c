"""VLLM on many machines, by Ray Data: replicas, each with an engine, share the prompts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from babelshelf.llm.requirements import MergedAdapter, Package, Requirement, VllmEngines
from babelshelf.score.params import VllmEngineParams

if TYPE_CHECKING:
    from babelshelf.score.params import ScoreParams
    from babelshelf.score.scorer import Scorer

SECTION = """
address: local # a cluster of this machine alone; auto: the one that it belongs to; or HOST:PORT of another's head
replicas: 2 # engines, on whichever machines have room
shard: 2048 # prompts that an engine is given at once
precision: auto # bf16 where the GPU or CPU computes in it, else fp32; or bf16, fp32
adapter: lora # beside the base model, or merged: into its weights, before it is loaded
tensor_parallel: 1 # GPUs of one machine that a model is split over
gpu_memory_utilization: 0.9 # of each GPU; on a CPU, of the memory
enforce_eager: false # true: no graphs are compiled, which starts sooner and runs slower
"""


class Params(VllmEngineParams):
    """The section `score.ray`."""

    address: str = Field(pattern=r"^(local|auto|[^/\s:]+:\d+)$")  # not ray://: a job runs on a machine of its cluster
    replicas: int = Field(ge=1)
    shard: int = Field(ge=1)  # prompts


def requirements(settings: ScoreParams, longest: int, *, adapted: bool) -> Iterator[Requirement]:
    """What scoring needs; `longest` are the tokens of the longest prompt, `adapted` says whether it has an adapter."""
    own = settings.own(Params)
    yield Package("ray", "pip install -e '.[vllm,ray]'")
    if own.address == "local":  # another cluster is asked when it is reached
        yield Package("vllm", "pip install -e '.[vllm]'")
        yield VllmEngines(own.replicas, own.tensor_parallel, own.gpu_memory_utilization, own.precision, longest)
    if adapted and own.adapter == "merged":
        yield MergedAdapter(own.precision, "set score.ray.adapter: lora")


def load(base: Path, model: Path, settings: ScoreParams) -> AbstractContextManager[Scorer]:
    """A scorer from what `sft` wrote; see `babelshelf.score.scorer.load_scorer`."""
    from babelshelf.score.backends.ray import replicas  # noqa: PLC0415 - slow to import

    return replicas.load(base, model, settings.own(Params))
