"""Validate the whole of params.yaml at once, before any stage runs: `babelshelf check`.

No stage imports this module: it knows every section's model, and a stage must depend on its own alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal

from babelshelf.base_model.params import BaseModelParams
from babelshelf.calibrate.params import CalibrateParams
from babelshelf.classifier.params import ClassifierParams
from babelshelf.commands.renamed import with_new_names
from babelshelf.core.errors import InputError
from babelshelf.core.files import read_json
from babelshelf.core.params import PARAMS_FILE, Section, load_seed, load_threads, read, section
from babelshelf.core.variants import BeforeFilter, BeforeNegatives, Variant
from babelshelf.data_report.params import DataReportParams
from babelshelf.distill.params import DistillParams
from babelshelf.dpo.params import DpoParams
from babelshelf.encoder.builtin_encoders import ENCODERS, is_builtin, languages
from babelshelf.evaluate.params import EvaluateParams
from babelshelf.filter.params import FilterParams
from babelshelf.mine_negatives.params import MineNegativesParams
from babelshelf.prepare.params import PrepareParams
from babelshelf.score.params import ScoreParams
from babelshelf.sft.params import SftParams
from babelshelf.trainer.params import tracker
from babelshelf.translate.params import TranslateParams

# Stages with one section for all tasks, and stages that may have a part of theirs under tasks.<task>.<stage>.
SHARED: dict[str, type[Section]] = {
    "prepare": PrepareParams,
    "data_report": DataReportParams,
    "base_model": BaseModelParams,
    "classifier": ClassifierParams,
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
    "distill": DistillParams,
}


class RecipeParams(Section):
    """A task's recipe, read by dvc.yaml only: which variants and method it uses, and so which stages run.

    Values follow the chain original, translated, negatives, filtered, so that no variant depends on itself.
    """

    train_on: Variant
    method: Literal["sft", "dpo", "classifier", "distill"]
    teacher: Literal["sft", "dpo", "classifier"]
    queries_on: BeforeFilter
    negatives_on: BeforeNegatives
    filter_on: BeforeFilter
    filter_method: Literal["sft", "classifier"]


def check(file: Path = PARAMS_FILE) -> None:
    """Validate every section of `file`.

    Raises:
        InputError: all that is wrong, one line each, with the key's path.
    """
    check_values(read(file), file)


def check_values(values: dict[str, Any], file: Path) -> None:
    """Like `check`, of values that are already read; messages call them `file`."""
    values, old_names = with_new_names(values)
    problems = [f"{file}: {old}: renamed, write {new}" for old, new in old_names]
    for run in _checks(values, file):
        try:
            run()
        except InputError as error:
            problems += _problems(error.message, file)
    if problems:
        raise InputError("\n".join(dict.fromkeys(problems)))


def prepared_statistics(values: dict[str, Any], metrics: Path, lock: Path) -> dict[str, Any]:
    """The statistics that `prepare` wrote, by task; none where it has not run yet with the params of today.

    Args:
        values: all of params.yaml.
        metrics: metrics/prepare.json.
        lock: dvc.lock, which says what params the last run of `prepare` had.
    """
    if not (metrics.is_file() and lock.is_file()):
        return {}
    ran = read(lock).get("stages", {}).get("prepare", {}).get("params", {}).get(PARAMS_FILE.name, {})
    return read_json(metrics) if ran.get("prepare") == values["prepare"] else {}


def notes(values: dict[str, Any], prepared: dict[str, Any]) -> list[str]:
    """What is valid and may still not be meant, a line each; `prepared` is that of `prepared_statistics`."""
    return [
        *unmeasured_translation(values, prepared),
        *languages_without_encoder(values, prepared),
        *unused_scoring_backend(values),
    ]


def unmeasured_translation(values: dict[str, Any], prepared: dict[str, Any]) -> list[str]:
    """A line on each task whose dev and test have none of the languages that training queries are translated into.

    Args:
        values: all of params.yaml.
        prepared: the statistics of `prepare`; without them nothing is known of dev and test, which the line says.
    """
    languages = values["translate"]["languages"]
    if not languages:
        return []
    if not prepared:
        return [
            f"check: translate.languages: whether {', '.join(languages)} are in dev or test is not known before "
            "`dvc repro prepare` has run with these params: run it, then `babelshelf check` again"
        ]
    lines = []
    for task in _tasks(values):
        splits = [prepared.get(task, {}).get(split, {}).get("languages", {}) for split in ("dev", "test")]
        if not any(set(languages) & set(split) for split in splits):
            lines.append(
                f"check: translate.languages: none of {', '.join(languages)} is in dev or test of {task}, so its "
                "results can't show what translation gains: set holdout_languages of the source"
            )
    return lines


def unused_scoring_backend(values: dict[str, Any]) -> list[str]:
    """A line where `score.backend` is not the usual one, and tasks score with a model that it does not serve."""
    backend = values["score"]["backend"]
    methods = {task: values["tasks"][task]["method"] for task in _tasks(values)}
    others = [f"{task} (method: {method})" for task, method in methods.items() if method in {"classifier", "distill"}]
    if backend == "transformers" or not others:
        return []
    return [
        f"check: score.backend: {backend} serves fine-tuned LMs only: {' and '.join(others)} will be scored without it"
    ]


def languages_without_encoder(values: dict[str, Any], prepared: dict[str, Any]) -> list[str]:
    """A line on the languages of the data, or of translations, that the built-in encoder was not trained for.

    Args:
        values: all of params.yaml.
        prepared: the statistics of `prepare`; without them only the languages of translations are known.
    """
    model = values["base_model"]["embedder"]["model"]
    if not is_builtin(model):
        return []
    splits = [prepared.get(task, {}).get(split, {}) for task in _tasks(values) for split in ("train", "dev", "test")]
    used = set(values["translate"]["languages"]).union(*(split.get("languages", {}) for split in splits))
    unknown = sorted(used - languages(model))
    if not unknown:
        return []
    others = [name for name in ENCODERS.names() if languages(name) & set(unknown)]
    better = f"; {', '.join(others)} knows more of them" if others else ""
    return [
        f"check: base_model.embedder.model: {model} was not trained for {', '.join(unknown)}: negatives and "
        f"classifiers of these languages are worse{better}"
    ]


def _problems(message: str, file: Path) -> list[str]:
    """The problems of a message, each with the lines that follow it."""
    return re.split(rf"\n(?={re.escape(str(file))}: )", message)


def _checks(values: dict[str, Any], file: Path) -> Iterator[Callable[[], object]]:
    yield partial(_check_names, values, file)
    yield partial(_check_source, values, file)
    yield partial(load_seed, file)
    yield partial(load_threads, file)
    yield partial(tracker, values, file)
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
    known = {"seed", "threads", "report_to", "tasks", *SHARED, *BY_TASK}
    problems = [f"{key}: unknown section" for key in values if key not in known]
    if not _tasks(values):
        problems.append(f"tasks: expected a mapping of tasks, found {values.get('tasks')!r}")
    if problems:
        raise InputError("\n".join(f"{file}: {line}" for line in problems))


def _check_source(values: dict[str, Any], file: Path) -> None:
    """What the source makes of its section, and the tasks that it has; once the section is valid by itself."""
    prepare = section(PrepareParams, values, "prepare", None, file)
    has = prepare.tasks()
    lines = [
        f"tasks.{task}: the source {prepare.source!r} has no such task, only {', '.join(has)}"
        for task in _tasks(values)
        if task not in has
    ]
    try:
        prepare.chosen(file)
    except InputError as error:
        raise InputError("\n".join([*(f"{file}: {line}" for line in lines), error.message])) from error
    if lines:
        raise InputError("\n".join(f"{file}: {line}" for line in lines))


def _check_recipe(of_task: Any, task: str, file: Path) -> None:  # noqa: ANN401 - whatever YAML holds
    path = f"tasks.{task}"
    recipe = of_task
    if isinstance(of_task, dict):
        recipe = {key: value for key, value in of_task.items() if key not in BY_TASK}
    section(RecipeParams, {path: recipe}, path, None, file)
