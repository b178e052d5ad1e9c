"""Metrics of predictions: F1 of the positive class, average precision, Matthews correlation and nDCG@10.

Answering "yes" to everything already gives a high F1 on mostly positive data. Therefore average precision, which needs
no threshold, and Matthews correlation, which is 0 for constant answers, are always reported with it. nDCG@10 measures
the order of a query's candidates (`ranking.ndcg_by_query`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from sklearn.metrics import (
    average_precision_score,
    matthews_corrcoef,
    precision_recall_curve,
    precision_recall_fscore_support,
)

from babelshelf.evaluate.bootstrap import intervals
from babelshelf.evaluate.metric_names import RESAMPLED
from babelshelf.evaluate.ranking import mean_ndcg
from babelshelf.evaluate.reliability import expected_calibration_error, reliability
from babelshelf.tables.calibration import Calibration
from babelshelf.tables.predictions import all_yes_f1, arrays, labelled

if TYPE_CHECKING:
    from babelshelf.evaluate.params import EvaluateParams

CURVE_POINTS = 200


def point_metrics(rows: pl.DataFrame) -> dict[str, float]:
    """F1, precision, recall, Matthews correlation, average precision and nDCG@10.

    `rows` are labelled, columns `group`, `label`, `p_yes` and `is_relevant`. What is not defined (precision without a
    predicted positive, anything without a positive) is 0; `ndcg_at_10` is left out where no query has both labels.
    """
    (labels, p_yes), yes = arrays(rows), rows["is_relevant"].to_numpy()
    precision, recall, f1, _ = precision_recall_fscore_support(labels, yes, average="binary", zero_division=0)
    ndcg = mean_ndcg(rows)
    return {
        "f1": float(f1),
        "precision": float(precision),
        "recall": float(recall),
        "average_precision": float(average_precision_score(labels, p_yes)) if labels.any() else 0.0,
        "mcc": float(matthews_corrcoef(labels, yes)),
    } | ({} if ndcg is None else {"ndcg_at_10": ndcg})


def languages_in_train(train: pl.DataFrame, rows: int) -> list[str]:
    """The languages with at least `rows` labelled rows in train, sorted.

    A language that is held out has none. Some queries have a wrong language code, so a language may have a few rows
    without being in train: a model learns nothing of it from them.
    """
    counts = train.filter(pl.col("label").is_not_null()).group_by("language").len()
    return sorted(counts.filter(pl.col("len") >= rows)["language"])


def evaluate(
    predictions: pl.DataFrame, in_train: list[str], calibration: Calibration, settings: EvaluateParams, seed: int
) -> dict[str, Any]:
    """All metrics of one task: over `all` languages, those `in_train`, those `absent` from it, and each language.

    Args:
        predictions: columns of `PREDICTION_SCHEMA`; rows without a label are left out and counted.
        in_train: the languages of train, from `languages_in_train`.
        calibration: chosen on dev.
        settings: `resamples` and `confidence` of the intervals, and the number of bins for the calibration error.
        seed: the pipeline's seed, for the resampling.
    """
    rows = calibration.answer(labelled(predictions))
    is_in_train = pl.col("language").is_in(in_train)
    parts = {"all": rows, "in_train": rows.filter(is_in_train), "absent": rows.filter(~is_in_train)}
    return {
        "threshold": calibration.threshold,
        "confidence": settings.confidence,
        "unlabelled": predictions.height - rows.height,
        **{name: _with_intervals(part, settings, seed) for name, part in parts.items() if part.height},
        "languages": _by_language(rows, in_train),
    }


def precision_recall(rows: pl.DataFrame) -> pl.DataFrame:
    """Precision-recall curve of labelled rows, in ascending order of recall, with at most `CURVE_POINTS` points."""
    precision, recall, _ = precision_recall_curve(*arrays(rows), drop_intermediate=True)
    points = np.unique(np.linspace(0, len(recall) - 1, CURVE_POINTS).round().astype(int))[::-1]
    return pl.DataFrame({"recall": recall[points], "precision": precision[points]})


def language_f1(metrics: dict[str, Any]) -> pl.DataFrame:
    """Table with columns `language` and `f1`, of the result of `evaluate`."""
    scores = {language: part["f1"] for language, part in metrics["languages"].items()}
    return pl.DataFrame({"language": list(scores), "f1": list(scores.values())})


def _with_intervals(rows: pl.DataFrame, settings: EvaluateParams, seed: int) -> dict[str, float]:
    labels, p_yes = arrays(rows)
    return {
        **point_metrics(rows),
        **intervals(rows, resamples=settings.resamples, confidence=settings.confidence, seed=seed),
        "calibration_error": expected_calibration_error(reliability(labels, p_yes, settings.reliability_bins)),
        **_recalibrated_error(rows, settings.reliability_bins),
        "all_yes_f1": all_yes_f1(labels),
        "rows": rows.height,
        "groups": rows["group"].n_unique(),
    }


def _recalibrated_error(rows: pl.DataFrame, bins: int) -> dict[str, float]:
    """The calibration error after recalibration; empty where the calibration leaves p(yes) as it is."""
    if "p_calibrated" not in rows.columns:
        return {}
    labels, _ = arrays(rows)
    curve = reliability(labels, rows["p_calibrated"].to_numpy(), bins)
    return {"recalibrated_error": expected_calibration_error(curve)}


def _by_language(rows: pl.DataFrame, in_train: list[str]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for language in sorted(rows["language"].unique()):
        part = rows.filter(pl.col("language") == language)
        metrics = point_metrics(part)
        result[language] = {name: metrics[name] for name in RESAMPLED if name in metrics}
        result[language] |= {"all_yes_f1": all_yes_f1(arrays(part)[0]), "rows": part.height}
        result[language] |= {"in_train": language in in_train}
    return result
