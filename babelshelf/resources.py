"""Time and peak memory of each stage, kept in `.cache` and not in metrics: they differ from run to run.

A stage's `main` is decorated with `recorded`; `babelshelf report` shows what `read_resources` finds.
"""

from __future__ import annotations

import functools
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import ParamSpec, TypeVar

import polars as pl
import psutil

from babelshelf.files import work_dir

RESOURCES_SCHEMA = pl.Schema(
    {
        "stage": pl.String,  # as DVC names it, with task and variant: `train@negatives-qc`
        "experiment": pl.String,  # null in the workspace
        "ended": pl.String,  # UTC, ISO 8601
        "seconds": pl.Float64,  # from the start of the process, imports included; after a kill, of the last start alone
        "peak_mib": pl.Float64,  # largest resident set of the stage's process or of one process that it started
    }
)

P = ParamSpec("P")
R = TypeVar("R")


def recorded(main: Callable[P, R]) -> Callable[P, R]:
    """Add a line to `<work_dir>/resources.jsonl` when the stage has succeeded; stages at a time do not mix lines."""

    @functools.wraps(main)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        result = main(*args, **kwargs)
        _append(work_dir() / "resources.jsonl", _measured())
        return result

    return wrapped


def read_resources(file: Path) -> pl.DataFrame:
    """The last record of each stage in each experiment, `RESOURCES_SCHEMA`; no rows where there is no file."""
    records = {}
    for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else []:
        record = json.loads(line)
        records[record["stage"], record["experiment"]] = record
    return pl.DataFrame(list(records.values()), schema=RESOURCES_SCHEMA)


def _measured() -> dict[str, str | float | None]:
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {
        "stage": os.environ.get("DVC_STAGE", Path(sys.argv[0]).stem),
        "experiment": os.environ.get("DVC_EXP_NAME"),
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.time() - psutil.Process().create_time(), 2),
        "peak_mib": round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1),  # bytes on macOS, else KiB
    }


def _append(file: Path, record: dict[str, str | float | None]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(record) + "\n"
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, line.encode())  # one write of a short line to the end: atomic
    finally:
        os.close(descriptor)
