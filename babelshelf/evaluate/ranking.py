"""How well p(yes) ranks the candidates of a query: normalized discounted cumulative gain at 10 (nDCG@10)."""

from __future__ import annotations

import polars as pl

CUTOFF = 10
QUERY = ("group", "language", "query")


def ndcg_by_query(rows: pl.DataFrame) -> pl.DataFrame:
    """nDCG@10 of each query that has both labels among its candidates.

    A query is a text in a language: a group may hold it in several, each with a list of its own. The list is sorted by
    descending p(yes). A relevant candidate at rank i gains 1 / log2(1 + i), and the sum over the first ten ranks is
    divided by that of the best order (Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", ACM
    TOIS 20(4), 2002). Candidates with the same p(yes) share their ranks: each has the mean gain, which is the
    expectation over their orders (McSherry and Najork, ECIR 2008), as in scikit-learn's `ndcg_score`. Queries with one
    label only are left out, because any order of them is the best one.

    Args:
        rows: labelled rows, columns `group`, `language`, `query`, `label` and `p_yes`.

    Returns:
        Columns `group` and `ndcg` (0 to 1), a row a query in the order of first occurrence; empty where none has both
        labels.
    """
    gain = (pl.col("label") == 1).cast(pl.Float64)
    mixed = rows.select(*QUERY, "p_yes", gain=gain).filter(pl.col("gain").n_unique().over(QUERY) > 1)
    ranked = mixed.with_columns(expected=pl.col("gain").mean().over(*QUERY, "p_yes")).sort(
        "p_yes", descending=True, maintain_order=True
    )
    rank = pl.int_range(1, pl.len() + 1).over(QUERY)
    discount = pl.when(rank <= CUTOFF).then(1 / (rank + 1).log(2)).otherwise(0)
    best = pl.col("gain").sum().over(QUERY) >= rank  # the best order has the relevant candidates first
    sums = (
        ranked.with_columns(gained=pl.col("expected") * discount, possible=best * discount)
        .group_by(QUERY, maintain_order=True)
        .agg(pl.col("gained", "possible").sum())
    )
    return sums.select("group", ndcg=pl.col("gained") / pl.col("possible"))


def mean_ndcg(rows: pl.DataFrame) -> float | None:
    """Mean of `ndcg_by_query`; None where no query has both labels."""
    mean = ndcg_by_query(rows)["ndcg"].mean()
    return float(mean) if isinstance(mean, float) else None
