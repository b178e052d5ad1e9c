"""Predict rows without labels: the common part of the stages `predict` and `predict_final`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click
import polars as pl

from babelshelf.core.files import read_json
from babelshelf.core.rows import write_table
from babelshelf.score.params import ScoreParams
from babelshelf.score.scorer import score_tables
from babelshelf.tables.calibration import Calibration
from babelshelf.tables.prediction_sets import SCORABLE, answers, read_unlabelled

INPUTS = ("unlabelled", "base", "model", "calibrated")
CommandT = TypeVar("CommandT", bound=Callable[..., None])


def prediction_options(main: CommandT) -> CommandT:
    """Add the argument `task` and the options of `predict` that are paths to a command."""
    for name in reversed(INPUTS):
        main = click.option(f"--{name}", type=click.Path(path_type=Path, exists=True), required=True)(main)
    return click.argument("task")(click.option("--out", type=click.Path(path_type=Path), required=True)(main))


def predict(
    unlabelled: Path, *, base: Path, model: Path, calibrated: Path, out: Path, settings: ScoreParams, key: str
) -> str:
    """Score the rows of the prediction sets and apply the calibration.

    Args:
        unlabelled: a table of `prediction_sets.UNLABELLED_SCHEMA`.
        base: see `load_scorer`.
        model: folder of the trained model.
        calibrated: the metrics of `calibrate`.
        out: folder of `predictions.parquet`, a table of `prediction_sets.ANSWER_SCHEMA`.
        settings: backend, batch size, precision.
        key: name of the stage, see `partial_work`.

    Returns:
        What came out, for the screen.
    """
    rows, calibration = read_unlabelled(unlabelled), Calibration.of(read_json(calibrated))

    def write(_: Path, scored: pl.DataFrame) -> None:
        answered = calibration.answer(scored).select("id", "p_yes", "is_relevant")
        write_table(out / "predictions.parquet", answers(rows, answered))

    return score_tables(
        {unlabelled: rows.filter(SCORABLE)}, write, base=base, model=model, settings=settings, key=(key,)
    )
