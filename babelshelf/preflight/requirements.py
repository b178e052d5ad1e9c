"""What a stage will need and this machine lacks, said before any work: a GPU, a package, memory, disk.

`babelshelf check` asks for all that params.yaml has heavy work for, and each such stage for itself when it starts. This
decides whether a stage begins, never what it writes: dvc.yaml does not list it, so no change here trains a model again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from babelshelf.base_model.params import BaseModelParams, LmParams
from babelshelf.core.errors import InputError
from babelshelf.core.files import read_json, work_dir
from babelshelf.core.params import PARAMS_FILE, read, section
from babelshelf.dpo.params import DpoParams
from babelshelf.llm import base_model
from babelshelf.llm.params import NANO, NEWEST, SourceParams, is_folder
from babelshelf.preflight import memory
from babelshelf.preflight.machine import Machine
from babelshelf.preflight.memory import GIB, Shape
from babelshelf.score.params import ScoreParams
from babelshelf.sft.params import SftParams
from babelshelf.trainer import accelerate_config
from babelshelf.trainer.params import ScheduleParams
from babelshelf.translate.params import TranslateParams

# The package that a backend or an attention needs, and how it is had.
INSTALLED_BY = {
    "flash_attn": "pip install flash-attn --no-build-isolation",
    "deepspeed": "pip install deepspeed",
    "openai": "pip install -e '.[openai]'",
    "ray": "pip install -e '.[vllm,ray]'",
    "vllm": "pip install -e '.[vllm]'",
}
TRIFLE = 1.5 * GIB  # that any machine has: not worth the seconds that asking for GPUs takes
ACCELERATE = Path("profiles/accelerate")  # as dvc.yaml has it
CHECKPOINT = 12  # bytes of a trained weight in a checkpoint: itself and Adam's two moments, in fp32
CHECKPOINTS = 2  # on the disk at once: one is removed when the next is complete


@dataclass(frozen=True)
class Engines:
    """What vLLM is asked for.

    Attributes:
        stage: that asks.
        count: engines, each with the whole model.
        tensor_parallel: GPUs of each.
        share: of a GPU's memory that an engine may take.
        precision: `fp32` or `bf16`, of the weights.
        longest: tokens of the longest prompt.
    """

    stage: str
    count: int
    tensor_parallel: int
    share: float
    precision: str
    longest: int

    @property
    def gpus(self) -> int:
        """GPUs of all engines; on the CPU build, processes."""
        return self.count * self.tensor_parallel


@dataclass(frozen=True)
class Processes:
    """What a configuration of accelerate asks for.

    Attributes:
        count: processes, of all machines.
        here: of them, on each machine.
        sharded: whether they share one model.
        needs_gpus: whether each needs a GPU.
        package: that has to be installed.
    """

    count: int
    here: int
    sharded: bool
    needs_gpus: bool
    package: str | None


@dataclass(frozen=True)
class Launch:
    """How a training is started.

    Attributes:
        stage, task: that is started.
        file: the configuration of accelerate.
        named: the one that the params name.
    """

    stage: str
    task: str | None
    file: Path
    named: Path

    def __str__(self) -> str:
        """What a message begins with: the param, or the option that goes before it."""
        if self.file == self.named:
            return f"{self.stage}.accelerate: {self.file.stem}"
        return f"{self.stage} --accelerate: {self.file}"


def require(stage: str, task: str | None = None, accelerate: Path | None = None) -> None:
    """Refuse to begin a stage that lacks something here.

    Args:
        stage: whose params are looked at.
        task: `qc` or `qi`, where the stage has one.
        accelerate: the configuration that it is called with, whichever its params name.

    Raises:
        InputError: all that is missing, a line each, with the mend.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:  # one of several processes: the stage that started it has asked
        _refuse(lacking(read(PARAMS_FILE), stage, task, Machine(), accelerate))


