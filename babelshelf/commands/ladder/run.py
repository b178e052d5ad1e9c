"""The command `babelshelf ladder`: run the rows of the ladder that are not up to date, and show what each gained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from babelshelf.commands.check import check
from babelshelf.commands.ladder.rows import (
    Experiment,
    LadderRow,
    experiments,
    in_percent,
    read_ladder,
    row_results,
    select,
)
from babelshelf.commands.ladder.runner import LadderOutcome, run_experiments
from babelshelf.commands.measured_languages import measured_languages
from babelshelf.core.errors import InputError
from babelshelf.core.params import PARAMS_FILE, load_seed, read


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
    outcome = run_experiments(requested, baselines, jobs, console)
    console.print(table(select(rows, names), [*requested, *baselines], outcome))
    share = float(read(PARAMS_FILE)["evaluate"]["in_train_share"])
    for task, prepared in outcome.prepared.items():
        console.print(measured_languages(task, prepared, share), highlight=False)
    failed = [experiment.name for experiment in requested if experiment.name not in outcome.f1]
    if failed:
        raise InputError(f"{len(failed)} of {len(requested)} experiments failed: {', '.join(failed)}")


def table(rows: Sequence[LadderRow], done: Iterable[Experiment], outcome: LadderOutcome) -> Table:
    """The rows with their F1, gain and time; `done` are the experiments that `outcome` may have results of."""
    results: dict[str, dict[int, Mapping[str, float]]] = {}
    seconds: dict[str, float] = {}
    for experiment in done:
        row = experiment.row.name
        if experiment.name in outcome.f1:
            results.setdefault(row, {})[experiment.seed] = outcome.f1[experiment.name]
        seconds[row] = seconds.get(row, 0) + outcome.seconds.get(experiment.name, 0)
    caption = "F1 on test, in per cent; gain in points, without its uncertainty, which `babelshelf report` shows"
    result = Table(title="Ladder", caption=caption, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("Row", "Task", "F1", "Gain", "over", "Seconds"):
        result.add_column(name, justify="left" if name in {"Row", "Task", "over"} else "right")
    for measured in row_results(rows, results):
        f1 = in_percent(measured.f1) if measured.f1 else "failed"
        gain = in_percent(measured.gain, "+")
        over = measured.row.after.get(measured.task, "")
        result.add_row(measured.row.name, measured.task, f1, gain, over, f"{seconds[measured.row.name]:.0f}")
    return result


def _baselines(rows: Sequence[LadderRow], requested: Sequence[Experiment], default_seed: int) -> list[Experiment]:
    """The experiments of rows that were not requested and that a gain is taken over."""
    names = {experiment.row.name for experiment in requested}
    before = {name for experiment in requested for name in experiment.row.after.values()} - names
    seeds = list(dict.fromkeys(experiment.seed for experiment in requested))
    return experiments([row for row in rows if row.name in before], default_seed, seeds)
