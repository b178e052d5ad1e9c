"""Rules by which `benchmarks.label_errors` takes labels to be wrong; all but `loss_rank` are the pipeline's, too.

A rule is a function of the labels of rows, 0.0 or 1.0, and of p(yes); all arrays have the shape (n_rows,).
"""

from __future__ import annotations

from functools import partial

import numpy as np
import polars as pl

from babelshelf.filter.rules.confident_learning import off_diagonal
from babelshelf.tables.predictions import Floats, Labels


def other_label(labels: Floats, p_yes: Floats) -> Floats:
    """The probability of the label that a row does not have."""
    return np.where(labels == 1, 1 - p_yes, p_yes)


def confidence(least: float, labels: Floats, p_yes: Floats) -> Labels:
    """The rows whose other label has at least that probability."""
    return other_label(labels, p_yes) >= least


def loss_rank(share: float, labels: Floats, p_yes: Floats) -> Labels:
    """The share of the rows with the largest loss."""
    flags = np.zeros(len(labels), np.bool_)
    flags[np.argsort(-other_label(labels, p_yes), kind="stable")[: round(share * len(labels))]] = True
    return flags


def confident_learning(labels: Floats, p_yes: Floats) -> Labels:
    """The rows that the pipeline's rule of this name flags."""
    return off_diagonal(pl.DataFrame({"label": labels, "p_yes": p_yes})).to_numpy()


RULES = {
    **{f"confidence {least:g}": partial(confidence, least) for least in (0.6, 0.75, 0.9)},
    "loss_rank 0.1": partial(loss_rank, 0.1),
    "confident_learning": confident_learning,
}
