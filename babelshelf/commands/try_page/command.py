"""Load what `babelshelf try` shows, and serve its page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from babelshelf.classifier.params import ClassifierParams
from babelshelf.commands.score.final_model import final_model
from babelshelf.commands.try_page.options import TryOptions
from babelshelf.commands.try_page.trial import QueryTrial
from babelshelf.commands.try_page.tried_model import ModelPaths, loaded
from babelshelf.core.errors import InputError
from babelshelf.core.files import work_dir
from babelshelf.core.params import load
from babelshelf.core.rows import read_rows, read_table
from babelshelf.encoder.embedder import load_embedder
from babelshelf.preflight import requirements
from babelshelf.score.params import ScoreParams
from babelshelf.score.scorer import kind_of, read_record
from babelshelf.web.server import require_nicegui, serve

MODELS = 2  # at most, side by side
BASE = Path("models/base")


def try_models(options: TryOptions) -> None:
    """Serve the page until Ctrl-C.

    Raises:
        InputError: NiceGUI, a model, the catalogue or the training set is missing.
    """
    require_nicegui("babelshelf try")
    from babelshelf.commands.try_page.page import TryPage  # noqa: PLC0415 - after the check

    with trial(options) as tried:
        tried.load()
        title = f"Babelshelf: try {options.task}"
        serve(lambda: TryPage(tried).show(), title=title, port=options.port, open_browser=options.open_browser)


@contextmanager
def trial(options: TryOptions) -> Iterator[QueryTrial]:
    """The models, the catalogue and the rows in the pipeline's folders.

    Raises:
        InputError: see `try_models`.
    """
    final = final_model(options.task)
    models = options.models or [final]
    if len(models) > MODELS:
        raise InputError(f"--model: give one or two, not {len(models)}")
    if len(options.calibrated) > len(models):
        raise InputError("--calibrated: give one for each --model at most, in their order")
    thresholds = [*options.calibrated, *[None] * (len(models) - len(options.calibrated))]
    paths = [ModelPaths.of(model, own, options.task, final) for model, own in zip(models, thresholds, strict=True)]
    if any(kind_of(model) == "lm" for model in models):
        requirements.require("score", options.task)
    variant = read_record(models[0]).get("variant") or "original"
    train = training_rows(Path("data", variant, options.task))
    candidates = read_table(Path("data/catalogue", f"{options.task}.parquet"))["candidate"].to_list()
    encoder = load_embedder(BASE / "embedder", load(ClassifierParams, "classifier"))
    settings = load(ScoreParams, "score")
    with TemporaryDirectory() as vectors, ExitStack() as stack:
        tried = [stack.enter_context(loaded(one, BASE, settings, Path(vectors))) for one in paths]
        yield QueryTrial(options.task, tried, candidates, train, encoder=encoder, cache=work_dir() / "encoder")


def training_rows(folder: Path) -> pl.DataFrame:
    """The training set in a folder, with `by`: who gave a row another label than it had (people or judges), or null."""
    rows, changed = read_rows(folder / "train.parquet"), folder / "relabelled.parquet"
    if not changed.is_file():
        return rows.with_columns(by=pl.lit(None, pl.String))
    return rows.join(read_table(changed).select("id", "by"), on="id", how="left", maintain_order="left")
