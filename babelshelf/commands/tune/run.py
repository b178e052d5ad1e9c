"""`babelshelf tune`: search a task's recipe with the classifier."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from babelshelf.commands.tune import plan
from babelshelf.commands.tune.calibrations import CalibrationGain, judge_calibrations
from babelshelf.commands.tune.evaluation import Budget, Evaluator
from babelshelf.commands.tune.gains import Judge, StepGain
from babelshelf.commands.tune.recipe import ORIGINAL_ROWS, DataStep, Option, Recipe
from babelshelf.commands.tune.search import Search, Searcher
from babelshelf.commands.tune.search_setup import SearchSetup, set_up
from babelshelf.commands.tune.splits import Scope
from babelshelf.commands.tune.task_data import SearchData, TaskFiles
from babelshelf.core.files import work_dir
from babelshelf.core.partial_work import fingerprint
from babelshelf.core.work_cache import WorkCache
from babelshelf.encoder.encoder import Encoder
from babelshelf.runtime.screen import progress

JUDGE_SHARE = 0.1  # of the time, for what follows the search


@dataclass(frozen=True)
class Result:
    """What a search found.

    Attributes:
        data: the rows.
        scopes: the searches' splits, that of all rows first.
        left_out: steps that could not be tried, with the reason.
        search: the one on all rows.
        gains: of each step, and `TOGETHER`.
        calibrations: see `judge_calibrations`.
        grid: average precision of the original rows (None) and of each option of each step, on the lowest rung.
        rungs: the rows of each rung.
        steps: those that were tried.
        seconds: how long it took.
        cut: what there was no time for.
    """

    data: SearchData
    scopes: list[Scope]
    left_out: dict[str, str]
    search: Search
    gains: list[StepGain]
    calibrations: list[CalibrationGain]
    grid: list[tuple[Option | None, float]]
    rungs: list[int]
    steps: Mapping[str, DataStep]
    seconds: float
    cut: list[str]

    @property
    def recommended(self) -> Recipe:
        """The options of the steps whose gain by themselves is evident, as the search on all rows chose them."""
        evident = {gain.name for gain in self.gains if gain.is_evident}
        return tuple(option for name, option in self.search.best.items() if name in evident)


def search_recipe(
    task: str, files: TaskFiles, params: Mapping[str, Any], encoder: Encoder, *, minutes: float, seed: int
) -> Result:
    """Search the recipe of a task.

    Args:
        task: qc or qi.
        files: train, dev and the catalogue.
        params: all of params.yaml.
        encoder: of the classifier.
        minutes: the time that the search may take. What is begun is finished: embedding, a fit, and the judgement.
        seed: the pipeline's.

    Raises:
        InputError: there are too few rows.
    """
    started = time.monotonic()
    deadline = started + 60 * minutes * (1 - JUDGE_SHARE)
    store: WorkCache[str] = WorkCache(work_dir() / "tune")
    setup = set_up(task, files, params, encoder, minutes=minutes, seed=seed, store=store)
    data, scopes, steps, evaluator = setup.data, setup.scopes, setup.steps, setup.evaluator
    key = fingerprint(setup.identity, minutes, "top")
    top = _top_rows(evaluator, scopes, deadline, seed, store=store, key=key)
    rungs = plan.budgets(data, top, seed)
    with progress(total=round(plan.fits(steps, top)), desc="search", unit="row") as bar:
        searcher = Searcher(evaluator, rungs, seed, bar.update, deadline)
        searches = searcher.run(scopes)
        judge = Judge(evaluator, searches, searcher.top, seed)
        gains = judge.gains()
    together = judge.scores(lambda search: search.chosen)
    tried = {gain.name for gain in gains}
    return Result(
        data=data,
        scopes=scopes,
        left_out=setup.left_out | {name: "no time: give more --minutes" for name in steps if name not in tried},
        search=searches[0],
        gains=gains,
        calibrations=judge_calibrations(judge, data.rows, together, setup.calibrate, seed),
        grid=_grid(searcher, setup, rungs[0]),
        rungs=[int(rung.rows.sum()) for rung in rungs[: rungs.index(searcher.top) + 1]],
        steps=steps,
        seconds=time.monotonic() - started,
        cut=searcher.cut,
    )


def _grid(searcher: Searcher, setup: SearchSetup, rung: Budget) -> list[tuple[Option | None, float]]:
    """Average precision of the original rows (None) and of each option that was fitted, on a rung."""
    splits = setup.scopes[0].splits
    options: list[Option | None] = [None, *(option for step in setup.steps.values() for option in step.options())]
    recipes = [(option, (option,) if option else ORIGINAL_ROWS) for option in options]
    return [
        (option, searcher.average_precision(recipe, splits, rung))
        for option, recipe in recipes
        if setup.evaluator.knows(recipe, rung, splits)
    ]


def _top_rows(
    evaluator: Evaluator, scopes: Sequence[Scope], deadline: float, seed: int, *, store: WorkCache[str], key: str
) -> int:
    """Rows of the top rung, by the time of fits on the rows of the lowest one; a killed run's choice is kept.

    The search itself has use for these fits. The first option of each step makes what its options share, so its last
    one is timed. Where even that leaves no time, the lowest rung is the top one.
    """
    known = store.get_many([key])
    if known:
        return int(known[key])
    data, steps = evaluator.data, list(evaluator.steps.values())
    few_rows = min(plan.FEWEST_ROWS, int(data.trainable.sum()))
    few = plan.budgets(data, few_rows, seed)[-1]
    splits = list(dict.fromkeys(split for scope in scopes for split in scope.splits))
    seconds = []
    for recipe in [ORIGINAL_ROWS, *((step.options()[place],) for place in (0, -1) for step in steps)]:
        started = time.monotonic()
        if started > deadline and recipe:
            return few_rows
        evaluator.scores(recipe, few, splits)
        seconds.append(time.monotonic() - started)
    per_fit = sum(seconds[1 + len(steps) :]) / max(len(steps), 1)
    top = plan.top_rows(data, evaluator.steps, per_fit, int(few.rows.sum()), max(deadline - time.monotonic(), 0))
    store.put_many({key: str(top)})
    return top
