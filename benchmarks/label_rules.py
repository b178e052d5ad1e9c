"""Rules by which `benchmarks.label_errors` takes labels to be wrong; that of the pipeline is `confidence`.

A rule is a function of the labels of rows, 0.0 or 1.0, and of p(yes); all arrays have the shape (n_rows,).
"""

from __future__ import annotations

from functools import partial

import numpy as np

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
    """The rows off the diagonal of the confident joint; none where all labels are the same.

    A label's threshold is its mean probability over the rows that have it. A row counts for the label whose threshold
    it reaches, for the more probable one if it reaches both (Northcutt, Jiang and Chuang, arXiv 1911.00068, eq. 1 and
    2; in cleanlab `find_label_issues` with `filter_by="confident_learning"`).
    """
    positive = labels == 1
    if positive.all() or not positive.any():
        return np.zeros(len(labels), np.bool_)
    yes, no = p_yes >= p_yes[positive].mean(), 1 - p_yes >= (1 - p_yes)[~positive].mean()
    return np.where(positive, no & (~yes | (p_yes <= 0.5)), yes & (~no | (p_yes > 0.5)))


RULES = {
    **{f"confidence {least:g}": partial(confidence, least) for least in (0.6, 0.75, 0.9)},
    "loss_rank 0.1": partial(loss_rank, 0.1),
    "confident_learning": confident_learning,
}
