"""Training in several processes, on one machine or many: how they are started, and what the main one does alone.

A configuration of accelerate (`profiles/accelerate/`) says how many processes there are and how they share a model. A
stage that is called as usual starts itself under `accelerate launch` where the configuration asks for it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from accelerate import PartialState
from accelerate.commands.config.config_args import BaseConfig, load_config_from_file
from accelerate.utils import DistributedType, broadcast_object_list

from babelshelf.errors import InputError
from babelshelf.fingerprint import partial_work


def state() -> PartialState:
    """Accelerate's: the number of processes, and which one this is."""
    return PartialState(cpu=not torch.cuda.is_available())


def is_main() -> bool:
    """Whether this process writes the outputs: one does of all machines' processes."""
    return bool(state().is_main_process)


def accumulation(batch_size: int, micro_batch_size: int, processes: int) -> int:
    """How many parts of a global batch a process takes one after another.

    Args:
        batch_size: rows of a gradient step, over all processes.
        micro_batch_size: rows that a process takes at once.
        processes: how many there are.

    Raises:
        InputError: the parts do not add up to the batch.
    """
    steps, left = divmod(batch_size, micro_batch_size * processes)
    if left:
        raise InputError(
            f"batch_size: {batch_size} rows are no multiple of {micro_batch_size} (micro_batch_size) x {processes} "
            f"(processes): {_mend(batch_size, processes)}"
        )
    return steps


def _mend(batch_size: int, processes: int) -> str:
    if batch_size % processes:
        return f"choose a number of processes that divides {batch_size}, or another batch_size"
    return f"choose a micro_batch_size that divides {batch_size // processes}"


def launched(config: Path, module: str, *, batch_size: int, micro_batch_size: int) -> bool:
    """Run `python -m <module>` with this command's arguments in several processes, where `config` asks for them.

    Args:
        config: a file of accelerate's; with `distributed_type: NO` this very process is the one.
        module: the stage's.
        batch_size: see `accumulation`.
        micro_batch_size: see `accumulation`.

    Returns:
        Whether it has been run. If not, this process is to do the work, alone or as one of those that were started.

    Raises:
        InputError: there is no such configuration, or the batch can't be cut as it asks.
    """
    if torch.distributed.is_torchelastic_launched():
        return False
    wanted = read_config(config)
    if wanted.distributed_type == DistributedType.NO:
        if getattr(wanted, "gpu_ids", None) not in (None, "all"):
            os.environ.setdefault("CUDA_VISIBLE_DEVICES", str(wanted.gpu_ids))
        accumulation(batch_size, micro_batch_size, 1)
        return False
    accumulation(batch_size, micro_batch_size, wanted.num_processes)
    launcher = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(config)]
    code = subprocess.run([*launcher, "--module", module, *sys.argv[1:]], check=False).returncode
    if code:
        raise InputError(f"{module}: a process that {config} started failed; it says above why (exit code {code})")
    return True


def read_config(file: Path) -> BaseConfig:
    """A configuration, read by accelerate.

    Raises:
        InputError: there is no such file, or accelerate refuses it.
    """
    if not file.is_file():
        known = ", ".join(sorted(path.stem for path in file.parent.glob("*.yaml")))
        raise InputError(f"{file}: no such configuration of accelerate; there are {known or '(none)'}")
    try:
        return load_config_from_file(str(file))
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{file}: not a configuration of accelerate: {error}") from error


@contextmanager
def shared_work(stage: str, *parts: object) -> Iterator[Path]:
    """`fingerprint.partial_work` for all processes: the main one locks and removes the folder, the others are told it.

    With several processes nobody waits for another run of the same work, since those that wait for the main one would
    give up in the meantime (after accelerate's time limit, in the middle of a queue).

    Raises:
        InputError: there are several processes, and another run has the folder.
    """
    here = state()
    if here.num_processes == 1:
        with partial_work(stage, *parts) as folder:
            yield folder
    elif here.is_main_process:
        with partial_work(stage, *parts, wait=False) as folder:
            broadcast_object_list([folder])
            yield folder
            here.wait_for_everyone()  # or a slower one may still read what is about to be removed
    else:
        told: list[Path | None] = [None]
        broadcast_object_list(told)
        assert told[0] is not None  # the main one has told it
        yield told[0]
        here.wait_for_everyone()
