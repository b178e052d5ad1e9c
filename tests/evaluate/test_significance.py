"""McNemar's test against published and exact values, and Holm's correction by hand."""

from __future__ import annotations

from itertools import product

import numpy as np
import polars as pl
import pytest
from scipy.stats import binom, binomtest

from babelshelf.core.errors import InputError
from babelshelf.evaluate.significance import holm, mcnemar, mid_p


def answers(yes: list[bool], labels: list[int | None], groups: list[str] | None = None) -> pl.DataFrame:
    ids = [str(i) for i in range(len(yes))]
    columns = {"id": ids, "group": groups or ids, "label": labels, "is_relevant": yes}
    return pl.DataFrame(columns, schema_overrides={"label": pl.Int8})


def of_rows(only_a: int, only_b: int) -> float:
    return mid_p(np.array([-1] * only_a + [1] * only_b))


def test_mid_p_is_that_of_the_paper() -> None:
    # Fagerland et al. 2013, Table 1 (airway hyper-responsiveness before and after stem cell transplantation):
    # 1 and 7 discordant pairs; exact p 0.0703, mid-p 0.0391
    assert of_rows(1, 7) == pytest.approx(0.0391, abs=5e-5)
    assert of_rows(7, 1) == pytest.approx(of_rows(1, 7))


@pytest.mark.parametrize(("a", "b"), [(0, 5), (3, 9), (40, 61), (400, 520)])
def test_mid_p_of_rows_is_the_exact_p_without_half_of_both_ends(a: int, b: int) -> None:
    exact = binomtest(a, a + b, 0.5).pvalue
    end = binomtest(a, a + b, 0.5, alternative="less").pvalue - (
        binomtest(a - 1, a + b, 0.5, alternative="less").pvalue if a else 0
    )
    assert of_rows(a, b) == pytest.approx(exact - end)


def test_mid_p_of_groups_counts_all_signs() -> None:
    net = np.array([3, -1, 2, 2, 0, 1])
    sums = np.array([abs(np.dot(signs, net)) for signs in product([-1, 1], repeat=len(net))])
    assert mid_p(net) == pytest.approx((sums > 7).mean() + (sums == 7).mean() / 2)


def test_equal_numbers_are_no_evidence() -> None:
    assert of_rows(0, 0) == 1
    assert of_rows(6, 6) == pytest.approx(1 - binom.pmf(6, 12, 0.5) / 2)


def test_only_rows_that_one_run_alone_answers_rightly_count() -> None:
    labels = [1, 1, 1, 0, 0, None]
    a = answers([True, False, False, True, False, True], labels)
    b = answers([True, True, True, False, True, False], labels)
    result = mcnemar(a, b.reverse())
    assert (result.only_a, result.only_b) == (1, 3)
    assert result.p == pytest.approx(of_rows(1, 3))
    same = mcnemar(a, a)
    assert (same.only_a, same.only_b, same.p) == (0, 0, 1)


def test_rows_of_one_query_are_no_independent_evidence() -> None:
    yes, labels, groups = [True] * 12, [1] * 12, [f"q{i // 6}" for i in range(12)]
    a, b = answers([False] * 12, labels, groups), answers(yes, labels, groups)
    assert mcnemar(a, b).p == pytest.approx(0.25)  # two queries: two of the four signs, half of each
    alone = [frame.with_columns(group="id") for frame in (a, b)]
    assert mcnemar(*alone).p < 0.001


def test_other_rows_are_refused() -> None:
    a = answers([True, False], [1, 0])
    with pytest.raises(InputError, match="same labelled rows"):
        mcnemar(a, answers([True, False], [0, 0]))


def test_p_values_are_uniform_where_both_runs_are_equally_good() -> None:
    generator = np.random.default_rng(1)
    sizes = generator.integers(1, 4, size=60)
    found = np.array([mid_p(sizes * generator.choice([-1, 1], size=60)) for _ in range(2000)])
    assert (found <= 0.05).mean() == pytest.approx(0.05, abs=0.015)


def test_holm_by_hand() -> None:
    assert holm({"de": 0.01, "it": 0.04, "pl": 0.03, "ar": 0.005}) == pytest.approx(
        {"de": 0.03, "it": 0.06, "pl": 0.06, "ar": 0.02}
    )
    assert list(holm({"b": 0.5, "a": 0.1})) == ["b", "a"]
    assert holm({"a": 0.9, "b": 0.8}) == {"a": 1.0, "b": 1.0}
    assert holm({}) == {}
