"""Summary of the results: the main metrics of each task, and the mean F1."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from babelshelf.core.errors import InputError
from babelshelf.core.files import read_json
from babelshelf.evaluate.metric_names import SUMMARY
from babelshelf.evaluate.warnings import all_yes_margin, warnings


def summarize(evaluated: Path, tasks: Iterable[str]) -> dict[str, Any]:
    """The main metrics of each task, the mean of their F1, and what to be warned of (`babelshelf.evaluate.warnings`).

    Args:
        evaluated: folder with `<task>.json` of the stage `evaluate`.
        tasks: tasks to read; files of other tasks are ignored.

    Raises:
        InputError: a task was not evaluated.
    """
    by_task = {task: read_evaluated(evaluated, task) for task in tasks}
    summaries = {task: _summary(values) for task, values in by_task.items()}
    return {
        "f1_average": sum(part["f1"] for part in summaries.values()) / len(summaries),
        "tasks": summaries,
        "warnings": {task: warnings(values) for task, values in by_task.items()},
    }


def _summary(values: dict[str, Any]) -> dict[str, float]:
    overall = values["all"]
    by_part = {f"f1_{part}": values[part]["f1"] for part in ("in_train", "absent") if part in values}
    margins = {"all_yes_margin": all_yes_margin(overall)}
    if "absent" in values:
        margins["all_yes_margin_absent"] = all_yes_margin(values["absent"])
    return (
        {name: overall[name] for name in SUMMARY if name in overall}
        | by_part
        | margins
        | {"threshold": values["threshold"]}
    )


def read_evaluated(folder: Path, task: str) -> dict[str, Any]:
    """Read the metrics of `evaluate` for a task; raise InputError if the stage has not run."""
    file = folder / f"{task}.json"
    if not file.is_file():
        raise InputError(f"{file}: no such file; run `dvc repro evaluate@{task}`")
    return read_json(file)
