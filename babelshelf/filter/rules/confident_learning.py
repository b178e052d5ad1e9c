"""A prediction of the other label that is as confident as those of the rows which have that label.

Confident learning (Northcutt, Jiang and Chuang, arXiv 1911.00068, eq. 1 and 2; in cleanlab `find_label_issues` with
`filter_by="confident_learning"`). A label's threshold is its mean probability over the rows that have it. A row counts
for the label whose threshold its probability reaches, for the more probable one if it reaches both, and for none if it
reaches neither; its label is taken to be wrong if it counts for the other one.

So the thresholds follow the scores: where many labels are wrong, a model is less confident of all of them, and this
rule finds more than a fixed confidence does. It is for out-of-fold scores, not for those of a model that was trained on
the rows that it scores.
"""

from __future__ import annotations

import polars as pl

from babelshelf.filter.params import FilterParams


def flagged(rows: pl.DataFrame, _: FilterParams) -> pl.Series:
    """Which labels are contradicted; see `babelshelf.filter.rules`."""
    return off_diagonal(rows)


def off_diagonal(rows: pl.DataFrame) -> pl.Series:
    """The rows that count for another label than their own; none where all labels are the same.

    Args:
        rows: `label`, 0 or 1, and `p_yes`.

    Returns:
        Boolean, shape (n_rows,), without nulls.
    """
    is_yes, p_yes = pl.col("label") == 1, pl.col("p_yes")
    p_no = 1 - p_yes
    reaches_yes = p_yes >= p_yes.filter(is_yes).mean()
    reaches_no = p_no >= p_no.filter(~is_yes).mean()
    counts_for_yes = reaches_yes & (~reaches_no | (p_yes > p_no))
    counts_for_no = reaches_no & (~reaches_yes | (p_yes <= p_no))
    wrong = pl.when(is_yes).then(counts_for_no).otherwise(counts_for_yes).fill_null(value=False)
    return rows.select(flagged=wrong)["flagged"]
