"""One number of optimizer steps for all rows of a task: that of its largest training set, whatever is run."""

from __future__ import annotations

from typing import Any

import pytest

from babelshelf.commands.ladder.equal_steps import FineTuningSet, with_equal_steps
from babelshelf.commands.ladder.rows import Experiment, LadderRow, experiments

SIZES = {"original": 1000, "translated": 1500, "negatives": 2100}
SFT = {"tasks.qc.method": "sft"}


@pytest.fixture
def params() -> dict[str, Any]:
    recipe = {"train_on": "original", "method": "classifier", "negatives_on": "translated", "filter_on": "negatives"}
    sft = {"batch_size": 100, "epochs": 2, "steps": "none"}
    own = {"translate": {"rows_per_language": 5}, "mine_negatives": {"rank_window": [1, 12]}}
    return {
        "seed": 1,
        "tasks": {"qc": {**recipe, **own, "filter_method": "classifier", "sft": sft}},
        "base_model": {"embedder": {"model": "a"}, "lm": {"model": "nano"}},
        **{"prepare": {}, "translate": {}, "mine_negatives": {}},
    }


def row(name: str, **values: object) -> LadderRow:
    return LadderRow(name=name, title=name, tasks=["qc"], set=values, seeds=[1])


def steps(made: list[Experiment]) -> dict[str, Any]:
    return {one.name: one.params.get("tasks.qc.sft.steps") for one in made}


class Counting:
    """Knows the sizes of training sets, and which ones it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, str]] = []

    def __call__(self, training_set: FineTuningSet) -> int:
        self.asked.append((training_set.seed, training_set.variants[-1]))
        return SIZES[training_set.variants[-1]] + 1000 * (training_set.seed - 1)


ROWS = [
    row("baseline"),
    row("zero-shot", **SFT, **{"tasks.qc.sft.steps": 0}),
    row("sft", **SFT),
    row("dpo", **{"tasks.qc.method": "dpo"}),
    row("translation", **SFT, **{"tasks.qc.train_on": "translated"}),
    row("filter", **SFT, **{"tasks.qc.train_on": "filtered"}),
]


def test_all_rows_have_the_steps_of_the_largest_training_set(params: dict[str, Any]) -> None:
    count = Counting()
    made = with_equal_steps(experiments(ROWS, 1), ROWS, params, count)
    of_largest = 2 * 21  # two epochs of 2,100 rows: the filter reads the negatives, and no other row trains on them
    assert steps(made) == {"baseline": None, "zero-shot": 0} | dict.fromkeys(
        ["sft", "dpo", "translation", "filter"], of_largest
    )
    assert count.asked == [(1, "negatives")]  # the others are parts of it


def test_rows_that_are_not_run_count_too(params: dict[str, Any]) -> None:
    made = with_equal_steps(experiments(ROWS[2:3], 1), ROWS, params, Counting())
    assert steps(made) == {"sft": 42}


def test_each_seed_has_its_own_sets(params: dict[str, Any]) -> None:
    made = with_equal_steps(experiments(ROWS[2:3], 1, [1, 2]), ROWS, params, Counting())
    assert steps(made) == {"sft": 42, "sft-seed2": 62}


def test_nothing_is_made_for_rows_that_fine_tune_nothing(params: dict[str, Any]) -> None:
    count = Counting()
    made = with_equal_steps(experiments(ROWS[:2], 1), ROWS, params, count)
    assert steps(made) == {"baseline": None, "zero-shot": 0}
    assert count.asked == []


def test_a_filter_that_fine_tunes_counts(params: dict[str, Any]) -> None:
    rows = [row("filter", **{"tasks.qc.train_on": "filtered", "tasks.qc.filter_method": "sft"})]
    assert steps(with_equal_steps(experiments(rows, 1), rows, params, Counting())) == {"filter": 42}


def test_sets_that_are_made_otherwise_are_made_too(params: dict[str, Any]) -> None:
    other = {"tasks.qc.translate.rows_per_language": 9, "tasks.qc.train_on": "translated"}
    rows = [*ROWS, row("more", **SFT, **other)]
    count = Counting()
    with_equal_steps(experiments(rows, 1), rows, params, count)
    assert count.asked == [(1, "negatives"), (1, "translated")]


def test_a_set_that_can_not_be_made_does_not_count(params: dict[str, Any]) -> None:
    def count(wanted: FineTuningSet) -> int | None:
        return None if wanted.variants[-1] == "negatives" else SIZES[wanted.variants[-1]]

    made = with_equal_steps(experiments(ROWS[2:], 1), ROWS, params, count)
    assert set(steps(made).values()) == {2 * 15}
    made = with_equal_steps(experiments(ROWS[2:], 1), ROWS, params, lambda _: None)
    assert set(steps(made).values()) == {"none"}
