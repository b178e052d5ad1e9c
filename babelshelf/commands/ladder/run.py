"""Run the ladder and show what it gained: the command `babelshelf ladder`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from babelshelf.commands.check import check
from babelshelf.commands.ladder.experiments import Copy, ExperimentFailedError, copied, untracked_inputs
from babelshelf.commands.ladder.rows import Experiment, Row, experiments, in_percent, lines, read_ladder, select
from babelshelf.core.errors import InputError
from babelshelf.core.params import PARAMS_FILE, load_seed, read

SUMMARY = "metrics/summarize.json"
LOGS = Path(".cache", "ladder")


@dataclass
class Outcome:
    """What became of the experiments: F1 by row, seed and task, seconds by row, names of what failed."""

    f1: dict[str, dict[int, dict[str, float]]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)


def run(names: Sequence[str], seeds: Sequence[int], file: Path, console: Console) -> None:
    """Run rows of the ladder `file` that are not up to date, and print the table.

    Args:
        names: of the rows; none: all.
        seeds: none: the rows' own.
        file: of the ladder.
        console: to print on.

    Raises:
        InputError: before any work, something is wrong with `file`, params.yaml or the repository; or in the end,
            an experiment failed.
    """
    check()
    rows = read_ladder(read(PARAMS_FILE), file)
    wanted = experiments(select(rows, names), load_seed(), seeds)
    outcome = Outcome()
    with copied(Path.cwd()) as copy:
        for number, experiment in enumerate(wanted, 1):
            _run_one(copy, experiment, f"[{number}/{len(wanted)}]", outcome, console)
        _add_known(copy, rows, wanted, outcome)
    console.print(table(select(rows, names), outcome))
    if outcome.failed:
        raise InputError(f"{len(outcome.failed)} of {len(wanted)} experiments failed: {', '.join(outcome.failed)}")


def table(rows: Sequence[Row], outcome: Outcome) -> Table:
    """The rows with their F1, gain and time."""
    caption = "F1 on test, in per cent; gain in points, without its uncertainty, which `babelshelf report` shows"
    result = Table(title="Ladder", caption=caption, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("Row", "Task", "F1", "Gain", "over", "Seconds"):
        result.add_column(name, justify="left" if name in {"Row", "Task", "over"} else "right")
    for line in lines(rows, outcome.f1):
        f1 = in_percent(line.f1) if line.f1 else "failed"
        gain = in_percent(line.gain, "+")
        seconds = f"{outcome.seconds[line.row.name]:.0f}"
        result.add_row(line.row.name, line.task, f1, gain, line.row.after.get(line.task, ""), seconds)
    return result


def _run_one(copy: Copy, experiment: Experiment, number: str, outcome: Outcome, console: Console) -> None:
    start = time.monotonic()
    try:
        said = _bring_up_to_date(copy, experiment, number, console)
        f1 = _f1(copy, experiment.name)
        outcome.f1.setdefault(experiment.row.name, {})[experiment.seed] = f1
    except ExperimentFailedError as error:
        outcome.failed.append(experiment.name)
        said = f"[bold]failed[/]: {escape(str(error))}"
    seconds = time.monotonic() - start
    outcome.seconds[experiment.row.name] = outcome.seconds.get(experiment.row.name, 0) + seconds
    console.print(rf"\{number} {experiment.name}: {said} ({seconds:.0f} s)", highlight=False, soft_wrap=True)


def _bring_up_to_date(copy: Copy, experiment: Experiment, number: str, console: Console) -> str:
    plan = copy.set_up(experiment.params)
    if copy.is_up_to_date(experiment.name, plan):
        return "up to date"
    console.print(rf"\{number} {experiment.name}: {escape(experiment.row.title)}", highlight=False, soft_wrap=True)
    for path in untracked_inputs(copy, plan):
        console.print(
            f"    {path} is used, but git does not keep it: it is no part of the experiment's commit", soft_wrap=True
        )
    ran: list[str] = []
    with console.status("") as status:

        def on_stage(name: str, runs: bool) -> None:
            if runs:
                ran.append(name)
                console.print(f"    {name}", highlight=False, soft_wrap=True)

        copy.run(experiment.name, LOGS / f"{experiment.name}.log", on_stage, lambda line: status.update(escape(line)))
    copy.save(experiment.name, experiment.row.title, plan)
    return f"{len(ran)} stages ran, {len(plan.stages) - len(ran)} were there"


def _add_known(copy: Copy, rows: Sequence[Row], wanted: Sequence[Experiment], outcome: Outcome) -> None:
    """The results, as far as they are up to date, of rows that were not asked for and that a gain is taken over."""
    asked = {experiment.row.name for experiment in wanted}
    before = {name for experiment in wanted for name in experiment.row.after.values()} - asked
    seeds = list(dict.fromkeys(experiment.seed for experiment in wanted))
    for experiment in experiments([row for row in rows if row.name in before], load_seed(), seeds):
        try:
            known = copy.is_up_to_date(experiment.name, copy.set_up(experiment.params))
        except ExperimentFailedError:
            known = False
        if known:
            outcome.f1.setdefault(experiment.row.name, {})[experiment.seed] = _f1(copy, experiment.name)


def _f1(copy: Copy, name: str) -> dict[str, float]:
    return {task: values["f1"] for task, values in copy.read(name, SUMMARY)["tasks"].items()}
