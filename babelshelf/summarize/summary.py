"""Summary of the results: the main metrics of each task, and the mean F1."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from babelshelf.core.errors import InputError
from babelshelf.core.files import read_json
from babelshelf.evaluate.metric_names import SUMMARY


def summarize(evaluated: Path, tasks: Iterable[str]) -> dict[str, Any]:
    """The main metrics of each task and the mean of their F1.

    Args:
        evaluated: folder with `<task>.json` of the stage `evaluate`.
        tasks: tasks to read; files of other tasks are ignored.

    Raises:
        InputError: a task was not evaluated.
    """
    summaries = {task: _summary(read_evaluated(evaluated, task)) for task in tasks}
    return {"f1_average": sum(part["f1"] for part in summaries.values()) / len(summaries), "tasks": summaries}


def all_yes_margin(part: dict[str, float]) -> float:
    """Lower bound of F1's interval minus F1 of answering "yes" to all pairs; above 0, F1 is significantly better.

    `part` is one part (`all`, `in_train` or `absent`) of what `evaluate` wrote.
    """
    return part["f1_low"] - part["all_yes_f1"]


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
