"""A prediction of the other label that is as confident as the rows of that label are on average: confident learning.

A label's threshold is the mean probability of the label over the rows that have it. A row counts for a label whose
threshold its probability reaches, and for the more probable one if it reaches both. A label is taken to be wrong if the
row counts for the other one: these are the rows off the diagonal of the confident joint (Northcutt, Jiang and Chuang,
"Confident Learning: Estimating Uncertainty in Dataset Labels", arXiv 1911.00068, eq. 1 and 2; in the library cleanlab,
`find_label_issues` with `filter_by="confident_learning"`). So the thresholds follow from the scores: where more labels
are wrong, the model is less sure, and they are lower.

The scores should be out of fold: a model that has learned the labels by heart contradicts none of them.
"""

from __future__ import annotations

import polars as pl

from babelshelf.filter.params import FilterParams


def flagged(rows: pl.DataFrame, settings: FilterParams) -> pl.Series:
    """Which labels are off the diagonal; see `babelshelf.filter.rules`."""
    return off_diagonal(rows)


def off_diagonal(rows: pl.DataFrame) -> pl.Series:
    """Whether a row is off the diagonal of the confident joint; no row is where all labels are the same.

    Args:
        rows: columns `label`, 0 or 1, and `p_yes`.
    """
    p_yes, label = pl.col("p_yes"), pl.col("label")
    reaches_yes = p_yes >= p_yes.filter(label == 1).mean()
    reaches_no = 1 - p_yes >= (1 - p_yes).filter(label == 0).mean()
    is_yes = reaches_yes & (~reaches_no | (p_yes > 0.5))
    is_no = reaches_no & (~reaches_yes | (p_yes <= 0.5))
    off = pl.when(label == 1).then(is_no).otherwise(is_yes)
    return rows.select(off=off.fill_null(value=False))["off"]
