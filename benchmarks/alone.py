"""Run a function in a process of its own, for benchmarks that measure memory."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from typing import Any


def alone(function: Callable[..., dict[str, Any]], *arguments: object) -> dict[str, Any]:
    """What `function` gives in a new process, whose peak of memory is its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)
