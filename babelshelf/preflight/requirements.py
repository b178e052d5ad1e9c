"""What a stage will need and this machine lacks, said before any work: a GPU, a package, memory, disk.

`babelshelf check` asks for all that params.yaml has heavy work for, and each such stage for itself when it starts. This
decides whether a stage begins, never what it writes: dvc.yaml does not list it, so no change here trains a model again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from babelshelf.base_model.params import BaseModelParams
from babelshelf.core.errors import InputError
from babelshelf.core.params import PARAMS_FILE, read, section
from babelshelf.core.plugins import PluginSection
from babelshelf.core.variants import FILTERED, chain, methods, trains_lm
from babelshelf.dpo.params import DpoParams
from babelshelf.filter.params import FilterParams
from babelshelf.llm.requirements import Requirement, Scoring
from babelshelf.preflight import backends, judges, prompts, training
from babelshelf.preflight.limits import base_shape, is_of_memory, lacks_embedder, lacks_model
from babelshelf.preflight.machine import Machine
from babelshelf.score.params import ScoreParams
from babelshelf.sft.params import SftParams
from babelshelf.trainer.params import tracker
from babelshelf.translate.params import TranslateParams

# The stages that score, and the param of a task's recipe that names the method of their model.
SCORING = {
    "score": "method",
    "score_train": "filter_method",
    "predict": "method",
    "predict_final": "method",
    "distill": "teacher",
}


def require(stage: str, task: str | None = None, accelerate: Path | None = None, files: Sequence[Path] = ()) -> None:
    """Refuse to begin a stage that lacks something here.

    Args:
        stage: whose params are looked at.
        task: `qc` or `qi`, where the stage has one; of `base_model` the model, `lm` or `embedder`.
        accelerate: the configuration that it is called with, whichever its params name.
        files: tables of its rows, of which memory is estimated.

    Raises:
        InputError: all that is missing, a line each, with the fix.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:  # one of several processes: the stage that started it has asked
        _refuse(lacking(read(PARAMS_FILE), stage, task, Machine(), accelerate, files=files))


def require_all() -> None:
    """Like `require`, for all stages with heavy work."""
    values, machine = read(PARAMS_FILE), Machine()
    trains_an_lm = any(map(trains_lm, values["tasks"].values()))
    problems = lacking(values, "base_model", None if trains_an_lm else "embedder", machine)
    problems += lacking(values, "score", None, machine)
    for task, recipe in values["tasks"].items():
        problems += lacking(values, "translate", task, machine)
        problems += lacking(values, "filter", task, machine) if FILTERED in chain(recipe) else []
        trained = methods(recipe)
        problems += lacking(values, "sft", task, machine) if trained & {"sft", "dpo"} else []
        problems += lacking(values, "dpo", task, machine) if "dpo" in trained else []
    _refuse([*missing_inputs(values), *problems])


def missing_inputs(values: dict[str, Any]) -> list[str]:
    """A line for each path of `prepare.input` that is not there; the demo needs none."""
    inputs = values["prepare"]["input"] if values["prepare"]["source"] != "demo" else {}
    missing = [(task, path) for task, path in inputs.items() if not Path(path).exists()]
    return [
        f"{PARAMS_FILE}: prepare.input.{task}: {path}: no such file or folder: "
        + ("run `dvc pull`" if Path(f"{path}.dvc").exists() else "correct the path, or run `babelshelf init` again")
        for task, path in missing
    ]


