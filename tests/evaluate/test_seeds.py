"""The interval of a gain over seeds: its parts by hand, its coverage by simulation, and when variances are pooled."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.stats import norm, t, ttest_1samp

from babelshelf.evaluate.bootstrap import Difference, Pair, Sample, paired_difference, resample_sets
from babelshelf.evaluate.metric_names import RESAMPLED
from babelshelf.evaluate.seeds import Comparison, SeedVariance, mean_gain, pooled_variances
from tests.evaluate.test_bootstrap import at, predictions

OPTIONS = {"resamples": 500, "seed": 1}


def constant(gains: list[float], before: str = "a", after: str = "b") -> Comparison:
    """Gains whose test queries never vary."""

    def samples(values: list[float]) -> list[Sample]:
        return [Sample(np.full(len(RESAMPLED), v), np.full((len(RESAMPLED), 2), v)) for v in values]

    return Comparison(before, after, samples([0.0] * len(gains)), samples(gains))


def compared(sets: list[list[pl.DataFrame]]) -> Comparison:
    samples = resample_sets(sets, **OPTIONS)
    return Comparison("a", "b", [a for a, _ in samples], [b for _, b in samples])


def half(gain: Difference) -> float:
    assert gain.high - gain.value == pytest.approx(gain.value - gain.low)
    return (gain.high - gain.low) / 2


def test_without_variance_over_queries_it_is_the_t_test_of_the_seeds() -> None:
    gains = [0.02, 0.035, 0.01]
    found, expected = mean_gain(constant(gains), 0.95)["f1"], ttest_1samp(gains, 0)
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert (found.p, found.seeds) == (pytest.approx(expected.pvalue), 3)


def test_the_gains_of_the_issue_are_no_evidence() -> None:
    found = mean_gain(constant([0.0, 0.028, 0.056]), 0.95)["f1"]  # +2.8, standard deviation 2.8
    assert (found.low, found.high) == pytest.approx((-0.0416, 0.0976), abs=1e-3)


def test_seeds_that_do_not_vary_leave_the_variance_of_the_queries() -> None:
    a, b = at(0.5, predictions(signal=0.2)), at(0.5, predictions(signal=0.4))
    comparison = compared([[a, b]] * 3)
    draws = comparison.b[0].draws[0] - comparison.a[0].draws[0]
    assert half(mean_gain(comparison, 0.95)["f1"]) == pytest.approx(norm.isf(0.025) * draws.std(ddof=1))


def test_one_test_set_for_all_seeds_is_drawn_once() -> None:
    """Three seeds on one test set have hardly more evidence than one; on three test sets they have."""
    runs = [at(0.5, predictions(signal=signal)) for signal in (0.2, 0.4)]
    other = [[rows.with_columns(pl.col("id", "group") + f" {seed}") for rows in runs] for seed in range(3)]
    one = paired_difference(Pair(*runs), confidence=0.95, **OPTIONS)["f1"]
    assert half(mean_gain(compared([runs] * 3), 0.95)["f1"]) == pytest.approx((one.high - one.low) / 2, rel=0.05)
    assert half(mean_gain(compared(other), 0.95)["f1"]) < 0.1 * (one.high - one.low)  # and their gains are equal


def test_cochrans_t_weighs_both_quantiles() -> None:
    a, b = at(0.5, predictions(signal=0.2)), at(0.5, predictions(signal=0.4))
    comparison = compared([[a, b]] * 2)
    queries = (comparison.b[0].draws[0] - comparison.a[0].draws[0]).var(ddof=1)
    seed = SeedVariance(2 * queries, 4)  # of the mean over two seeds as much as the queries
    expected = (norm.isf(0.025) + t.isf(0.025, 4)) / 2 * np.sqrt(2 * queries)
    assert half(mean_gain(comparison, 0.95, {"f1": seed})["f1"]) == pytest.approx(expected)


def test_the_p_value_is_that_of_the_interval() -> None:
    found = mean_gain(constant([0.02, 0.035, 0.01]), 0.95)["f1"]
    assert mean_gain(constant([0.02, 0.035, 0.01]), 1 - found.p)["f1"].low == pytest.approx(0, abs=1e-9)
    assert mean_gain(constant([0.01, -0.01]), 0.95)["f1"].p == 1
    assert mean_gain(constant([0.01, 0.01]), 0.95)["f1"].p < 1e-9


def test_of_one_seed_it_is_the_bootstrap_over_queries() -> None:
    a, b = at(0.5, predictions(signal=0.2)), at(0.5, predictions(signal=0.4))
    found = mean_gain(compared([[a, b]]), 0.95)
    assert found == paired_difference(Pair(a, b), confidence=0.95, **OPTIONS)
    assert found["f1"].seeds == 1


@pytest.mark.parametrize("seeds", [2, 3])
def test_like_variances_pool_and_the_interval_is_narrower(seeds: int) -> None:
    spread = np.linspace(-0.01, 0.01, seeds)
    rows = [constant((0.01 + size * spread).tolist(), f"a{size}", f"b{size}") for size in (0.7, 1, 1.01, 1.02)]
    found = pooled_variances(rows, "f1")
    assert found[0] is not None
    assert found[0].freedom == 4 * (seeds - 1)  # no row in common
    assert found[0].value == pytest.approx(np.mean([0.7**2, 1, 1.01**2, 1.02**2]) * spread.var(ddof=1))
    narrow, wide = mean_gain(rows[0], 0.95, {"f1": found[0]}), mean_gain(rows[0], 0.95)
    assert half(narrow["f1"]) < 0.75 * half(wide["f1"])


def test_a_chain_of_rows_has_fewer_degrees_of_freedom() -> None:
    rows = [constant([0, size, 2 * size], f"{i}", f"{i + 1}") for i, size in enumerate((0.007, 0.01, 0.0101, 0.0102))]
    pooled = pooled_variances(rows, "f1")[0]
    assert pooled is not None
    assert pooled.freedom == pytest.approx(2 * 8**2 / (4 * 4 + 6))  # (trace)^2 / sum of squares of [2, -1, ...]


def test_variances_that_differ_do_not_pool() -> None:
    rows = [constant([0, size, -size], f"a{size}", f"b{size}") for size in (0.001, 0.0011, 0.05, 0.06)]
    assert pooled_variances(rows, "f1") == [None] * 4


def test_a_row_that_varies_more_than_the_others_keeps_its_own_variance() -> None:
    rows = [constant([0, size, -size], f"a{size}", f"b{size}") for size in (0.0080, 0.0081, 0.0082, 0.016)]
    found = pooled_variances(rows, "f1")
    assert [pooled is None for pooled in found] == [False, False, False, True]


def test_rows_without_variance_and_repeated_ones_do_not_count() -> None:
    some = [constant([0, size, 2 * size], f"a{size}", f"b{size}") for size in (0.007, 0.01, 0.0101)]
    more = [*some, constant([0.0, 0.0, 0.0]), constant([0, 0.007, 0.014]), constant([0.3])]
    found = pooled_variances(more, "f1")
    assert found[:3] == pooled_variances(some, "f1")
    assert found[3:] == [None, found[0], None]  # the fifth has the values of the first
