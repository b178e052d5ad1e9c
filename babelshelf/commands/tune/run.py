"""`babelshelf tune`: search a task's recipe with the classifier."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from babelshelf.calibrate.params import CalibrateParams
from babelshelf.classifier.params import ClassifierParams
from babelshelf.classifier.training import Examples, fit
from babelshelf.commands.tune import plan
from babelshelf.commands.tune.calibrations import CalibrationGain, judge_calibrations
from babelshelf.commands.tune.context import Context
from babelshelf.commands.tune.evaluation import Evaluator
from babelshelf.commands.tune.gains import Judge, StepGain
from babelshelf.commands.tune.recipe import ORIGINAL_ROWS, DataStep, Option, Recipe, StepUnavailableError
from babelshelf.commands.tune.search import Search, Searcher
from babelshelf.commands.tune.splits import Scope, nested
from babelshelf.commands.tune.task_data import SearchData, TaskFiles, language_sets, read_data
from babelshelf.commands.tune.texts import PairTexts
from babelshelf.core.files import work_dir
from babelshelf.core.params import PARAMS_FILE, section
from babelshelf.core.partial_work import fingerprint
from babelshelf.core.plugins import Plugins
from babelshelf.core.work_cache import WorkCache
from babelshelf.encoder.encoder import Encoder
from babelshelf.evaluate.params import EvaluateParams
from babelshelf.runtime.screen import progress

STEPS = Plugins("babelshelf.commands.tune.steps", "tune", "step")
MOST_PENALTY_ROWS = 10_000
JUDGE_SHARE = 0.1  # of the time, for what follows the search
PACKAGES = ("classifier", "commands/tune", "encoder", "evaluate", "filter", "mine_negatives", "text", "translate")


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
        grid: average precision of each option of each step on the lowest rung, and of the original rows as "".
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
    store: WorkCache[str] = WorkCache(work_dir() / "tune")
    root = Path(__file__).parents[2]
    code = [file for package in PACKAGES for file in sorted((root / package).rglob("*.py"))]
    inputs = fingerprint(
        *code, files.train, files.dev, files.catalogue, encoder.identity, _sections(params, task), seed
    )
    texts_allowed = plan.text_budget(files, encoder, minutes, store, fingerprint(inputs, minutes, "texts"))
    in_train_rows = section(EvaluateParams, dict(params), "evaluate", None, PARAMS_FILE).in_train_rows
    data = read_data(task, files, in_train_rows, texts_allowed.rows, seed)
    # What was measured on other rows, or with another glossary of the same name, is not what this search asks for.
    glossary = Path(params["translate"]["glossary"])
    identity = fingerprint(inputs, texts_allowed.rows, texts_allowed.translated, in_train_rows, glossary)
    sets = language_sets(data, seed)
    hidden = sorted(set(data.absent).union(*sets))
    context = Context(data, params, hidden, texts_allowed.translated, seed, work_dir())
    steps, left_out = load_steps(context)
    own = [data.rows["query"].to_list(), data.rows["candidate"].to_list()]
    texts = PairTexts.of(
        data.rows.filter(pl.Series(data.trainable)),
        (text for part in [*own, *(step.texts() for step in steps.values())] for text in part),
        encoder,
        work_dir() / "encoder",
    )
    scopes = nested(data, sets, seed)
    evaluator = Evaluator(data, texts, steps, head=_head(data, texts, context), store=store, identity=identity)
    deadline = started + 60 * minutes * (1 - JUDGE_SHARE)
    key = fingerprint(identity, minutes, "top")
    top = _top_rows(evaluator, scopes, deadline, seed, store=store, key=key)
    rungs = plan.budgets(data, top, seed)
    with progress(total=round(plan.fits(steps, top)), desc="search", unit="row") as bar:
        searcher = Searcher(evaluator, rungs, seed, bar.update, deadline)
        searches = searcher.run(scopes)
        judge = Judge(evaluator, searches, searcher.top, seed)
        gains = judge.gains()
    together = judge.scores(lambda search: search.chosen)
    calibrations = judge_calibrations(judge, data.rows, together, context.section(CalibrateParams, "calibrate"), seed)
    options: list[Option | None] = [None, *(option for step in steps.values() for option in step.options())]
    grid = [
        (option, searcher.average_precision(recipe, scopes[0].splits, rungs[0]))
        for option, recipe in ((option, (option,) if option else ORIGINAL_ROWS) for option in options)
        if evaluator.knows(recipe, rungs[0], scopes[0].splits)
    ]
    tried = {gain.name for gain in gains}
    left_out |= {name: "no time: give more --minutes" for name in steps if name not in tried}
    return Result(
        data=data,
        scopes=scopes,
        left_out=left_out,
        search=searches[0],
        gains=gains,
        calibrations=calibrations,
        grid=grid,
        rungs=[int(rung.rows.sum()) for rung in rungs[: rungs.index(searcher.top) + 1]],
        steps=steps,
        seconds=time.monotonic() - started,
        cut=searcher.cut,
    )


def load_steps(context: Context) -> tuple[dict[str, DataStep], dict[str, str]]:
    """The steps in the order of the chain, and why others are left out."""
    steps: dict[str, DataStep] = {}
    left_out: dict[str, str] = {}
    for module in sorted(map(STEPS.load, STEPS.names()), key=lambda module: module.ORDER):
        try:
            steps[module.NAME] = module.load(context)
        except StepUnavailableError as error:
            left_out[module.NAME] = str(error)
    return steps, left_out


def _head(data: SearchData, texts: PairTexts, context: Context) -> tuple[float, int]:
    """Penalty of the classifier, chosen by cross-validation on original rows, and the number of these rows."""
    settings = context.section(ClassifierParams, "classifier")
    most = min(int(data.trainable.sum()), settings.penalty_rows, MOST_PENALTY_ROWS)
    rows = data.rows.filter(pl.Series(plan.budgets(data, most, context.seed)[-1].rows))
    classifier = fit(Examples(texts.features(rows), rows["label"], rows["group"]), settings, context.seed)
    return classifier.penalty, rows.height


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


def _sections(params: Mapping[str, Any], task: str) -> str:
    """The params that results depend on."""
    names = ("classifier", "translate", "mine_negatives", "calibrate")
    own = params["tasks"][task]
    return repr([params.get(name) for name in names] + [own.get(name) for name in (*names, "filter")])