def lacking(
    values: dict[str, Any],
    stage: str,
    task: str | None,
    machine: Machine,
    accelerate: Path | None = None,
    *,
    files: Sequence[Path] = (),
) -> list[str]:
    """What `machine` lacks for a stage, a line each.

    The memory is not estimated of a model whose configuration is not here yet, before `base_model` has fetched it.

    Args:
        values: all of params.yaml.
        stage: `base_model`, `translate`, `filter`, `sft`, `dpo` or `score`.
        task: of the stage; of `base_model` instead the model, `lm` or `embedder`, or None for both.
        machine: what there is.
        accelerate: see `require`; None: the one that the params name.
        files: see `require`; none: those of the task's recipe, where they are there.
    """
    if stage == "translate":
        translation = section(TranslateParams, values, "translate", task)
        needs = _requirements(translation) if translation.languages else []
        return list(backends.lacking("translate", needs, None, machine))
    if stage == "filter":
        panel = section(FilterParams, values, "filter", task).judges
        return list(judges.lacking(panel, f"tasks.{task}.filter.judges", machine)) if panel else []
    base = section(BaseModelParams, values, "base_model", None)
    tasks = list(values["tasks"])
    if stage == "base_model":
        return _lacking_base_model(values, base, task, machine)
    shape, tuning = base_shape(base.lm), section(SftParams, values, "sft", task or tasks[0])
    template = prompts.PROMPTS / tuning.template / f"{task or tasks[0]}.txt"
    read_files = files or _recipe_files(values["tasks"], stage, task)
    longest = partial(prompts.longest, read_files, template, base.lm, tuning.max_length)
    if stage in SCORING:
        if not _scores_with_an_lm(values["tasks"], stage, task):
            return []
        scoring = section(ScoreParams, values, "score", None)
        adapted = tuning.adapter == "lora"
        needs = list(_requirements(scoring, tuning.max_length, adapted=adapted))
        lines = list(backends.lacking("score", needs, shape, machine))
        if lines and any(isinstance(need, Scoring) for need in needs):
            needs = list(_requirements(scoring, longest(), adapted=adapted))
            lines = list(backends.lacking("score", needs, shape, machine))
        return lines
    schedule = section(DpoParams, values, "dpo", task) if stage == "dpo" else tuning
    named = training.ACCELERATE / f"{schedule.accelerate}.yaml"
    launch = training.Launch(stage, task, accelerate or named, named, tracker(values))
    return list(training.lacking(launch, schedule, tuning, shape, machine, longest=longest))


def _lacking_base_model(
    values: dict[str, Any], base: BaseModelParams, model: str | None, machine: Machine
) -> list[str]:
    """What is lacking for `model`, `lm` or `embedder`, or for both where it is None."""
    tasks = list(values["tasks"])
    lines: list[str] = []
    if model in (None, "lm"):
        tuning = section(SftParams, values, "sft", tasks[0])
        lines += lacks_model("base_model", base.lm, machine)
        lines += prompts.tokenizer_problems(base.lm, tuning.template, tasks, tuning.max_length)
        if model == "lm" and not lines:  # the stage starts: `check` asks the stages after it themselves
            lines += _too_large_batches(values, machine)
    if model in (None, "embedder"):
        lines += lacks_embedder("base_model", base.embedder, machine)
    return lines


def _too_large_batches(values: dict[str, Any], machine: Machine) -> list[str]:
    """What would fail long after the base model, now that `prepare` has written the rows: batches that do not fit."""
    lines = lacking(values, "score", None, machine)
    for task, recipe in values["tasks"].items():
        trained = methods(recipe)
        lines += lacking(values, "sft", task, machine) if trained & {"sft", "dpo"} else []
        lines += lacking(values, "dpo", task, machine) if "dpo" in trained else []
    return list(filter(is_of_memory, lines))


def _scores_with_an_lm(tasks: dict[str, Any], stage: str, task: str | None) -> bool:
    """Whether a stage scores with a fine-tuned LM: other models need nothing that a machine may lack."""
    recipes = [tasks[task]] if task else list(tasks.values())
    if task is None:
        return any(map(trains_lm, recipes))
    return any(recipe[SCORING[stage]] in {"sft", "dpo"} for recipe in recipes)


def _recipe_files(tasks: dict[str, Any], stage: str, task: str | None) -> list[Path]:
    """The tables that the recipe trains on, or scores; the original rows for a variant that is not there yet."""
    if stage not in {"sft", "dpo"}:
        return [Path("data/original", name, f"{split}.parquet") for name in tasks for split in ("dev", "test")]
    names = [task] if task else list(tasks)
    files = [Path("data", tasks[name]["train_on"], name, "train.parquet") for name in names]
    return [file if file.is_file() else Path("data/original", file.parent.name, file.name) for file in files]


def _requirements(settings: PluginSection, *args: Any, **kwargs: Any) -> Iterable[Requirement]:  # noqa: ANN401
    """What the chosen plugin requires; nothing where it does not say."""
    state = getattr(settings.plugins.load(settings.choice), "requirements", None)
    return state(settings, *args, **kwargs) if state else []


def _refuse(problems: list[str]) -> None:
    if problems:
        raise InputError("\n".join(dict.fromkeys(problems)))