def require_all() -> None:
    """Like `require`, for all stages with heavy work."""
    values, machine = read(PARAMS_FILE), Machine()
    problems = [*lacking(values, "base_model", None, machine), *lacking(values, "score", None, machine)]
    for task, recipe in values["tasks"].items():
        problems += lacking(values, "translate", task, machine)
        problems += lacking(values, "sft", task, machine)
        problems += lacking(values, "dpo", task, machine) if recipe["method"] == "dpo" else []
    _refuse(problems)


def lacking(
    values: dict[str, Any], stage: str, task: str | None, machine: Machine, accelerate: Path | None = None
) -> list[str]:
    """What `machine` lacks for a stage, a line each.

    The memory is not estimated of a model whose configuration is not here yet, before `base_model` has fetched it.

    Args:
        values: all of params.yaml.
        stage: `base_model`, `translate`, `sft`, `dpo` or `score`.
        task: of the stage.
        machine: what there is.
        accelerate: see `require`; None: the one that the params name.
    """
    if stage == "translate":
        return list(_translation(section(TranslateParams, values, "translate", task), machine))
    base = section(BaseModelParams, values, "base_model", None)
    shape = _shape(base.lm)
    if stage == "base_model":
        return [line for source in (base.lm, base.embedder) for line in _source("base_model", source, machine)]
    tuning = section(SftParams, values, "sft", task or next(iter(values["tasks"])))
    if stage in {"score", "score_train", "predict"}:
        return list(_scoring(section(ScoreParams, values, "score", None), tuning, shape, machine))
    schedule = section(DpoParams, values, "dpo", task) if stage == "dpo" else tuning
    named = ACCELERATE / f"{schedule.accelerate}.yaml"
    return list(_training(Launch(stage, task, accelerate or named, named), schedule, tuning, shape, machine))


def _refuse(problems: list[str]) -> None:
    if problems:
        raise InputError("\n".join(dict.fromkeys(problems)))


def _source(name: str, source: SourceParams, machine: Machine) -> Iterator[str]:
    """A base model that is not here and can't be fetched, or has no room."""
    if source.model == NANO:
        return
    if is_folder(source.model):
        if not base_model.local_folder(source.model).is_dir():
            yield f"{name}: {source.model}: no such folder ({base_model.local_folder(source.model)})"
        return
    revision = None if source.revision == NEWEST else source.revision
    if base_model.cached(source.model, revision) is not None:
        return
    try:
        size = base_model.download_size(source.model, revision)
    except InputError as error:  # one line among those of other stages
        yield f"{name}: {error.message}"
    else:
        yield from _room(name, size, base_model.hub_cache(), machine)


def _training(
    launch: Launch, schedule: ScheduleParams, tuning: SftParams, shape: Shape | None, machine: Machine
) -> Iterator[str]:
    """`tuning` has the adapter and the prompt's length; `dpo` goes on with both."""
    yield from _attention(launch.stage, schedule.attention, machine)
    try:
        processes = _processes(launch.file)
    except InputError as error:  # one line among those of other stages
        yield f"{launch.stage}.accelerate: {error.message}"
        return
    yield from _launching(launch, processes, machine)
    yield from _cutting(launch, schedule, processes)
    if shape is None:
        return
    run = _run(schedule, tuning, processes)
    mend = "lower micro_batch_size or max_length, checkpoint gradients, share the model (fsdp), or take a smaller one"
    need = memory.training(shape, run) * (1 if machine.gpus else processes.here)
    yield from _memory(launch.stage, need, mend, machine)
    trained = shape.weights if run.rank is None else shape.adapter(run.rank)
    yield from _room(launch.stage, CHECKPOINTS * CHECKPOINT * trained, work_dir(), machine)


def _run(schedule: ScheduleParams, tuning: SftParams, processes: Processes) -> memory.Training:
    """What a process of the training holds."""
    return memory.Training(
        rows=schedule.micro_batch_size,
        tokens=tuning.max_length,
        rank=tuning.lora.r if tuning.adapter == "lora" else None,
        frozen=schedule.weights,
        precision=schedule.precision,
        attention=schedule.attention,
        checkpointing=schedule.gradient_checkpointing,
        shards=processes.count if processes.sharded else 1,
    )


