"""The threshold with the best F1, and F1 over the threshold.

The paper's best thresholds are well below 0.5 (0.4 for QC, 0.2 for QI), as F1 of the positive class penalizes a false
negative more than a false positive.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from babelshelf.tables.predictions import Floats, Labels

DIGITS = 6  # `write_json` rounds to these; a threshold must not change when it is read back


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
