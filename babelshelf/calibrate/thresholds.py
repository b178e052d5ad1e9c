"""The threshold of a task: where p(yes) becomes "yes", chosen on dev by F1 or fixed by the params.

The paper's best thresholds lie well below 0.5 (0.4 for QC, 0.2 for QI): F1 of the positive class forgives a false "yes"
sooner than a missed one.
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

DIGITS = 6  # of a written metric: a threshold with more would be another one after it is read back


def calibrate(predictions: pl.DataFrame, settings: CalibrateParams, seed: int) -> dict[str, Any]:
    """The threshold, or thresholds, and what they give on dev.

    Args:
        predictions: dev, columns `language`, `group`, `label` and `p_yes`; rows without a label are left out and
            counted.
        settings: a fixed threshold or `tuned`; whether each language gets its own, and how much it is shrunk.
        seed: the pipeline's; it makes the folds.

    Returns:
        `threshold` (the shared one), with `per_language` also `thresholds`; metrics with them; where the threshold is
        tuned and dev has enough groups, `cross_validated`: F1 of both choices on rows they were not tuned on.
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
    """The shared threshold of the best F1 and, with a shrinkage, one for each language.

    A language has few dev rows, so the threshold of its own best F1 is mostly chance. It is drawn to the shared one, as
    a mean is to its prior: (n own + k shared) / (n + k), where n is the language's number of rows and k the shrinkage.
    A language without both labels has the shared one.

    Args:
        rows: labelled, columns `language`, `label`, `p_yes`.
        shrinkage: k, in rows; 0 takes each language's own; None shares one threshold.
    """
    shared = best_threshold(*arrays(rows))
    if shrinkage is None:
        return Thresholds(shared)
    by_language = {}
    for language in sorted(rows["language"].unique()):
        labels, p_yes = arrays(rows.filter(pl.col("language") == language))
        own = best_threshold(labels, p_yes) if labels.any() and not labels.all() else shared
        mixed = (len(labels) * own + shrinkage * shared) / (len(labels) + shrinkage)
        by_language[language] = round(mixed, DIGITS)
    return Thresholds(shared, by_language)


def cross_validated(rows: pl.DataFrame, settings: CalibrateParams, seed: int) -> dict[str, Labels]:
    """Answers to each row by thresholds tuned without its fold: `shared_f1`, and `per_language_f1` with the shrinkage.

    The rows of a query group are in one fold. Empty where the threshold is fixed, or dev has fewer groups than folds.
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
    """The threshold of the best F1.

    Every cut between two neighbouring distinct scores is tried, at its middle, so that rows of one score always fall
    on the same side. Of cuts with the same F1 it is the one in the widest gap: new scores cross it last.

    Args:
        labels: shape (n_rows,).
        p_yes: shape (n_rows,), from 0 to 1.

    Returns:
        A threshold of `DIGITS` decimals; 0, "yes" to everything, where all scores are 0.
    """
    edges = np.unique(np.append(p_yes, 0.0))
    if len(edges) == 1:
        return 0.0
    middles = np.round((edges[:-1] + edges[1:]) / 2, DIGITS)
    f1 = scores_at(labels, p_yes, middles)["f1"].to_numpy()
    widest = np.argmax(np.where(f1 == f1.max(), np.diff(edges), -1))
    return float(middles[widest])


def scores_at(labels: Labels, p_yes: Floats, thresholds: Floats) -> pl.DataFrame:
    """Columns `threshold`, `f1`, `precision`, `recall`, a row for each threshold; precision without a "yes" is 0."""
    yes = len(p_yes) - np.searchsorted(np.sort(p_yes), thresholds, side="left")
    found = labels.sum() - np.searchsorted(np.sort(p_yes[labels]), thresholds, side="left")
    return pl.DataFrame(
        {
            "threshold": thresholds,
            "f1": 2 * found / (yes + labels.sum()),
            "precision": found / np.maximum(yes, 1),
            "recall": found / labels.sum(),
        }
    )


def curve(predictions: pl.DataFrame) -> pl.DataFrame:
    """F1 over threshold (the paper's Figure 2) in steps of 0.01; columns as `scores_at`."""
    return scores_at(*arrays(labelled(predictions)), np.arange(101) / 100)
