"""The threshold of a task: where p(yes) becomes "yes", chosen on dev by F1 or fixed by the params.

The paper's best thresholds lie well below 0.5 (0.4 for QC, 0.2 for QI): F1 of the positive class forgives a false "yes"
sooner than a missed one.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from sklearn.metrics import average_precision_score

from babelshelf.predictions import Floats, Labels, all_yes_f1, arrays, labelled

DIGITS = 6  # of a written metric: a threshold with more would be another one after it is read back


def calibrate(predictions: pl.DataFrame, fixed: float | None) -> dict[str, float]:
    """The threshold and what it gives on dev.

    Args:
        predictions: dev, columns `label` and `p_yes`; rows without a label are left out and counted.
        fixed: the threshold, or None to tune it.
    """
    rows = labelled(predictions)
    labels, p_yes = arrays(rows)
    threshold = best_threshold(labels, p_yes) if fixed is None else fixed
    f1 = scores_at(labels, p_yes, np.array([threshold, 0.5]))["f1"]
    return {
        "threshold": threshold,
        "f1": f1[0],
        "f1_at_half": f1[1],
        "all_yes_f1": all_yes_f1(labels),
        "average_precision": float(average_precision_score(labels, p_yes)),
        "rows": rows.height,
        "unlabelled": predictions.height - rows.height,
    }


def best_threshold(labels: Labels, p_yes: Floats) -> float:
    """The threshold of the best F1.

    Every cut between two neighbouring distinct scores is tried, at its middle, so that rows of one score always fall
    on the same side. Of cuts with the same F1 it is the one in the widest gap: new scores cross it last.

    Args:
        labels: shape (n_rows,).
        p_yes: shape (n_rows,), from 0 to 1.

    Returns:
        A threshold of `DIGITS` decimals.
    """
    edges = np.unique(np.append(p_yes, 0.0))
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
