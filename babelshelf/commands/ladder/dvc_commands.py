"""Commands of DVC, and what their output says: which stage runs, and why one failed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from babelshelf.core.errors import InputError

DVC = (sys.executable, "-m", "dvc")
RUNS = re.compile(r"^Running stage '([^']+)'")
SKIPPED = re.compile(r"^Stage '([^']+)' (didn't change|is cached)")
NO_DAEMON = {"DVC_DAEMON": "1"}  # DVC starts none, which asks for updates and would hold the lock after the end
OWN_LINES = ("> ", "Running ", "Stage '", "Reproducing experiment", "Updating lock file")


class ExperimentFailedError(Exception):
    """A stage of an experiment failed; the message has the last lines that it printed."""


def dvc(folder: Path, environment: Mapping[str, str], *arguments: str) -> str:
    """Run DVC in `folder` and return what it prints.

    Raises:
        InputError: DVC failed; the message has what it wrote to its standard error.
    """
    result = subprocess.run(
        [*DVC, *arguments],
        cwd=folder,
        env={**environment, **NO_DAEMON},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if result.returncode:
        raise InputError(f"dvc {arguments[0]} failed: {result.stderr.strip()}")
    return result.stdout.strip()


def status(folder: Path, environment: Mapping[str, str], target: str) -> dict[str, Any]:
    """What has changed since dvc.lock was written, by stage, of the target and all stages before it.

    Raises:
        ExperimentFailedError: DVC refuses dvc.yaml, as with a param that it needs and does not have.
    """
    try:
        changes: dict[str, Any] = json.loads(dvc(folder, environment, "status", "--json", "--with-deps", target))
    except InputError as error:
        raise ExperimentFailedError(error.message) from error
    return changes


def run_experiment(
    folder: Path,
    environment: Mapping[str, str],
    arguments: tuple[str, ...],
    *,
    log: Path,
    lock: int,
    on_stage: Callable[[str, bool], None],
    on_line: Callable[[str], None],
) -> None:
    """`dvc exp run` in `folder`; see `Clone.run`.

    The process holds `lock`, too, so that no other call begins while it still writes, even when this one was killed.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open("w", encoding="utf-8") as stream,
        subprocess.Popen(
            [*DVC, "exp", "run", *arguments],
            cwd=folder,
            env={**environment, **NO_DAEMON},
            pass_fds=[lock],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        ) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:  # also what ends in a carriage return, as a progress bar does
            stream.write(line)
            event = stage_event(line)
            if event is None:
                on_line(line.rstrip())
            else:
                on_stage(*event)
    if process.returncode:
        raise ExperimentFailedError(f"{failure(log.read_text(encoding='utf-8'))}\n({log} has all of the output)")
    log.unlink()


def stage_event(line: str) -> tuple[str, bool] | None:
    """Name of the stage that a line of output begins, and whether it runs; None of any other line."""
    if match := RUNS.match(line):
        return match[1], True
    if match := SKIPPED.match(line):
        return match[1], False
    return None


def failure(output: str) -> str:
    """Why a stage failed: its own `Error:` lines, or else the last lines that it printed."""
    lines = [line.rstrip() for line in output.splitlines() if line.strip()]
    stage = next((match[1] for line in reversed(lines) if (match := RUNS.match(line))), "dvc")
    errors = [line.removeprefix("Error: ") for line in lines if line.startswith("Error: ")]
    errors_of_dvc = [line for line in lines if line.startswith("ERROR: ")]
    others = [line for line in lines if not (line in errors_of_dvc or line.startswith(OWN_LINES))]
    return f"{stage}: " + "\n".join(errors or [*others[-3:], *errors_of_dvc])
