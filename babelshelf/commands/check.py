"""Validate the whole of params.yaml at once, before any stage runs: `babelshelf check`.

No stage imports this module: it knows every section's model, and a stage must depend on its own alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal

from babelshelf.base_model.params import BaseModelParams
from babelshelf.calibrate.params import CalibrateParams
from babelshelf.core.errors import InputError
from babelshelf.core.params import PARAMS_FILE, Section, load_seed, load_threads, read, section
from babelshelf.core.variants import BeforeFilter, BeforeNegatives, Variant
from babelshelf.data_report.params import DataReportParams
from babelshelf.dpo.params import DpoParams
from babelshelf.evaluate.params import EvaluateParams
from babelshelf.filter.params import FilterParams
from babelshelf.mine_negatives.params import MineNegativesParams
from babelshelf.prepare.params import PrepareParams
from babelshelf.score.params import ScoreParams
from babelshelf.sft.params import SftParams
from babelshelf.translate.params import TranslateParams

# The tasks that each source has data for; params.yaml may have fewer.
TASKS = {"demo": ("qc", "qi"), "taxonomy": ("qc",), "esci": ("qi",)}  # other sources have prepare.<source>.tasks

# Stages with one section for all tasks, and stages that may have a part of theirs under tasks.<task>.<stage>.
SHARED: dict[str, type[Section]] = {
    "prepare": PrepareParams,
    "data_report": DataReportParams,
    "base_model": BaseModelParams,
    "score": ScoreParams,
    "evaluate": EvaluateParams,
}
BY_TASK: dict[str, type[Section]] = {
    "translate": TranslateParams,
    "mine_negatives": MineNegativesParams,
    "sft": SftParams,
    "dpo": DpoParams,
    "filter": FilterParams,
    "calibrate": CalibrateParams,
}


class RecipeParams(Section):
    """The keys of a task that dvc.yaml alone reads: each names a variant or a method, and thereby the stages that run.

    `filtered` is made from one of the others, and `negatives` from one of those before it, so that there is no cycle.
    """

    train_on: Variant
    method: Literal["sft", "dpo"]
    negatives_on: BeforeNegatives
    filter_on: BeforeFilter


def check(file: Path = PARAMS_FILE) -> None:
    """Validate every section of `file`.

    Raises:
        InputError: all that is wrong, one line each, with the key's path.
    """
    check_values(read(file), file)


def check_values(values: dict[str, Any], file: Path) -> None:
    """Like `check`, of values that are already read; messages call them `file`."""
    problems: list[str] = []
    for run in _checks(values, file):
        try:
            run()
        except InputError as error:
            problems += error.message.splitlines()
    if problems:
        raise InputError("\n".join(dict.fromkeys(problems)))


def _checks(values: dict[str, Any], file: Path) -> Iterator[Callable[[], object]]:
    yield partial(_check_names, values, file)
    yield partial(_check_tasks, values, file)
    yield partial(_check_parts, values, file)
    yield partial(load_seed, file)
    yield partial(load_threads, file)
    for name, model in SHARED.items():
        yield partial(section, model, values, name, None, file)
    for task in _tasks(values):
        yield partial(_check_recipe, values["tasks"][task], task, file)
        for name, model in BY_TASK.items():
            yield partial(section, model, values, name, task, file)


def _tasks(values: dict[str, Any]) -> list[str]:
    tasks = values.get("tasks")
    return list(tasks) if isinstance(tasks, dict) else []


def _check_names(values: dict[str, Any], file: Path) -> None:
    problems = [
        f"{key}: unknown section" for key in values if key not in {"seed", "threads", "tasks", *SHARED, *BY_TASK}
    ]
    if not _tasks(values):
        problems.append(f"tasks: expected a mapping of tasks, found {values.get('tasks')!r}")
    if problems:
        raise InputError("\n".join(f"{file}: {line}" for line in problems))


def _check_tasks(values: dict[str, Any], file: Path) -> None:
    prepare = values.get("prepare")
    source = prepare.get("source") if isinstance(prepare, dict) else None
    known = TASKS.get(str(source)) or _tasks_of(prepare, source)
    unknown = [task for task in _tasks(values) if task not in known]
    if unknown:
        lines = [f"tasks.{task}: the source {source!r} has no such task, only {', '.join(known)}" for task in unknown]
        raise InputError("\n".join(f"{file}: {line}" for line in lines))


def _tasks_of(prepare: Any, source: Any) -> list[str]:  # noqa: ANN401 - whatever YAML holds
    own = prepare.get(source) if isinstance(prepare, dict) and isinstance(source, str) else None
    found = own.get("parts" if source == "mixed" else "tasks") if isinstance(own, dict) else None
    if not isinstance(found, list):
        return ["qc", "qi"]
    if source != "mixed":
        return found
    of_parts = [part.get("tasks") for part in found if isinstance(part, dict)]
    return [task for task in ("qc", "qi") if any(isinstance(tasks, list) and task in tasks for tasks in of_parts)]


def _check_parts(values: dict[str, Any], file: Path) -> None:
    """The overlays of the parts of `mixed`, once the sections that they change are sound."""
    prepare = section(PrepareParams, values, "prepare", None, file)
    if prepare.source == "mixed":
        prepare.parts(file)


def _check_recipe(of_task: Any, task: str, file: Path) -> None:  # noqa: ANN401 - whatever YAML holds
    path = f"tasks.{task}"
    recipe = of_task
    if isinstance(of_task, dict):
        recipe = {key: value for key, value in of_task.items() if key not in BY_TASK}
    section(RecipeParams, {path: recipe}, path, None, file)
