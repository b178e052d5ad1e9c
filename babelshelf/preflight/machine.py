"""What this machine has: GPUs, memory, packages, room on a disk."""

from __future__ import annotations

import shutil
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import psutil


class Machine:
    """Looks each thing up on first use, once: asking for GPUs takes seconds."""

    @cached_property
    def gpus(self) -> list[int]:
        """Bytes of memory of each GPU with CUDA."""
        import torch  # noqa: PLC0415 - slow to import

        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        return [torch.cuda.get_device_properties(number).total_memory for number in range(count)]

    @cached_property
    def memory(self) -> int:
        """Bytes of memory that are free."""
        return int(psutil.virtual_memory().available)

    def has(self, package: str) -> bool:
        """Whether a package can be imported; a folder of its name in the working directory, such as wandb/, is none."""
        spec = find_spec(package)
        return spec is not None and spec.origin is not None

    def is_built_for_cpus(self, package: str) -> bool:
        """Whether what is installed is a package's build for CPUs, as its own name or its version says."""
        return _version(f"{package}-cpu") is not None or "cpu" in (_version(package) or "")

    def room(self, path: Path) -> int:
        """Bytes that are free on the disk where `path` is or will be."""
        there = next(parent for parent in (path.absolute(), *path.absolute().parents) if parent.exists())
        return shutil.disk_usage(there).free


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
