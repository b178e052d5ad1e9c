"""McNemar's test of two runs by query group, and Holm's correction for multiple tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import binom

from babelshelf.core.errors import InputError


@dataclass(frozen=True)
class McNemar:
    """Result of McNemar's test by query group.

    Attributes:
        only_a, only_b: numbers of rows that only run a, or only run b, answers correctly.
        p: two-sided mid-p value of the hypothesis that both runs are equally good.
    """

    only_a: int
    only_b: int
    p: float


def mcnemar(a: pl.DataFrame, b: pl.DataFrame) -> McNemar:
    """McNemar's test of two runs' answers to the same rows, with whole query groups as its units.

    McNemar's test takes rows as independent, which those of one query are not: its p value would be too small. So the
    units are groups. In each, the net number of rows that run b alone answers correctly has either sign with the same
    probability under the hypothesis (a randomization test by query, as Smucker, Allan and Carterette advise in "A
    comparison of statistical significance tests for information retrieval evaluation", CIKM 2007). With one row a group
    it is McNemar's exact test. As in its mid-p version, half of the probability of the observed result counts
    (Fagerland, Lydersen and Laake, "The McNemar test for binary matched-pairs data", BMC Medical Research Methodology
    13:91, 2013). It is about the choice of queries and these two models, not about other seeds.

    Args:
        a: columns `id`, `group`, `label` and `is_relevant`; rows without a label are left out.
        b: like `a`, in any order.

    Raises:
        InputError: the runs do not have the same labelled rows.
    """
    left, right = (run.filter(pl.col("label").is_not_null()) for run in (a, b))
    both = left.select("id", "group", "label", "is_relevant").join(
        right.select("id", "label", "is_relevant"), on=["id", "label"], suffix="_b"
    )
    if not left.height == right.height == both.height:
        raise InputError(f"the two runs need the same labelled rows ({left.height} and {right.height} found)")
    label = pl.col("label") == 1
    right_answers = both.select("group", a=pl.col("is_relevant") == label, b=pl.col("is_relevant_b") == label)
    rows = right_answers.select("group", only_a=pl.col("a") & ~pl.col("b"), only_b=pl.col("b") & ~pl.col("a"))
    net = rows.group_by("group").agg(net=pl.col("only_b").sum().cast(pl.Int64) - pl.col("only_a").sum())["net"]
    return McNemar(int(rows["only_a"].sum()), int(rows["only_b"].sum()), mid_p(net.to_numpy()))


def mid_p(net: NDArray[np.int64]) -> float:
    """Two-sided mid-p value of a sum of whole numbers, each of which has either sign with the same probability.

    It is 1 where all numbers are 0.

    The exact distribution of the sum is the convolution of one binomial distribution for each size that occurs.
    """
    if not net.any():
        return 1.0
    sizes, counts = np.unique(np.abs(net[net != 0]), return_counts=True)
    distribution = np.ones(1)  # over the sums from the smallest to the largest, in steps of 1
    for size, count in zip(sizes.tolist(), counts.tolist(), strict=True):
        signs = np.zeros(2 * size * count + 1)
        signs[:: 2 * size] = binom.pmf(np.arange(count + 1), count, 0.5)
        distribution = np.convolve(distribution, signs)
    sums = np.abs(np.arange(len(distribution)) - len(distribution) // 2)
    observed = abs(int(net.sum()))
    return float(distribution[sums > observed].sum() + distribution[sums == observed].sum() / 2)


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
