"""Margins between candidates of a query, for a student that learns differences of logits in place of targets.

Margin-MSE (Hofstätter et al., arXiv 2010.02666): the squared error between the student's and the teacher's
difference of scores of two candidates of one query. The scores are logits. The level of a query's logits is free:
adding a number to all of them changes no difference.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

STREAM = 22  # this module's own stream of random numbers among those of the pipeline's seed
EPSILON = 0.01  # targets are clipped to [EPSILON, 1 - EPSILON], their logits to 4.6: a label's own logit is infinite
QUERY = ("language", "query")


def margins(rows: pl.DataFrame, targets: npt.NDArray[np.float64], seed: int) -> pl.DataFrame:
    """Each row with another one of its query: the next in a random order, and the first after the last.

    So a query of n rows gives n margins, or one that is there in both directions where n is 2, and these fix all
    differences of its logits. A row whose query has no other row is left out.

    Args:
        rows: of `ROW_SCHEMA`.
        targets: p(yes) of each, from 0 to 1, shape (n_rows,).
        seed: the pipeline's seed: of the order.

    Returns:
        Columns `query`, `candidate`, `other` (candidate) and `margin` (of the logit of `candidate` over that of
        `other`), sorted by query.
    """
    p_yes = np.clip(targets, EPSILON, 1 - EPSILON)
    place = np.random.default_rng([seed, STREAM]).permutation(rows.height)
    shuffled = rows.select(
        *QUERY, "candidate", logit=pl.Series(np.log(p_yes) - np.log1p(-p_yes), dtype=pl.Float64), place=pl.Series(place)
    ).sort(*QUERY, "place")
    following = [
        pl.col(name).shift(-1).fill_null(pl.col(name).first()).over(QUERY).alias(f"next_{name}")
        for name in ("candidate", "logit")
    ]
    paired = shuffled.with_columns(following).filter(pl.len().over(QUERY) > 1)
    return paired.select(
        "query", "candidate", other=pl.col("next_candidate"), margin=pl.col("logit") - pl.col("next_logit")
    )


def rows_alone(rows: pl.DataFrame) -> int:
    """Number of rows whose query has no other row, so that they have no margin."""
    return int(rows.select((pl.len().over(QUERY) == 1).sum()).item())
