"""What a backend requires (`babelshelf.llm.requirements`) and a machine lacks, a line each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import singledispatch

from babelshelf.core.files import work_dir
from babelshelf.llm.requirements import (
    Generation,
    Gpus,
    Memory,
    MergedAdapter,
    Model,
    Package,
    Requirement,
    Scoring,
    VllmEngines,
)
from babelshelf.preflight import memory
from babelshelf.preflight.limits import lacks_memory, lacks_model, lacks_room, shape_of
from babelshelf.preflight.machine import Machine
from babelshelf.preflight.memory import GIB, Shape


def lacking(stage: str, needs: Iterable[Requirement], base: Shape | None, machine: Machine) -> Iterator[str]:
    """What the backend of a stage requires and `machine` lacks; `base`: the base model's shape, None where unknown."""
    for need in needs:
        yield from _lacks(need, stage, base, machine)


@singledispatch
def _lacks(need: Requirement, stage: str, base: Shape | None, machine: Machine) -> Iterator[str]:
    raise TypeError(f"{type(need).__name__} is no requirement")


@_lacks.register
def _(need: Package, stage: str, base: Shape | None, machine: Machine) -> Iterator[str]:
    if not machine.has(need.name):
        yield f"{stage}.backend: {need.name} needs a package: {need.install}"


@_lacks.register
def _(need: Gpus, stage: str, base: Shape | None, machine: Machine) -> Iterator[str]:
    if len(machine.gpus) < need.count:
        yield f"{stage}.backend: needs {need.count} GPUs with CUDA, and there are {len(machine.gpus)}"


@_lacks.register
def _(need: Memory, stage: str, base: Shape | None, machine: Machine) -> Iterator[str]:
    yield from lacks_memory(stage, need.gib * GIB, need.fix, machine)


@_lacks.register
def _(need: Model, stage: str, base: Shape | None, machine: Machine) -> Iterator[str]:
    yield from lacks_model(need.param, need.source, machine)


@_lacks.register
def _(need: Generation, stage: str, base: Shape | None, machine: Machine) -> Iterator[str]:
    shape = base if need.source is None else shape_of(need.source)
    if shape is not None:
        size = memory.serving(
            shape, longest=need.longest, sequences=need.sequences, precision=need.precision, tensor_parallel=1
        )
        yield from lacks_memory(stage, size, need.fix, machine)


@_lacks.register
def _(need: Scoring, stage: str, base: Shape | None, machine: Machine) -> Iterator[str]:
    if base is not None:
        size = memory.scoring(
            base,
            tokens=need.tokens,
            longest=need.longest,
            precision=need.precision,
            weights=need.weights,
            attention=need.attention,
        )
        yield from lacks_memory(stage, size, need.fix, machine)


@_lacks.register
def _(need: MergedAdapter, stage: str, base: Shape | None, machine: Machine) -> Iterator[str]:
    if base is not None:
        yield from lacks_memory(stage, memory.merging(base), need.fix, machine, on_gpus=False)
        yield from lacks_room(stage, base.weights * memory.BYTES[need.precision], work_dir(), machine)


@_lacks.register
def _(need: VllmEngines, stage: str, base: Shape | None, machine: Machine) -> Iterator[str]:
    """GPUs, unless vLLM is built for CPUs, and the memory without which not even one prompt is served."""
    shape = base if need.source is None else shape_of(need.source)
    on_gpus = not machine.is_built_for_cpus("vllm")
    if on_gpus and len(machine.gpus) < need.gpus:
        gpus = f"{need.gpus} with CUDA on this machine, and there are {len(machine.gpus)}"
        few = "lower its tensor_parallel, or the number of engines (data_parallel, replicas)"
        fix = few if machine.gpus else "take its CPU build (docs/serving.md), or another backend"
        yield f"{stage}.backend: GPUs that vllm needs: {gpus}: {fix}"
    elif shape is not None:
        size = memory.serving(
            shape,
            longest=need.longest,
            sequences=1,
            precision=need.precision,
            tensor_parallel=need.tensor_parallel,
        )
        whole = size / need.memory_share if on_gpus else size * need.gpus
        fix = "raise the engine's tensor_parallel, or take a smaller model"
        yield from lacks_memory(stage, whole, fix, machine, on_gpus=on_gpus)
