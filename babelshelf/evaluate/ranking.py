"""How well p(yes) ranks the candidates of a query: normalized discounted cumulative gain at 10 (nDCG@10)."""

from __future__ import annotations

import polars as pl

CUTOFF = 10


def ndcg_by_group(rows: pl.DataFrame) -> pl.DataFrame:
    """nDCG@10 of each query group that has both labels among its candidates.

    A group is a list of candidates, sorted by descending p(yes). A relevant candidate at rank i gains 1 / log2(1 + i),
    and the sum over the first ten ranks is divided by that of the best order (Järvelin and Kekäläinen, "Cumulated
    gain-based evaluation of IR techniques", ACM TOIS 20(4), 2002). Candidates with the same p(yes) share their ranks:
    each has the mean gain, which is the expectation over their orders (McSherry and Najork, ECIR 2008), as in
    scikit-learn's `ndcg_score`. Groups with one label only are left out, because any order of them is the best one.

    Args:
        rows: labelled rows, columns `group`, `label` and `p_yes`.

    Returns:
        Columns `group` and `ndcg` (0 to 1), in the order of first occurrence; empty where no group has both labels.
    """
    gain = (pl.col("label") == 1).cast(pl.Float64)
    mixed = rows.select("group", "p_yes", gain=gain).filter(pl.col("gain").n_unique().over("group") > 1)
    ranked = mixed.with_columns(expected=pl.col("gain").mean().over("group", "p_yes")).sort(
        "p_yes", descending=True, maintain_order=True
    )
    rank = pl.int_range(1, pl.len() + 1).over("group")
    discount = pl.when(rank <= CUTOFF).then(1 / (rank + 1).log(2)).otherwise(0)
    best = pl.col("gain").sum().over("group") >= rank  # the best order has the relevant candidates first
    sums = (
        ranked.with_columns(gained=pl.col("expected") * discount, possible=best * discount)
        .group_by("group", maintain_order=True)
        .agg(pl.col("gained", "possible").sum())
    )
    return sums.select("group", ndcg=pl.col("gained") / pl.col("possible"))


def mean_ndcg(rows: pl.DataFrame) -> float | None:
    """Mean of `ndcg_by_group`; None where no group has both labels."""
    mean = ndcg_by_group(rows)["ndcg"].mean()
    return float(mean) if isinstance(mean, float) else None