def _translation(settings: TranslateParams, machine: Machine) -> Iterator[str]:
    if not settings.languages or settings.backend == "lexicon":
        return
    yield from _package("translate", settings.backend, machine)
    if settings.backend == "openai":
        return
    lm, own = settings.lm, settings.lm.vllm
    yield from _source("translate.lm", lm, machine)
    shape = _shape_of(lm)
    if settings.backend == "vllm":
        engines = Engines("translate", 1, own.tensor_parallel, own.gpu_memory_utilization, lm.precision, lm.max_length)
        yield from _engines(engines, shape, machine)
    elif shape is not None:
        beams = lm.transformers.batch_size * (lm.beam_width if lm.decoding == "beam" else 1)
        need = memory.serving(shape, longest=lm.max_length, sequences=beams, precision=lm.precision, tensor_parallel=1)
        yield from _memory("translate", need, "lower translate.lm.transformers.batch_size", machine)


def _scoring(settings: ScoreParams, tuning: SftParams, shape: Shape | None, machine: Machine) -> Iterator[str]:
    if settings.backend in {"vllm", "ray"}:
        yield from _scoring_with_vllm(settings, tuning, shape, machine)
        return
    if shape is not None:
        need = memory.scoring(
            shape,
            tokens=max(settings.batch_tokens, settings.row_tokens, tuning.max_length),
            longest=max(settings.row_tokens, tuning.max_length),
            precision=settings.precision,
            weights=settings.weights,
            attention=settings.attention,
        )
        yield from _memory("score", need, "lower score.batch_tokens, or take a smaller base_model", machine)


def _scoring_with_vllm(
    settings: ScoreParams, tuning: SftParams, shape: Shape | None, machine: Machine
) -> Iterator[str]:
    own, precision = settings.vllm, settings.precision
    yield from _package("score", settings.backend, machine)
    if settings.backend == "ray" and settings.ray.address == "local":
        yield from _package("score", "vllm", machine)
    share, longest = own.gpu_memory_utilization, tuning.max_length
    count = settings.ray.replicas if settings.backend == "ray" else own.data_parallel
    engines = Engines("score", count, own.tensor_parallel, share, precision, longest)
    if settings.backend == "vllm" or settings.ray.address == "local":  # a cluster is asked when it is reached
        yield from _engines(engines, shape, machine)
    if shape is not None and tuning.adapter == "lora" and own.adapter == "merged":
        mend = "set score.vllm.adapter: lora"
        yield from _memory("score", memory.merging(shape), mend, machine, on_gpus=False)
        yield from _room("score", shape.weights * memory.BYTES[precision], work_dir(), machine)


def _package(stage: str, backend: str, machine: Machine) -> Iterator[str]:
    if backend in INSTALLED_BY and not machine.has(backend):
        yield f"{stage}.backend: {backend} needs a package: {INSTALLED_BY[backend]}"


def _engines(engines: Engines, shape: Shape | None, machine: Machine) -> Iterator[str]:
    """GPUs, unless vLLM is built for CPUs, and the memory without which not even one prompt is served."""
    on_gpus = not machine.is_built_for_cpus("vllm")
    if on_gpus and len(machine.gpus) < engines.gpus:
        asked = f"{engines.gpus} with CUDA on this machine, and there are {len(machine.gpus)}"
        few = "lower its tensor_parallel, or the number of engines (score.vllm.data_parallel, score.ray.replicas)"
        mend = few if machine.gpus else "take its CPU build (docs/serving.md), or another backend"
        yield f"{engines.stage}.backend: GPUs that vllm needs: {asked}: {mend}"
    elif shape is not None:
        need = memory.serving(
            shape,
            longest=engines.longest,
            sequences=1,
            precision=engines.precision,
            tensor_parallel=engines.tensor_parallel,
        )
        whole = need / engines.share if on_gpus else need * engines.gpus
        mend = "raise the engine's tensor_parallel, or take a smaller model"
        yield from _memory(engines.stage, whole, mend, machine, on_gpus=on_gpus)


