"""McNemar's test of two runs, and Holm's correction for multiple tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl
from scipy.stats import binom

from babelshelf.core.errors import InputError


@dataclass(frozen=True)
class McNemar:
    """Result of McNemar's test.

    Attributes:
        only_a, only_b: numbers of rows that only run a, or only run b, answers correctly.
        p: two-sided mid-p value of the hypothesis that both runs are equally good.
    """

    only_a: int
    only_b: int
    p: float


def mcnemar(a: pl.DataFrame, b: pl.DataFrame) -> McNemar:
    """McNemar's mid-p test of two runs' answers to the same rows.

    The mid-p version of the exact test counts half of the probability of the observed result (Fagerland, Lydersen and
    Laake, "The McNemar test for binary matched-pairs data", BMC Medical Research Methodology 13:91, 2013). It is less
    conservative than the exact test and, unlike the asymptotic test, valid for small counts. It assumes independent
    rows: with several rows per query, p is too small, so verdicts use the bootstrap over groups.

    Args:
        a: columns `id`, `label` and `is_relevant`; rows without a label are left out.
        b: like `a`, in any order.

    Raises:
        InputError: the runs do not have the same labelled rows.
    """
    left, right = (run.filter(pl.col("label").is_not_null()).select("id", "label", "is_relevant") for run in (a, b))
    both = left.join(right, on=["id", "label"], suffix="_b")
    if not left.height == right.height == both.height:
        raise InputError(f"the two runs need the same labelled rows ({left.height} and {right.height} found)")
    label = pl.col("label") == 1
    right_a, right_b = both.select(a=pl.col("is_relevant") == label, b=pl.col("is_relevant_b") == label)
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    return McNemar(only_a, only_b, mid_p(only_a, only_b))


def mid_p(only_a: int, only_b: int) -> float:
    """Two-sided mid-p value of two counts that have equal probability under the null hypothesis."""
    fewer, all_differences = min(only_a, only_b), only_a + only_b
    at_most = 2 * binom.cdf(fewer, all_differences, 0.5)
    return float(at_most - binom.pmf(fewer, all_differences, 0.5))


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Adjust p values for multiple testing, controlling the family-wise error rate.

    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6:65-70, 1979:
    of n values the smallest is multiplied by n, the next by n - 1, and so on, and the results are made monotone.
    """
    adjusted: dict[str, float] = {}
    largest = 0.0
    for rank, (name, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p))
        adjusted[name] = largest
    return {name: adjusted[name] for name in p_values}
