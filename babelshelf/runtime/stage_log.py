"""Time and peak memory of each stage, kept in `.cache` and not in metrics: they differ from run to run.

`runtime.stage` calls `log_resources` when a stage has succeeded; `babelshelf report` shows what `read_resources` finds.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import psutil

from babelshelf.core.files import work_dir

if sys.platform != "win32":
    import resource

RESOURCES_SCHEMA = pl.Schema(
    {
        "stage": pl.String,  # as DVC names it, with task and variant: `sft@negatives-qc`
        "experiment": pl.String,  # null in the workspace
        "ended": pl.String,  # UTC, ISO 8601
        "seconds": pl.Float64,  # from the start of the process, imports included; after a kill, of the last start alone
        "peak_mib": pl.Float64,  # largest resident set of the stage's process or of one process that it started
    }
)


def log_resources() -> None:
    """Add a line to `<work_dir>/resources.jsonl`; stages that run at the same time do not mix lines."""
    _append(work_dir() / "resources.jsonl", _measured())


def read_resources(file: Path) -> pl.DataFrame:
    """The last record of each stage in each experiment, `RESOURCES_SCHEMA`; no rows where there is no file."""
    records = {}
    for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else []:
        record = json.loads(line)
        records[record["stage"], record["experiment"]] = record
    return pl.DataFrame(list(records.values()), schema=RESOURCES_SCHEMA)


def _measured() -> dict[str, str | float | None]:
    return {
        "stage": os.environ.get("DVC_STAGE", Path(sys.argv[0]).stem),
        "experiment": os.environ.get("DVC_EXP_NAME"),
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.time() - psutil.Process().create_time(), 2),
        "peak_mib": round(_peak() / 2**20, 1),
    }


def _peak() -> float:
    """Largest resident set, in bytes, of this process or of one that it started and waited for (not on Windows)."""
    if sys.platform == "win32":
        return float(psutil.Process().memory_info().peak_wset)
    unit = 1 if sys.platform == "darwin" else 2**10
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit
    if sys.platform == "linux":
        # Not RUSAGE_SELF, which begins with the peak of the process that started this one (DVC). A child inherits in
        # this way, too, but no more than the peak here.
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        return max(int(re.findall(r"^VmHWM:\s*(\d+) kB", status, re.MULTILINE)[0]) * 2**10, children)
    return max(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit, children)


def _append(file: Path, record: dict[str, str | float | None]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(record) + "\n"
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, line.encode())  # one write of a short line to the end: atomic
    finally:
        os.close(descriptor)
