"""What a stage needs and this machine lacks, checked before any work: a GPU, a package, memory, disk.

`babelshelf check` checks all stages that params.yaml needs, and each stage checks itself when it starts. That decides
whether a stage starts, never what it writes, so dvc.yaml does not list this package.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from babelshelf.base_model.params import BaseLmParams, BaseModelParams
from babelshelf.core.errors import InputError
from babelshelf.core.params import PARAMS_FILE, read, section
from babelshelf.core.plugins import PluginSection
from babelshelf.core.rows import HELD_OUT
from babelshelf.core.variants import FILTERED, chain, methods, trains_lm
from babelshelf.dpo.params import DpoParams
from babelshelf.filter.params import FilterParams
from babelshelf.llm.requirements import Requirement, Scoring
from babelshelf.preflight import backends, judges, prompts, training
from babelshelf.preflight.limits import base_shape, is_of_memory, lacks_embedder, lacks_model
from babelshelf.preflight.machine import Machine
from babelshelf.preflight.memory import Shape
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


def require(stage: str, item: str | None = None, accelerate: Path | None = None, files: Sequence[Path] = ()) -> None:
    """Refuse to begin a stage that lacks something here.

    Args:
        stage: whose params are looked at.
        item: see `lacking`.
        accelerate: the configuration that it is called with, whichever its params name.
        files: tables of its rows, of which memory is estimated.

    Raises:
        InputError: all that is missing, a line each, with the fix.
    """
    _refuse(lacking(read(PARAMS_FILE), stage, item, Machine(), accelerate, files=files))


def require_all() -> None:
    """Like `require`, for all stages with heavy work."""
    values, machine = read(PARAMS_FILE), Machine()
    trains_an_lm = any(map(trains_lm, values["tasks"].values()))
    problems = lacking(values, "base_model", None if trains_an_lm else "embedder", machine)
    problems += lacking(values, "score", None, machine)
    for task, recipe in values["tasks"].items():
        problems += lacking(values, "translate", task, machine)
        problems += lacking(values, "filter", task, machine) if FILTERED in chain(recipe) else []
        problems += _lacking_trainings(values, task, machine)
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
    item: str | None,
    machine: Machine,
    accelerate: Path | None = None,
    *,
    files: Sequence[Path] = (),
) -> list[str]:
    """What `machine` lacks for a stage, a line each.

    The memory is not estimated of a model whose configuration is not here yet, before `base_model` has fetched it.

    Args:
        values: all of params.yaml.
        stage: `base_model`, `translate`, `filter`, `sft`, `dpo`, or one of `SCORING`.
        item: what DVC writes behind the stage's name: the task, or of `base_model` the model, `lm` or `embedder`. None:
            all of them, of `base_model` and of the stages that score.
        machine: what it has.
        accelerate: see `require`; None: the one that the params name.
        files: see `require`; none: those of the task's recipe, where they are there.
    """
    if stage == "translate":
        return list(_translation(values, item, machine))
    if stage == "filter":
        return list(_judges(values, item, machine))
    if stage == "base_model":
        return _base_model(values, item, machine)
    lm = _LmOfStage.of(values, item, files or _recipe_files(values["tasks"], stage, item))
    if stage in SCORING:
        return _scoring(values, stage, item, lm, machine)
    return list(_training(values, stage, item, lm, machine, accelerate=accelerate))


@dataclass(frozen=True)
class _LmOfStage:
    """The base LM, and what a stage that trains it or scores with it reads.

    Attributes:
        source: the base LM.
        tuning: the adapter and the length of prompts.
        template: file of the prompts.
        files: tables of the rows.
    """

    source: BaseLmParams
    tuning: SftParams
    template: Path
    files: Sequence[Path]

    @classmethod
    def of(cls, values: dict[str, Any], task: str | None, files: Sequence[Path]) -> _LmOfStage:
        """Of a task; None: of the first one, as the prompts of all are of about the same length."""
        task = task or next(iter(values["tasks"]))
        tuning = section(SftParams, values, "sft", task)
        template = prompts.PROMPTS / tuning.template / f"{task}.txt"
        return cls(section(BaseModelParams, values, "base_model", None).lm, tuning, template, files)

    @cached_property
    def shape(self) -> Shape | None:
        """See `base_shape`."""
        return base_shape(self.source)

    def longest_prompt(self) -> int:
        """Tokens of the longest prompt of the rows, see `prompts.longest`."""
        return prompts.longest(self.files, self.template, self.source, self.tuning.max_length)


def _translation(values: dict[str, Any], task: str | None, machine: Machine) -> Iterator[str]:
    settings = section(TranslateParams, values, "translate", task)
    if settings.languages:
        yield from backends.lacking("translate", _requirements(settings), None, machine)


def _judges(values: dict[str, Any], task: str | None, machine: Machine) -> Iterator[str]:
    panel = section(FilterParams, values, "filter", task).judges
    if panel:
        yield from judges.lacking(panel, f"tasks.{task}.filter.judges", machine)


def _scoring(values: dict[str, Any], stage: str, task: str | None, lm: _LmOfStage, machine: Machine) -> list[str]:
    """The rows are tokenized only where prompts of full length would not fit."""
    if not _scores_with_an_lm(values["tasks"], stage, task):
        return []
    settings, adapted = section(ScoreParams, values, "score", None), lm.tuning.adapter == "lora"
    needs = list(_requirements(settings, lm.tuning.max_length, adapted=adapted))
    lines = list(backends.lacking("score", needs, lm.shape, machine))
    if lines and any(isinstance(need, Scoring) for need in needs):
        needs = list(_requirements(settings, lm.longest_prompt(), adapted=adapted))
        lines = list(backends.lacking("score", needs, lm.shape, machine))
    return lines


def _training(
    values: dict[str, Any], stage: str, task: str | None, lm: _LmOfStage, machine: Machine, *, accelerate: Path | None
) -> Iterator[str]:
    schedule = section(DpoParams, values, "dpo", task) if stage == "dpo" else lm.tuning
    named = training.ACCELERATE / f"{schedule.accelerate}.yaml"
    launch = training.Launch(stage, task, accelerate or named, named, tracker(values))
    yield from training.lacking(launch, schedule, lm.tuning, lm.shape, machine, longest=lm.longest_prompt)


def _lacking_trainings(values: dict[str, Any], task: str, machine: Machine) -> list[str]:
    """What is lacking for the trainings of an LM that a task's recipe needs; `dpo` goes on from `sft`."""
    trained = methods(values["tasks"][task])
    stages = [stage for stage in ("sft", "dpo") if "dpo" in trained or stage in trained]
    return [line for stage in stages for line in lacking(values, stage, task, machine)]


def _base_model(values: dict[str, Any], model: str | None, machine: Machine) -> list[str]:
    """What is lacking for `model`, `lm` or `embedder`, or for both where it is None."""
    base, tasks = section(BaseModelParams, values, "base_model", None), list(values["tasks"])
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
    for task in values["tasks"]:
        lines += _lacking_trainings(values, task, machine)
    return list(filter(is_of_memory, lines))


def _scores_with_an_lm(tasks: dict[str, Any], stage: str, task: str | None) -> bool:
    """Whether a stage scores with a fine-tuned LM: other models need nothing that a machine may lack."""
    if task is None:
        return any(map(trains_lm, tasks.values()))
    return tasks[task][SCORING[stage]] in {"sft", "dpo"}


def _recipe_files(tasks: dict[str, Any], stage: str, task: str | None) -> list[Path]:
    """The tables that the recipe trains on, or scores; the original rows for a variant that is not there yet."""
    if stage not in {"sft", "dpo"}:
        return [Path("data/original", name, f"{split}.parquet") for name in tasks for split in HELD_OUT]
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
