"""Decision thresholds of a task: tuned on dev for F1, or fixed by the params.

The paper's best thresholds are well below 0.5 (0.4 for QC, 0.2 for QI), as F1 of the positive class penalizes a false
negative more than a false positive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from sklearn.metrics import average_precision_score
from sklearn.model_selection import GroupKFold

from babelshelf.tables.predictions import Floats, Labels, Thresholds, all_yes_f1, arrays, labelled

if TYPE_CHECKING:
    from babelshelf.calibrate.params import CalibrateParams

DIGITS = 6  # `write_json` rounds to these; a threshold must not change when it is read back


def calibrate(predictions: pl.DataFrame, settings: CalibrateParams, seed: int) -> dict[str, Any]:
    """Choose the thresholds, and measure them on dev.

    Args:
        predictions: dev, columns `language`, `group`, `label` and `p_yes`; rows without a label are left out and
            counted.
        settings: a fixed threshold or `tuned`; thresholds per language and their shrinkage; number of folds.
        seed: the pipeline's seed, for the folds.

    Returns:
        The metrics of the stage: `threshold` (the shared one), with `per_language` also `thresholds`; F1 and average
        precision; if the threshold is tuned and dev has enough groups, `cross_validated`: F1 of both choices on rows
        that they were not tuned on.
    """
    rows = labelled(predictions)
    labels, p_yes = arrays(rows)
    if isinstance(settings.threshold, float):
        thresholds = Thresholds(settings.threshold)
    else:
        thresholds = tuned(rows, settings.shrinkage if settings.per_language else None)
    validated = cross_validated(rows, settings, seed)
    return {
        "threshold": thresholds.shared,
        **({"thresholds": thresholds.by_language} if thresholds.by_language else {}),
        "f1": _f1(labels, thresholds.answer(rows)["is_relevant"].to_numpy()),
        "f1_at_half": _f1(labels, p_yes >= 0.5),
        "all_yes_f1": all_yes_f1(labels),
        "average_precision": float(average_precision_score(labels, p_yes)),
        **({"cross_validated": {name: _f1(labels, yes) for name, yes in validated.items()}} if validated else {}),
        "rows": rows.height,
        "unlabelled": predictions.height - rows.height,
    }


def tuned(rows: pl.DataFrame, shrinkage: float | None) -> Thresholds:
    """The shared threshold with the best F1 and, with a shrinkage, one for each language.

    A language has few dev rows, so its best threshold is noisy. It is shrunk to the shared one, as a mean to its prior:
    (n best + k shared) / (n + k), where n is the language's number of rows and k the shrinkage. A language with only
    one of the labels has the shared threshold.

    Args:
        rows: labelled, columns `language`, `label`, `p_yes`.
        shrinkage: k, in rows; 0: no shrinkage; None: no thresholds per language.
    """
    shared = best_threshold(*arrays(rows))
    if shrinkage is None:
        return Thresholds(shared)
    by_language = {}
    for language in sorted(rows["language"].unique()):
        labels, p_yes = arrays(rows.filter(pl.col("language") == language))
        best = best_threshold(labels, p_yes) if labels.any() and not labels.all() else shared
        shrunk = (len(labels) * best + shrinkage * shared) / (len(labels) + shrinkage)
        by_language[language] = round(shrunk, DIGITS)
    return Thresholds(shared, by_language)


def cross_validated(rows: pl.DataFrame, settings: CalibrateParams, seed: int) -> dict[str, Labels]:
    """Answers to each row with thresholds tuned on the other folds: `shared_f1`, and `per_language_f1` with shrinkage.

    All rows of a query group are in one fold. Empty if the threshold is fixed, or dev has fewer groups than folds.
    """
    if isinstance(settings.threshold, float) or rows["group"].n_unique() < settings.folds:
        return {}
    answers = {name: np.zeros(rows.height, dtype=np.bool_) for name in ("shared_f1", "per_language_f1")}
    folds = GroupKFold(settings.folds, shuffle=True, random_state=seed)
    for rest, held_out in folds.split(rows, groups=rows["group"].to_numpy()):
        for name, shrinkage in zip(answers, (None, settings.shrinkage), strict=True):
            if rows[rest]["label"].sum():
                answers[name][held_out] = tuned(rows[rest], shrinkage).answer(rows[held_out])["is_relevant"].to_numpy()
    return answers


def _f1(labels: Labels, yes: Labels) -> float:
    return 2 * int((labels & yes).sum()) / int(labels.sum() + yes.sum())


def best_threshold(labels: Labels, p_yes: Floats) -> float:
    """The threshold with the best F1.

    The candidates are the midpoints between neighbouring distinct scores. Of several with the same F1 it is the one in
    the widest gap, which new scores are least likely to cross.

    Args:
        labels: shape (n_rows,).
        p_yes: shape (n_rows,), from 0 to 1.

    Returns:
        A threshold with `DIGITS` decimals; 0 ("yes" to everything) if all scores are 0.
    """
    edges = np.unique(np.append(p_yes, 0.0))
    if len(edges) == 1:
        return 0.0
    middles = np.round((edges[:-1] + edges[1:]) / 2, DIGITS)
    f1 = scores_at(labels, p_yes, middles)["f1"].to_numpy()
    widest = np.argmax(np.where(f1 == f1.max(), np.diff(edges), -1))
    return float(middles[widest])


def scores_at(labels: Labels, p_yes: Floats, thresholds: Floats) -> pl.DataFrame:
    """Columns `threshold`, `f1`, `precision`, `recall`; a row for each threshold. Precision without a "yes" is 0."""
    yes = len(p_yes) - np.searchsorted(np.sort(p_yes), thresholds, side="left")
    true_positives = labels.sum() - np.searchsorted(np.sort(p_yes[labels]), thresholds, side="left")
    return pl.DataFrame(
        {
            "threshold": thresholds,
            "f1": 2 * true_positives / (yes + labels.sum()),
            "precision": true_positives / np.maximum(yes, 1),
            "recall": true_positives / labels.sum(),
        }
    )


def curve(predictions: pl.DataFrame) -> pl.DataFrame:
    """F1 over threshold (the paper's Figure 2) in steps of 0.01; columns as in `scores_at`."""
    return scores_at(*arrays(labelled(predictions)), np.arange(101) / 100)
