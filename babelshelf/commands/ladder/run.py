"""The command `babelshelf ladder`: run the rows of the ladder that are not up to date, and show what each gained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import polars as pl
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from babelshelf.commands.check import check
from babelshelf.commands.ladder.clones import clones
from babelshelf.commands.ladder.comparison import Settings, Step, steps
from babelshelf.commands.ladder.dvc_commands import ExperimentFailedError
from babelshelf.commands.ladder.equal_steps import FineTuningSet, with_equal_steps
from babelshelf.commands.ladder.rows import Experiment, LadderRow, experiments, in_percent, read_ladder, select
from babelshelf.commands.ladder.runner import LadderOutcome, run_experiments
from babelshelf.commands.ladder.runs import ladder_runs
from babelshelf.commands.ladder.verdicts import gain, verdict
from babelshelf.commands.measured_languages import measured_languages
from babelshelf.core.errors import InputError
from babelshelf.core.params import PARAMS_FILE, load_seed, read
from babelshelf.core.variants import STAGES
from babelshelf.page.cells import NONE


def run(names: Sequence[str], seeds: Sequence[int], jobs: int, file: Path, console: Console) -> None:
    """Run rows of the ladder `file` that are not up to date, and print the table.

    Args:
        names: of the rows; none: all.
        seeds: none: the rows' own.
        jobs: experiments at once, each in a clone of its own.
        file: of the ladder.
        console: to print on.

    Raises:
        InputError: before any work, something is wrong with `file`, params.yaml or the repository; or in the end,
            an experiment failed.
    """
    check()
    rows = read_ladder(read(PARAMS_FILE), file)
    seed = load_seed()
    requested = experiments(select(rows, names), seed, seeds)
    baselines = _baselines(rows, requested, seed)
    requested, baselines = _of_equal_steps(requested, baselines, rows, console)
    outcome = run_experiments(requested, baselines, jobs, console)
    done = [*requested, *baselines]
    console.print(table(select(rows, names), done, outcome, _steps(rows, done, outcome)))
    in_train_rows = int(read(PARAMS_FILE)["evaluate"]["in_train_rows"])
    for task, prepared in outcome.prepared.items():
        console.print(measured_languages(task, prepared, in_train_rows), highlight=False)
    failed = [experiment.name for experiment in requested if experiment.name not in outcome.f1]
    if failed:
        raise InputError(f"{len(failed)} of {len(requested)} experiments failed: {', '.join(failed)}")


def table(
    rows: Sequence[LadderRow], done: Iterable[Experiment], outcome: LadderOutcome, steps: Mapping[str, Sequence[Step]]
) -> Table:
    """The rows with their F1, gain and time.

    Args:
        rows: to show.
        done: the experiments that `outcome` may have results of.
        outcome: F1 and time.
        steps: by task, of `comparison.steps`.
    """
    f1: dict[str, list[dict[str, float]]] = {}
    seconds: dict[str, float] = {}
    for experiment in done:
        name = experiment.row.name
        if experiment.name in outcome.f1:
            f1.setdefault(name, []).append(outcome.f1[experiment.name])
        seconds[name] = seconds.get(name, 0) + outcome.seconds.get(experiment.name, 0)
    gains = {(step.row.name, task): step.gain for task, of_task in steps.items() for step in of_task}
    caption = (
        "F1 on test, in per cent, with the standard deviation over seeds; gains in points, with intervals over test "
        "queries and seeds (with one seed over queries alone)"
    )
    result = Table(title="Ladder", caption=caption, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("Row", "Task", "F1", "Gain", "Verdict", "over", "Seconds"):
        result.add_column(heading, justify="left" if heading in {"Row", "Task", "Verdict", "over"} else "right")
    for row in rows:
        for task in row.tasks:
            level = in_percent([by_task[task] for by_task in f1[row.name]]) if row.name in f1 else "failed"
            found = gains.get((row.name, task))
            gained = (NONE, NONE) if found is None else (gain(found.by_metric["f1"]), verdict(found.by_metric["f1"]))
            result.add_row(row.name, task, level, *gained, row.after.get(task, ""), f"{seconds[row.name]:.0f}")
    return result


def _steps(rows: Sequence[LadderRow], done: Sequence[Experiment], outcome: LadderOutcome) -> dict[str, list[Step]]:
    """What the rows gain, by task, from the predictions of the experiments that `outcome` has results of."""
    params = read(PARAMS_FILE)
    settings = Settings(params["evaluate"]["confidence"], load_seed(), params["evaluate"]["reliability_bins"])
    measured = {(experiment.row.name, experiment.seed) for experiment in done if experiment.name in outcome.f1}
    runs = {
        name: {seed: run for seed, run in by_seed.items() if (name, seed) in measured}
        for name, by_seed in ladder_runs(rows, "HEAD").items()
    }
    return {task: steps(rows, runs, task, settings) for task in params["tasks"]}


def _of_equal_steps(
    requested: list[Experiment], baselines: list[Experiment], rows: Sequence[LadderRow], console: Console
) -> tuple[list[Experiment], list[Experiment]]:
    """Both, with one number of steps a task; the stages of its largest training set run where they have not yet."""
    params = read(PARAMS_FILE)

    def count(wanted: FineTuningSet) -> int | None:
        variant, task = wanted.variants[-1], wanted.task
        target = "prepare" if variant == "original" else f"{STAGES[variant]}@{task}"
        try:
            with (
                clones(Path.cwd(), 1) as (clone,),
                console.status(f"Making {variant} of {task}: its size sets the steps"),
            ):
                clone.make(target, wanted.values)
                train = pl.scan_parquet(clone.folder / "data" / variant / task / "train.parquet")
                n = int(train.select(pl.len()).collect().item())
        except ExperimentFailedError as error:
            console.print(f"{task}, seed {wanted.seed}: {variant} can't be made: {escape(str(error))}", highlight=False)
            return None
        console.print(f"{task}, seed {wanted.seed}: {variant} has {n:,} rows; all rows train for as many steps")
        return n

    both = with_equal_steps([*requested, *baselines], rows, params, count)
    return both[: len(requested)], both[len(requested) :]


def _baselines(rows: Sequence[LadderRow], requested: Sequence[Experiment], default_seed: int) -> list[Experiment]:
    """The experiments of rows that were not requested and that a gain is taken over."""
    names = {experiment.row.name for experiment in requested}
    before = {name for experiment in requested for name in experiment.row.after.values()} - names
    seeds = list(dict.fromkeys(experiment.seed for experiment in requested))
    return experiments([row for row in rows if row.name in before], default_seed, seeds)
