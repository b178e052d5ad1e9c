"""Predictions: p(yes) of a task's rows, with the split of the rows and the training set of the model.

The stage `score` writes those of dev and test, for `calibrate` and `evaluate`; `score_train` those of a training set,
for `filter`. Each reader refuses predictions of another split, and `filter` those of another training set's model.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from babelshelf.core.errors import InputError
from babelshelf.core.rows import ROW_SCHEMA, check_schema, read_table

SOURCE = {"split": pl.String(), "variant": pl.String()}  # of the rows: train, dev or test; what the model is trained on
PREDICTION_SCHEMA = pl.Schema([*ROW_SCHEMA.items(), ("p_yes", pl.Float64()), *SOURCE.items()])  # of dev and test
TRAIN_SCORE_SCHEMA = pl.Schema([("id", pl.String()), ("p_yes", pl.Float64()), *SOURCE.items()])  # of a training set

Labels: TypeAlias = NDArray[np.bool_]
Floats: TypeAlias = NDArray[np.float64]


def read_predictions(path: Path, split: str) -> pl.DataFrame:
    """Read rows of one split with their `p_yes`, those without a label included.

    Raises:
        InputError: the file is missing, has other columns, a row of another split than `split`, a p_yes that is not
            from 0 to 1, or no labelled positive.
    """
    predictions = read_table(path)
    check_schema(predictions, PREDICTION_SCHEMA, str(path))
    other = predictions.filter(pl.col("split").ne_missing(split))
    if other.height:
        raise InputError(
            f"{path}: predictions for {split} are needed, and {other.height} rows are of {other['split'][0]!r}: "
            "thresholds are chosen on dev and measured on test"
        )
    wrong = predictions.with_row_index("row").filter(~pl.col("p_yes").is_between(0, 1).fill_null(value=False))
    if wrong.height:
        row = wrong.row(0, named=True)
        raise InputError(f"{path}, row {row['row']} (id {row['id']!r}): p_yes is {row['p_yes']}, not from 0 to 1")
    if not (predictions["label"] == 1).any():
        raise InputError(f"{path}: no row has the label 1, so there is nothing to measure: give labelled rows")
    return predictions


def source(split: str, variant: str | None) -> dict[str, pl.Expr]:
    """The columns `SOURCE` of predictions; no variant where a model's record names none."""
    return {"split": pl.lit(split), "variant": pl.lit(variant, pl.String)}


def read_train_scores(path: Path, variant: str) -> pl.DataFrame:
    """Read `id` and `p_yes` of a training set's rows, by the model that was trained on this very set.

    Args:
        path: a table of `TRAIN_SCORE_SCHEMA`.
        variant: of the training set.

    Raises:
        InputError: the file is missing, has other columns, a row of another split than train, or a score of a model
            that was trained on another variant.
    """
    scores = read_table(path)
    check_schema(scores, TRAIN_SCORE_SCHEMA, str(path))
    other = scores.filter(pl.col("split").ne_missing("train") | pl.col("variant").ne_missing(variant))
    if other.height:
        split, source = other.select("split", "variant").row(0)
        raise InputError(
            f"{path}: scores of train rows by the model of {variant!r} are needed, and {other.height} rows are of "
            f"{split!r} by the model of {source!r}: a training set is filtered by its own model; run score_train again"
        )
    return scores.select("id", "p_yes")


def labelled(predictions: pl.DataFrame) -> pl.DataFrame:
    """The rows with a label."""
    return predictions.filter(pl.col("label").is_not_null())


def arrays(rows: pl.DataFrame) -> tuple[Labels, Floats]:
    """Labels and p(yes) of labelled rows, shape (n_rows,) each."""
    return rows["label"].to_numpy() == 1, rows["p_yes"].to_numpy()


def all_yes_f1(labels: Labels) -> float:
    """F1 of the answer "yes" to everything: precision is the positive share, recall is 1."""
    share = float(labels.mean())
    return 2 * share / (1 + share)
