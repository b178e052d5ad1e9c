"""How good predictions are: F1 of the positive class, and beside it the numbers that F1 flatters.

To answer "yes" to everything already gives a high F1 on data that is mostly positive, so average precision (which needs
no threshold) and Matthews correlation (0 for any constant answer) are always reported with it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.metrics import (
    average_precision_score,
    matthews_corrcoef,
    precision_recall_curve,
    precision_recall_fscore_support,
)

from babelshelf.bootstrap import intervals
from babelshelf.errors import InputError
from babelshelf.tables import ROW_SCHEMA, read_table

if TYPE_CHECKING:
    from babelshelf.params.evaluate import EvaluateParams

PREDICTION_SCHEMA = pl.Schema([*ROW_SCHEMA.items(), ("p_yes", pl.Float64())])

CURVE_POINTS = 200


def read_predictions(path: Path) -> pl.DataFrame:
    """Read rows with their `p_yes`, those without a label included.

    Raises:
        InputError: the file is missing, has other columns, a p_yes that is not from 0 to 1, or no labelled positive.
    """
    predictions = read_table(path)
    if dict(predictions.schema) != dict(PREDICTION_SCHEMA):
        raise InputError(f"{path}: expected the columns {dict(PREDICTION_SCHEMA)}, found {dict(predictions.schema)}")
    wrong = predictions.with_row_index("row").filter(~pl.col("p_yes").is_between(0, 1).fill_null(value=False))
    if wrong.height:
        row = wrong.row(0, named=True)
        raise InputError(f"{path}, row {row['row']} (id {row['id']!r}): p_yes is {row['p_yes']}, not from 0 to 1")
    if not (predictions["label"] == 1).any():
        raise InputError(f"{path}: no row has the label 1, so there is nothing to measure: give labelled rows")
    return predictions


def labelled(predictions: pl.DataFrame) -> pl.DataFrame:
    """The rows that can be measured."""
    return predictions.filter(pl.col("label").is_not_null())


def arrays(rows: pl.DataFrame) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Labels and p(yes) of labelled rows, shape (n_rows,) each."""
    return rows["label"].to_numpy() == 1, rows["p_yes"].to_numpy()


def all_yes_f1(labels: NDArray[np.bool_]) -> float:
    """F1 of the answer "yes" to everything: precision is the positive share, recall is 1."""
    share = float(labels.mean())
    return 2 * share / (1 + share)


def point_metrics(labels: NDArray[np.bool_], p_yes: NDArray[np.float64], threshold: float) -> dict[str, float]:
    """F1, precision, recall and Matthews correlation where p(yes) >= threshold is "yes", and average precision.

    What is not defined (precision without a "yes", anything without a positive) is 0.
    """
    yes = p_yes >= threshold
    precision, recall, f1, _ = precision_recall_fscore_support(labels, yes, average="binary", zero_division=0)
    return {
        "f1": float(f1),
        "precision": float(precision),
        "recall": float(recall),
        "average_precision": float(average_precision_score(labels, p_yes)) if labels.any() else 0.0,
        "mcc": float(matthews_corrcoef(labels, yes)),
    }


def languages_in_train(train: pl.DataFrame, share: float) -> list[str]:
    """The languages that at least `share` of the train rows have, sorted.

    Not every language that occurs: a few per cent of the rows carry a wrong language code, so a language that the train
    rows do not really have may occur all the same. The share must lie between what such a code gets by mistake and what
    the rarest real language has.
    """
    shares = train.group_by("language").agg(share=pl.len() / train.height)
    return sorted(shares.filter(pl.col("share") >= share)["language"])


def evaluate(
    predictions: pl.DataFrame, in_train: list[str], threshold: float, settings: EvaluateParams, seed: int
) -> dict[str, Any]:
    """All metrics of one task: over `all` languages, those `in_train`, those `absent` from it, and each language.

    Args:
        predictions: columns of `PREDICTION_SCHEMA`; rows without a label are left out and counted.
        in_train: the languages that the train rows have.
        threshold: a pair is relevant where p(yes) >= threshold.
        settings: `resamples` and `confidence` of the intervals.
        seed: of the resampling.
    """
    rows = labelled(predictions)
    known = pl.col("language").is_in(in_train)
    parts = {"all": rows, "in_train": rows.filter(known), "absent": rows.filter(~known)}
    return {
        "threshold": threshold,
        "confidence": settings.confidence,
        "unlabelled": predictions.height - rows.height,
        **{name: _with_intervals(part, threshold, settings, seed) for name, part in parts.items() if part.height},
        "languages": _by_language(rows, threshold, in_train),
    }


def precision_recall(rows: pl.DataFrame) -> pl.DataFrame:
    """The precision-recall curve of labelled rows by rising recall, thinned to `CURVE_POINTS`; both ends are kept."""
    precision, recall, _ = precision_recall_curve(*arrays(rows), drop_intermediate=True)
    kept = np.unique(np.linspace(0, len(recall) - 1, CURVE_POINTS).round().astype(int))[::-1]
    return pl.DataFrame({"recall": recall[kept], "precision": precision[kept]})


def language_f1(metrics: dict[str, Any]) -> pl.DataFrame:
    """Columns `language`, `f1`, from what `evaluate` returned."""
    scores = {language: part["f1"] for language, part in metrics["languages"].items()}
    return pl.DataFrame({"language": list(scores), "f1": list(scores.values())})


def _with_intervals(rows: pl.DataFrame, threshold: float, settings: EvaluateParams, seed: int) -> dict[str, float]:
    labels, p_yes = arrays(rows)
    return {
        **point_metrics(labels, p_yes, threshold),
        **intervals(rows, threshold, resamples=settings.resamples, confidence=settings.confidence, seed=seed),
        "all_yes_f1": all_yes_f1(labels),
        "rows": rows.height,
        "groups": rows["group"].n_unique(),
    }


def _by_language(rows: pl.DataFrame, threshold: float, in_train: list[str]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for language in sorted(rows["language"].unique()):
        part = rows.filter(pl.col("language") == language)
        metrics = point_metrics(*arrays(part), threshold)
        result[language] = {name: metrics[name] for name in ("f1", "average_precision", "mcc")}
        result[language] |= {"rows": part.height, "in_train": language in in_train}
    return result
