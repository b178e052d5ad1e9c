"""Configurations of accelerate (`profiles/accelerate/`): what they ask for, and how a batch is cut.

Training and the check before it read them here, so that both give the same errors. The files are parsed without
accelerate, which takes seconds to import.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from babelshelf.core.errors import InputError


def read(file: Path) -> dict[str, Any]:
    """A configuration; its `distributed_type` and `num_processes`, of all machines, are there and of their type.

    Raises:
        InputError: there is no such file, it is not YAML, or it lacks one of the two.
    """
    if not file.is_file():
        known = ", ".join(sorted(path.stem for path in file.parent.glob("*.yaml")))
        raise InputError(f"{file}: no such configuration of accelerate; there are {known or '(none)'}")
    yaml = YAML(typ="safe", pure=True)
    yaml.version = (1, 1)  # accelerate's, where NO without quotes is false
    try:
        values = yaml.load(file)
    except YAMLError as error:
        raise InputError(f"{file}: not a configuration of accelerate: {error}") from error
    if not isinstance(values, dict) or not isinstance(values.get("distributed_type"), str):
        raise InputError(
            f'{file}: not a configuration of accelerate: it has no distributed_type, such as "NO" (in quotes)'
        )
    values = {"num_processes": 1} | values if values["distributed_type"] == "NO" else values
    count = values.get("num_processes")
    if not isinstance(count, int) or count < 1:
        raise InputError(f"{file}: not a configuration of accelerate: num_processes must be a number above 0")
    return values


def choose_gpu(file: Path) -> None:
    """Show this process just the GPU that a configuration of one process names (`gpu_ids`).

    Call it before anything asks for GPUs: CUDA reads the variable once. A variable that is already set stays.

    Args:
        file: see `read`.

    Raises:
        InputError: see `read`.
    """
    values = read(file)
    if values["distributed_type"] == "NO" and values.get("gpu_ids", "all") not in (None, "all"):
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", str(values["gpu_ids"]))


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
        fix = f"choose a micro_batch_size that divides {batch_size // processes}"
        if batch_size % processes:
            fix = f"choose a number of processes that divides {batch_size}, or another batch_size"
        raise InputError(
            f"batch_size: {batch_size} rows are no multiple of {micro_batch_size} (micro_batch_size) x {processes} "
            f"(processes): {fix}"
        )
    return steps
