"""What a training requires (processes, GPUs, memory, disk) and a machine lacks, a line each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from babelshelf.core.errors import InputError
from babelshelf.core.files import work_dir
from babelshelf.preflight import memory
from babelshelf.preflight.limits import lacks_memory, lacks_room
from babelshelf.preflight.machine import Machine
from babelshelf.preflight.memory import Shape
from babelshelf.sft.params import SftParams
from babelshelf.trainer import accelerate_config
from babelshelf.trainer.params import LIGER, TRACKERS, ScheduleParams

# How a package that a training needs is installed.
INSTALLED_BY = {
    "flash_attn": "pip install flash-attn --no-build-isolation",
    "deepspeed": "pip install deepspeed",
}
ACCELERATE = Path("profiles/accelerate")  # as dvc.yaml has it
CHECKPOINT = 12  # bytes of a trained weight in a checkpoint: itself and Adam's two moments, in fp32
CHECKPOINTS = 2  # on the disk at once: one is removed when the next is complete


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
        tracker: that it reports to, or `none`.
    """

    stage: str
    task: str | None
    file: Path
    named: Path
    tracker: str

    def __str__(self) -> str:
        """What a message begins with: the param, or the option that goes before it."""
        if self.file == self.named:
            return f"{self.stage}.accelerate: {self.file.stem}"
        return f"{self.stage} --accelerate: {self.file}"


def lacking(
    launch: Launch,
    schedule: ScheduleParams,
    tuning: SftParams,
    shape: Shape | None,
    machine: Machine,
    *,
    longest: Callable[[], int],
) -> Iterator[str]:
    """`tuning` has the adapter and the prompt's length; `dpo` goes on with both.

    `longest` gives the tokens of the longest prompt; it is called only where those of `max_length` would not fit.
    """
    yield from _tracker(launch.tracker, machine)
    yield from _attention(launch.stage, schedule.attention, machine)
    yield from _kernels(launch.stage, schedule.kernels, machine)
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
    fix = "lower micro_batch_size or max_length, checkpoint gradients, share the model (fsdp), or take a smaller one"
    together = 1 if machine.gpus else processes.here
    if any(lacks_memory(launch.stage, memory.training(shape, run) * together, fix, machine)):
        run = replace(run, tokens=longest())
        yield from lacks_memory(launch.stage, memory.training(shape, run) * together, fix, machine)
    trained = shape.weights if run.rank is None else shape.adapter(run.rank)
    yield from lacks_room(launch.stage, CHECKPOINTS * CHECKPOINT * trained, work_dir(), machine)


def _run(schedule: ScheduleParams, tuning: SftParams, processes: Processes) -> memory.TrainingRun:
    """What a process of the training holds."""
    return memory.TrainingRun(
        rows=schedule.micro_batch_size,
        tokens=tuning.max_length,
        rank=tuning.lora.r if tuning.adapter == "lora" else None,
        frozen=schedule.weights,
        precision=schedule.precision,
        attention=schedule.attention,
        checkpointing=schedule.gradient_checkpointing,
        shards=processes.count if processes.sharded else 1,
        fused=schedule.kernels == "liger",
    )


def _processes(file: Path) -> Processes:
    """What a configuration of accelerate asks for; with `NO` it is one process, whatever `num_processes` says."""
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
        gpus = f"{processes.here} GPUs with CUDA on this machine, and there are {len(machine.gpus)}"
        yield f"{launch} needs {gpus}: take another file of {ACCELERATE}, or change num_processes"
    if processes.package is not None and not machine.has(processes.package):
        yield f"{launch} needs a package: {INSTALLED_BY[processes.package]}"


def _cutting(launch: Launch, schedule: ScheduleParams, processes: Processes) -> Iterator[str]:
    try:
        accelerate_config.accumulation(schedule.batch_size, schedule.micro_batch_size, processes.count)
    except InputError as error:
        yield f"{launch.stage} ({launch.task}): {error.message}" if launch.task else f"{launch.stage}: {error.message}"


def _tracker(tracker: str, machine: Machine) -> Iterator[str]:
    if tracker != "none" and not machine.has(tracker):
        yield f"report_to: {tracker} needs a package: {TRACKERS[tracker]}"


def _attention(stage: str, attention: str, machine: Machine) -> Iterator[str]:
    if attention != "flash_attention_2":
        return
    if not machine.gpus:
        yield f"{stage}.attention: flash_attention_2 needs a GPU with CUDA, and there is none: take sdpa"
    if not machine.has("flash_attn"):
        yield f"{stage}.attention: flash_attention_2 needs a package: {INSTALLED_BY['flash_attn']}"


def _kernels(stage: str, kernels: str, machine: Machine) -> Iterator[str]:
    if kernels != "liger":
        return
    if not machine.gpus:
        yield f"{stage}.kernels: liger needs a GPU with CUDA, and there is none: set none"
    if not machine.has("liger_kernel"):
        yield f"{stage}.kernels: liger needs a package: {LIGER}"
