"""Which experiments run at once: none that would compute a stage that another one is about to compute."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from babelshelf.commands.ladder.recipe import Recipe, Stage
from babelshelf.commands.ladder.schedule import WorkSchedule, work_keys

STAGES: dict[str, Any] = {
    "prepare": {"params": ["seed"]},
    "train": {"foreach": "${tasks}", "do": {"params": ["model", "tasks.${key}.train"]}},
    "score": {"matrix": {}, "params": [{"other.yaml": ["x"]}]},
}
PARAMS: dict[str, Any] = {"seed": 1, "model": {"layers": 2}, "tasks": {"qc": {"train": {"epochs": 1}, "score": 1}}}


def _recipe(variant: str = "original") -> Recipe:
    return Recipe(
        {
            "train@qc": Stage(frozenset({"code", f"data/{variant}/train"}), frozenset({"models/qc"})),
            "prepare": Stage(frozenset({"code"}), frozenset({"data/original", "data/negatives"})),
        }
    )


def _keys(recipe: Recipe, **changes: object) -> dict[str, str]:
    return work_keys(recipe, PARAMS | changes, STAGES)


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, {"prepare", "train@qc"}),
        ({"seed": 2}, set()),  # train reads what prepare makes
        ({"model": {"layers": 3}}, {"prepare"}),
        ({"tasks": {"qc": {"train": {"epochs": 2}, "score": 1}}}, {"prepare"}),
        ({"tasks": {"qc": {"train": {"epochs": 1}, "score": 2}}}, {"prepare", "train@qc"}),
        ({"unused": 1}, {"prepare", "train@qc"}),
    ],
)
def test_the_same_work_has_the_same_key(changes: dict[str, object], same: set[str]) -> None:
    before, after = _keys(_recipe()), _keys(_recipe(), **changes)
    assert {name for name in before if before[name] == after[name]} == same


def test_work_on_another_path_has_another_key() -> None:
    before, after = _keys(_recipe()), _keys(_recipe("negatives"))
    assert (before["prepare"] == after["prepare"], before["train@qc"] == after["train@qc"]) == (True, False)


def test_params_of_another_file_make_all_params_count() -> None:
    recipe = Recipe({"score@qc": Stage(frozenset(), frozenset())})
    assert _keys(recipe) != _keys(recipe, unused=1)


def test_an_experiment_waits_until_shared_stages_are_finished() -> None:
    shared = {"prepare": "p"}
    work = {"a": shared | {"train": "a"}, "b": shared | {"train": "b"}, "c": {"prepare": "other"}}
    schedule: WorkSchedule[int] = WorkSchedule(work)
    events: list[str] = []
    started = {name: threading.Event() for name in work}

    def task(_worker: int, name: str) -> None:
        started[name].set()
        events.append(f"{name} starts")
        if name == "a":
            assert started["c"].wait(60)
            assert not started["b"].is_set()
            events.append("a has finished prepare")
            schedule.finished("a", "prepare")
            assert started["b"].wait(60)

    schedule.run([1, 2], task)
    assert sorted(events[:2]) == ["a starts", "c starts"]
    assert events[2:] == ["a has finished prepare", "b starts"]


def test_each_worker_is_used_by_one_experiment_at_a_time() -> None:
    schedule: WorkSchedule[list[str]] = WorkSchedule({name: {"stage": name} for name in "abcdef"})
    workers: list[list[str]] = [[], []]
    names: list[str] = []

    def task(worker: list[str], name: str) -> None:
        worker.append(name)
        assert len(worker) == 1
        names.append(name)
        worker.clear()

    schedule.run(workers, task)
    assert sorted(names) == list("abcdef")


def test_after_an_error_no_other_experiment_starts() -> None:
    schedule: WorkSchedule[int] = WorkSchedule({"a": {}, "b": {}})
    names: list[str] = []

    def task(_worker: int, name: str) -> None:
        names.append(name)
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        schedule.run([1], task)
    assert names == ["a"]
