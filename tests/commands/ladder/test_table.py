"""The table that `babelshelf ladder` prints: no gain without its interval, and no verdict on one seed."""

from __future__ import annotations

import re

import pytest
from rich.table import Table

from babelshelf.commands.ladder.comparison import Settings, steps
from babelshelf.commands.ladder.rows import experiments
from babelshelf.commands.ladder.run import table
from babelshelf.commands.ladder.runner import LadderOutcome
from tests.helpers import report_runs

SETTINGS = Settings(confidence=0.95, seed=1, bins=10, resamples=200)


def shown(seeds: tuple[int, ...]) -> Table:
    ladder = report_runs.ladder(2, n=390, seeds=seeds)
    done = experiments(ladder.rows, 1)
    outcome = LadderOutcome()
    for experiment in done:
        run = ladder.runs[experiment.row.name].get(experiment.seed)
        found = {task: run and run.json(f"metrics/evaluate/{task}.json") for task in ("qc", "qi")}
        if run is not None:
            outcome.f1[experiment.name] = {task: of_task["all"]["f1"] for task, of_task in found.items() if of_task}
        outcome.seconds[experiment.name] = 2
    gains = {task: steps(ladder.rows, ladder.runs, task, SETTINGS) for task in ("qc", "qi")}
    return table(ladder.rows, done, outcome, gains)


def cells(result: Table, heading: str) -> list[str]:
    return [str(cell) for column in result.columns if column.header == heading for cell in column.cells]


def test_each_gain_has_its_interval_and_verdict() -> None:
    result = shown((1, 2, 3))
    assert cells(result, "Row") == ["row0", "row0", "row1", "row1", "row2", "row2"]
    assert cells(result, "Gain")[:2] == ["–", "–"]
    assert all(re.fullmatch(r"[+-]\d+\.\d \[[+-]\d+\.\d, [+-]\d+\.\d\]", cell) for cell in cells(result, "Gain")[2:4])
    assert set(cells(result, "Verdict")[2:4]) <= {"gain", "loss", "no evidence"}
    assert cells(result, "F1")[4:] == ["failed", "failed"]
    assert cells(result, "Seconds")[0] == "6"


@pytest.mark.parametrize("task", [2, 3])
def test_one_seed_has_no_verdict(task: int) -> None:
    assert cells(shown((1,)), "Verdict")[task] == "one seed"
