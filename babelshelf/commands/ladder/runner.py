"""Run the experiments of the ladder that are not up to date, several at once if wanted, and show how far they are."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.status import Status

from babelshelf.commands.ladder.clones import clones
from babelshelf.commands.ladder.dvc_commands import ExperimentFailedError
from babelshelf.commands.ladder.experiments import Clone, untracked_inputs
from babelshelf.commands.ladder.recipe import Recipe
from babelshelf.commands.ladder.rows import Experiment, with_values
from babelshelf.commands.ladder.schedule import WorkSchedule, work_keys
from babelshelf.core.errors import InputError
from babelshelf.core.params import PARAMS_FILE, read

SUMMARY = "metrics/summarize.json"
PREPARED = "metrics/prepare.json"
LOGS = Path(".cache", "ladder")
DVC_FILE = Path("dvc.yaml")


@dataclass
class LadderOutcome:
    """What became of the experiments.

    Attributes:
        f1: on test by experiment and task, 0 to 1; without the experiments that failed.
        seconds: by experiment.
        prepared: statistics of the data by task (metrics/prepare.json), of the experiment that came last.
    """

    f1: dict[str, dict[str, float]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    prepared: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Progress:
    """What is printed while the experiments run.

    Attributes:
        console: to print on.
        status: the last line of output of each running experiment, below all else.
        numbers: by experiment its number of how many, as [1/12].
        jobs: how many experiments run at once; of several, each line names its experiment.
    """

    console: Console
    status: Status
    numbers: Mapping[str, str]
    jobs: int
    last_lines: dict[str, str] = field(default_factory=dict)

    def print(self, text: str) -> None:
        """A line of its own."""
        self.console.print(text, highlight=False, soft_wrap=True)

    def of_experiment(self, name: str, text: str) -> None:
        """A line about an experiment, with its number."""
        self.print(rf"\{self.numbers[name]} {name}: {text}")

    def detail(self, name: str, text: str) -> None:
        """A line below that of its experiment."""
        self.print(f"    {escape(text)}" if self.jobs == 1 else f"    {name}: {escape(text)}")

    def line(self, name: str, text: str) -> None:
        """The last line of output of a running experiment, none when it has ended."""
        self.last_lines.pop(name, None)
        if text:
            self.last_lines[name] = text
        self.status.update(escape(" | ".join(list(self.last_lines.values()))))


def run_experiments(
    requested: Sequence[Experiment], baselines: Sequence[Experiment], jobs: int, console: Console
) -> LadderOutcome:
    """Run those of the `requested` experiments that are not up to date, in the repository of the working directory.

    Args:
        requested: a failure of one does not stop the others.
        baselines: not to be run; the outcome has the results of those that are up to date.
        jobs: experiments at once, each in a clone of its own.
        console: to show the progress on.

    Raises:
        InputError: the working directory is not the root of a repository with a commit, or another process runs
            experiments there.
    """
    outcome = LadderOutcome()
    numbers = {experiment.name: f"[{i}/{len(requested)}]" for i, experiment in enumerate(requested, 1)}
    with clones(Path.cwd(), min(jobs, len(requested))) as folders, console.status("") as status:
        progress = Progress(console, status, numbers, jobs)
        recipes = _outdated(folders[0], requested, outcome, progress)
        for experiment in baselines:
            with suppress(ExperimentFailedError):
                if folders[0].is_up_to_date(experiment.name, experiment.params):
                    _read_results(folders[0], experiment.name, outcome)
        if recipes:
            outdated = {experiment.name: experiment for experiment in requested if experiment.name in recipes}
            _run_all(folders, outdated, recipes, outcome, progress)
    return outcome


def _outdated(
    clone: Clone, requested: Iterable[Experiment], outcome: LadderOutcome, progress: Progress
) -> dict[str, Recipe]:
    """Recipes of the experiments that are not up to date; results of the others go to `outcome`."""
    recipes = {}
    for experiment in requested:
        name, start = experiment.name, time.monotonic()
        progress.line(name, f"Checking {name}")
        try:
            if clone.is_up_to_date(name, experiment.params):
                _read_results(clone, name, outcome)
                message = f"up to date ({time.monotonic() - start:.0f} s)"
                progress.of_experiment(name, message)
            else:
                recipes[name] = clone.recipe(experiment.params)
        except ExperimentFailedError as error:
            progress.of_experiment(name, f"[bold]failed[/]: {escape(str(error))}")
        outcome.seconds[name] = time.monotonic() - start
        progress.line(name, "")
    return recipes


def _run_all(
    clones: Sequence[Clone],
    requested: Mapping[str, Experiment],
    recipes: Mapping[str, Recipe],
    outcome: LadderOutcome,
    progress: Progress,
) -> None:
    params, stages = read(PARAMS_FILE), read(DVC_FILE)["stages"]
    work = {
        name: work_keys(recipe, with_values(params, requested[name].params), stages) for name, recipe in recipes.items()
    }
    schedule: WorkSchedule[Clone] = WorkSchedule(work)

    def run_one(clone: Clone, name: str) -> None:
        start = time.monotonic()
        try:
            message = _run_one(clone, requested[name], recipes[name], schedule, progress)
            _read_results(clone, name, outcome)
        except ExperimentFailedError as error:
            message = f"[bold]failed[/]: {escape(str(error))}"
        seconds = time.monotonic() - start
        outcome.seconds[name] += seconds
        progress.of_experiment(name, f"{message} ({seconds:.0f} s)")
        progress.line(name, "")

    schedule.run(clones, run_one)


def _run_one(
    clone: Clone, experiment: Experiment, recipe: Recipe, schedule: WorkSchedule[Clone], progress: Progress
) -> str:
    """Run an experiment; how many of its stages ran."""
    name = experiment.name
    progress.of_experiment(name, escape(experiment.row.title))
    for path in untracked_inputs(clone.root, recipe, "--directory"):
        progress.detail(name, f"{path} is used, but git does not track it: the experiment's commit does not have it")
    ran: list[str] = []
    begun: list[str] = []

    def on_stage(stage: str, runs: bool) -> None:
        if begun:
            schedule.finished(name, begun[-1])
        begun.append(stage)
        if runs:
            ran.append(stage)
            progress.detail(name, stage)

    clone.run(
        name,
        experiment.row.title,
        experiment.params,
        recipe,
        log=LOGS / f"{name}.log",
        on_stage=on_stage,
        on_line=lambda line: progress.line(name, line),
    )
    return f"{len(ran)} stages ran, {len(recipe.stages) - len(ran)} came from the cache"


def _read_results(clone: Clone, name: str, outcome: LadderOutcome) -> None:
    """F1 on test by task and the statistics of the data, of the experiment in the user's repository."""
    summary = json.loads(clone.read(name, SUMMARY))
    outcome.f1[name] = {task: values["f1"] for task, values in summary["tasks"].items()}
    with suppress(InputError):  # a pipeline of the user's may have no such metrics
        prepared = json.loads(clone.read(name, PREPARED))
        outcome.prepared |= {task: prepared[task] for task in summary["tasks"]}
