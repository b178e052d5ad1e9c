"""What a search works on: the rows of a task, the steps that can be tried, and an evaluator with all texts embedded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from babelshelf.calibrate.params import CalibrateParams
from babelshelf.classifier.params import ClassifierParams
from babelshelf.classifier.training import Examples, fit
from babelshelf.commands.tune import plan
from babelshelf.commands.tune.context import Context
from babelshelf.commands.tune.evaluation import Evaluator
from babelshelf.commands.tune.recipe import DataStep, StepUnavailableError
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

STEPS = Plugins("babelshelf.commands.tune.steps", "tune", "step")
MOST_PENALTY_ROWS = 10_000
PACKAGES = ("classifier", "commands/tune", "encoder", "evaluate", "filter", "mine_negatives", "text", "translate")


@dataclass(frozen=True)
class SearchSetup:
    """What a search works on.

    Attributes:
        data: the labelled rows.
        scopes: the splits of each search.
        steps: by name, in the order of the chain.
        left_out: steps that can't be tried, with the reason.
        evaluator: scores recipes.
        calibrate: the params of the stage.
        identity: what the results depend on.
    """

    data: SearchData
    scopes: list[Scope]
    steps: Mapping[str, DataStep]
    left_out: dict[str, str]
    evaluator: Evaluator
    calibrate: CalibrateParams
    identity: str


def set_up(
    task: str,
    files: TaskFiles,
    params: Mapping[str, Any],
    encoder: Encoder,
    *,
    minutes: float,
    seed: int,
    store: WorkCache[str],
) -> SearchSetup:
    """Read the rows, make the steps and embed all texts; arguments as of `search_recipe`."""
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
    of_rows = [data.rows["query"].to_list(), data.rows["candidate"].to_list()]
    texts = PairTexts.of(
        data.rows.filter(pl.Series(data.trainable)),
        (text for part in [*of_rows, *(step.texts() for step in steps.values())] for text in part),
        encoder,
        work_dir() / "encoder",
    )
    evaluator = Evaluator(data, texts, steps, head=_head(data, texts, context), store=store, identity=identity)
    calibrate = context.section(CalibrateParams, "calibrate")
    return SearchSetup(data, nested(data, sets, seed), steps, left_out, evaluator, calibrate, identity)


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


def _sections(params: Mapping[str, Any], task: str) -> str:
    """The params that results depend on."""
    names = ("classifier", "translate", "mine_negatives", "calibrate")
    own = params["tasks"][task]
    return repr([params.get(name) for name in names] + [own.get(name) for name in (*names, "filter")])
