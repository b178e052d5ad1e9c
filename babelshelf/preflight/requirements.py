"""What a stage will need and this machine lacks, said before any work: a GPU, a package, memory, disk.

`babelshelf check` asks for all that params.yaml has heavy work for, and each such stage for itself when it starts. This
decides whether a stage begins, never what it writes: dvc.yaml does not list it, so no change here trains a model again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from babelshelf.base_model.params import BaseModelParams
from babelshelf.core.errors import InputError
from babelshelf.core.params import PARAMS_FILE, read, section
from babelshelf.core.plugins import PluginSection
from babelshelf.dpo.params import DpoParams
from babelshelf.llm.requirements import Requirement
from babelshelf.preflight import backends, training
from babelshelf.preflight.limits import base_shape, lacks_model
from babelshelf.preflight.machine import Machine
from babelshelf.score.params import ScoreParams
from babelshelf.sft.params import SftParams
from babelshelf.translate.params import TranslateParams


def require(stage: str, task: str | None = None, accelerate: Path | None = None) -> None:
    """Refuse to begin a stage that lacks something here.

    Args:
        stage: whose params are looked at.
        task: `qc` or `qi`, where the stage has one.
        accelerate: the configuration that it is called with, whichever its params name.

    Raises:
        InputError: all that is missing, a line each, with the fix.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:  # one of several processes: the stage that started it has asked
        _refuse(lacking(read(PARAMS_FILE), stage, task, Machine(), accelerate))


def require_all() -> None:
    """Like `require`, for all stages with heavy work."""
    values, machine = read(PARAMS_FILE), Machine()
    problems = [*lacking(values, "base_model", None, machine), *lacking(values, "score", None, machine)]
    for task, recipe in values["tasks"].items():
        problems += lacking(values, "translate", task, machine)
        problems += lacking(values, "sft", task, machine)
        problems += lacking(values, "dpo", task, machine) if recipe["method"] == "dpo" else []
    _refuse(problems)


def lacking(
    values: dict[str, Any], stage: str, task: str | None, machine: Machine, accelerate: Path | None = None
) -> list[str]:
    """What `machine` lacks for a stage, a line each.

    The memory is not estimated of a model whose configuration is not here yet, before `base_model` has fetched it.

    Args:
        values: all of params.yaml.
        stage: `base_model`, `translate`, `sft`, `dpo` or `score`.
        task: of the stage.
        machine: what there is.
        accelerate: see `require`; None: the one that the params name.
    """
    if stage == "translate":
        translation = section(TranslateParams, values, "translate", task)
        needs = _requirements(translation) if translation.languages else []
        return list(backends.lacking("translate", needs, None, machine))
    base = section(BaseModelParams, values, "base_model", None)
    shape = base_shape(base.lm)
    if stage == "base_model":
        return [line for source in (base.lm, base.embedder) for line in lacks_model("base_model", source, machine)]
    tuning = section(SftParams, values, "sft", task or next(iter(values["tasks"])))
    if stage in {"score", "score_train", "predict", "predict_final"}:
        scoring = section(ScoreParams, values, "score", None)
        adapted = tuning.adapter == "lora"
        needs = _requirements(scoring, tuning.max_length, adapted=adapted)
        return list(backends.lacking("score", needs, shape, machine))
    schedule = section(DpoParams, values, "dpo", task) if stage == "dpo" else tuning
    named = training.ACCELERATE / f"{schedule.accelerate}.yaml"
    return list(
        training.lacking(training.Launch(stage, task, accelerate or named, named), schedule, tuning, shape, machine)
    )


def _requirements(settings: PluginSection, *args: Any, **kwargs: Any) -> Iterable[Requirement]:  # noqa: ANN401
    """What the chosen plugin requires; nothing where it does not say."""
    state = getattr(settings.plugins.load(settings.choice), "requirements", None)
    return state(settings, *args, **kwargs) if state else []


def _refuse(problems: list[str]) -> None:
    if problems:
        raise InputError("\n".join(dict.fromkeys(problems)))
