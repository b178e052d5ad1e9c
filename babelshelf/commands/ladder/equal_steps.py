"""One number of optimizer steps for all rows of a ladder that fine-tune an LM.

`epochs` gives a larger training set more steps, so a row with more data would gain by being trained for longer, too.
All rows of a task get the steps of its largest training set, as `tasks.<task>.sft.steps`. A row that sets that param
itself keeps it: `none` for the number that its epochs make, 0 for the base without training.

The sizes of the training sets are known once their stages have run, so those run first. A filtered set counts as what
the filter reads: it is never larger.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from babelshelf.commands.ladder.rows import Experiment, LadderRow, with_values
from babelshelf.core.variants import chain, methods
from babelshelf.trainer.params import gradient_steps

DATA_SECTIONS = ("prepare", "translate", "mine_negatives")
FINE_TUNED = {"sft", "dpo"}  # dpo goes on from sft


@dataclass(frozen=True)
class FineTuningSet:
    """A training set that a row fine-tunes on.

    Attributes:
        task: of the set.
        seed: of the pipeline.
        variants: from `original` to itself.
        values: what the row sets, by dotted path, and the seed.
        params: all params that it is made with.
    """

    task: str
    seed: int
    variants: tuple[str, ...]
    values: Mapping[str, Any]
    params: Mapping[str, Any]

    def is_within(self, other: FineTuningSet) -> bool:
        """Whether the other set is made of this one by further steps, all else alike."""
        n = len(self.variants)
        return n < len(other.variants) and other.variants[:n] == self.variants and self.inputs() == other.inputs()

    def inputs(self) -> str:
        """What decides on its rows, beside its variants."""
        own = {section: self.params["tasks"][self.task].get(section) for section in DATA_SECTIONS}
        shared = {section: self.params.get(section) for section in DATA_SECTIONS}
        embedder = self.params["base_model"]["embedder"]
        return json.dumps([self.task, self.seed, own, shared, embedder], sort_keys=True, default=str)


def with_equal_steps(
    experiments: Sequence[Experiment],
    rows: Iterable[LadderRow],
    params: Mapping[str, Any],
    count: Callable[[FineTuningSet], int | None],
) -> list[Experiment]:
    """The experiments, with one number of steps for each task and seed.

    Args:
        experiments: to be run.
        rows: all rows of the ladder: those that are not run count, too.
        params: all of params.yaml.
        count: makes a training set and returns its number of rows, None if it can't be made. Such a set does not count;
            a task without any other keeps its epochs, and its rows fail where they are run.
    """
    listed = list(rows)
    steps: dict[int, dict[str, int | str]] = {}
    for seed in dict.fromkeys(experiment.seed for experiment in experiments):
        used = {task for one in experiments if one.seed == seed for task in _open_tasks(one.row, params)}
        steps[seed] = {task: _steps(task, seed, listed, params, count) for task in sorted(used)}
    return [
        experiment._replace(
            params=experiment.params
            | {_path(task): steps[experiment.seed][task] for task in _open_tasks(experiment.row, params)}
        )
        for experiment in experiments
    ]


def _steps(
    task: str,
    seed: int,
    rows: Iterable[LadderRow],
    params: Mapping[str, Any],
    count: Callable[[FineTuningSet], int | None],
) -> int | Literal["none"]:
    """The most steps that a row's own epochs make of its training set."""
    sets: dict[tuple[str, tuple[str, ...]], FineTuningSet] = {}
    for row in rows:
        if task in _open_tasks(row, params):
            values = with_values(params, row.set)
            variants = tuple(variant for variant in chain(values["tasks"][task]) if variant != "filtered")
            fine_tuning = FineTuningSet(task, seed, variants, {"seed": seed, **row.set}, values)
            sets.setdefault((fine_tuning.inputs(), variants), fine_tuning)
    counted: list[tuple[FineTuningSet, int]] = []
    for one in sorted(sets.values(), key=lambda fine_tuning: len(fine_tuning.variants), reverse=True):
        if not any(one.is_within(other) for other, _ in counted) and (n := count(one)) is not None:
            counted.append((one, n))
    return max((_own_steps(one, n) for one, n in counted), default="none")


def _own_steps(training_set: FineTuningSet, rows: int) -> int:
    sft = training_set.params["tasks"][training_set.task]["sft"]
    return gradient_steps(rows, sft["batch_size"], sft["epochs"])


def _open_tasks(row: LadderRow, params: Mapping[str, Any]) -> Iterator[str]:
    """The tasks for which a row fine-tunes an LM and does not set the number of steps itself."""
    values = with_values(params, row.set)
    for task, recipe in values["tasks"].items():
        if methods(recipe) & FINE_TUNED and _path(task) not in row.set:
            yield task


def _path(task: str) -> str:
    return f"tasks.{task}.sft.steps"