def _processes(file: Path) -> Processes:
    """What a configuration of accelerate asks for; with `NO` one process, whatever number it names."""
    config = accelerate_config.read(file)
    kind = config["distributed_type"]
    count = 1 if kind == "NO" else config["num_processes"]
    return Processes(
        count=count,
        here=count // config.get("num_machines", 1),
        sharded=kind in {"FSDP", "DEEPSPEED"},
        needs_gpus=kind != "NO" and not config.get("use_cpu", False),
        package="deepspeed" if kind == "DEEPSPEED" else None,
    )


def _launching(launch: Launch, processes: Processes, machine: Machine) -> Iterator[str]:
    if processes.needs_gpus and len(machine.gpus) < processes.here:
        asked = f"{processes.here} GPUs with CUDA on this machine, and there are {len(machine.gpus)}"
        yield f"{launch} needs {asked}: take another file of {ACCELERATE}, or change num_processes"
    if processes.package is not None and not machine.has(processes.package):
        yield f"{launch} needs a package: {INSTALLED_BY[processes.package]}"


def _cutting(launch: Launch, schedule: ScheduleParams, processes: Processes) -> Iterator[str]:
    try:
        accelerate_config.accumulation(schedule.batch_size, schedule.micro_batch_size, processes.count)
    except InputError as error:
        yield f"{launch.stage} ({launch.task}): {error.message}" if launch.task else f"{launch.stage}: {error.message}"


def _attention(stage: str, attention: str, machine: Machine) -> Iterator[str]:
    if attention != "flash_attention_2":
        return
    if not machine.gpus:
        yield f"{stage}.attention: flash_attention_2 needs a GPU with CUDA, and there is none: take sdpa"
    if not machine.has("flash_attn"):
        yield f"{stage}.attention: flash_attention_2 needs a package: {INSTALLED_BY['flash_attn']}"


def _memory(stage: str, need: float, mend: str, machine: Machine, *, on_gpus: bool = True) -> Iterator[str]:
    """`on_gpus`: of the GPUs' memory, where there are any."""
    if need <= TRIFLE:
        return
    gpus = machine.gpus if on_gpus else []
    have, where = (min(gpus), "of a GPU's memory") if gpus else (machine.memory, "of memory")
    if need > have:
        yield f"{stage}: needs about {need / GIB:.1f} GiB {where}, and there are {have / GIB:.1f}: {mend}"


def _room(stage: str, need: float, path: Path, machine: Machine) -> Iterator[str]:
    have = machine.room(path)
    if need > have:
        yield f"{stage}: needs {need / GIB:.1f} GiB of disk at {path}, and there are {have / GIB:.1f}: make room"


def _shape(lm: LmParams) -> Shape | None:
    if lm.model == NANO:
        nano = lm.nano
        width = nano.hidden_size // nano.heads
        return Shape(
            hidden=nano.hidden_size,
            intermediate=nano.intermediate_size,
            layers=nano.layers,
            heads=nano.heads,
            kv_heads=nano.heads,
            head_dim=width,
            vocabulary=nano.vocab_size,
            tied=True,
        )
    return _shape_of(lm)


def _shape_of(lm: SourceParams) -> Shape | None:
    """Of a model that is in a folder or in the hub's cache; None where it is not."""
    if is_folder(lm.model):
        folder: Path | None = base_model.local_folder(lm.model)
    else:
        folder = base_model.cached(lm.model, None if lm.revision == NEWEST else lm.revision)
    config = folder / base_model.CONFIG if folder else None
    return memory.shape_of(read_json(config)) if config is not None and config.is_file() else None
