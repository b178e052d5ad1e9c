"""McNemar's test against published and exact values, and Holm's correction by hand."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.stats import binomtest

from babelshelf.core.errors import InputError
from babelshelf.evaluate.significance import holm, mcnemar, mid_p


def answers(yes: list[bool], labels: list[int | None]) -> pl.DataFrame:
    ids = [str(i) for i in range(len(yes))]
    return pl.DataFrame({"id": ids, "label": labels, "is_relevant": yes}, schema_overrides={"label": pl.Int8})


def test_mid_p_is_that_of_the_paper() -> None:
    # Fagerland et al. 2013, Table 1 (airway hyper-responsiveness before and after stem cell transplantation):
    # 1 and 7 discordant pairs; exact p 0.0703, mid-p 0.0391
    assert mid_p(1, 7) == pytest.approx(0.0391, abs=5e-5)
    assert mid_p(7, 1) == mid_p(1, 7)


@pytest.mark.parametrize(("a", "b"), [(0, 5), (3, 9), (40, 61), (400, 520)])
def test_mid_p_is_the_exact_p_without_half_of_both_ends(a: int, b: int) -> None:
    exact = binomtest(a, a + b, 0.5).pvalue
    end = binomtest(a, a + b, 0.5, alternative="less").pvalue - (
        binomtest(a - 1, a + b, 0.5, alternative="less").pvalue if a else 0
    )
    assert mid_p(a, b) == pytest.approx(exact - end)


@pytest.mark.parametrize("n", [0, 1, 6])
def test_no_difference_in_number_has_p_one(n: int) -> None:
    assert mid_p(n, n) == pytest.approx(1)


def test_only_rows_that_one_run_alone_answers_rightly_count() -> None:
    labels = [1, 1, 1, 0, 0, None]
    a = answers([True, False, False, True, False, True], labels)
    b = answers([True, True, True, False, True, False], labels)
    result = mcnemar(a, b.reverse())
    assert (result.only_a, result.only_b) == (1, 3)
    assert result.p == mid_p(1, 3)
    same = mcnemar(a, a)
    assert (same.only_a, same.only_b, same.p) == (0, 0, pytest.approx(1))


def test_other_rows_are_refused() -> None:
    a = answers([True, False], [1, 0])
    with pytest.raises(InputError, match="same labelled rows"):
        mcnemar(a, answers([True, False], [0, 0]))


def test_p_values_are_uniform_where_both_runs_are_equally_good() -> None:
    generator = np.random.default_rng(1)
    found = np.array([mid_p(k := int(generator.binomial(200, 0.5)), 200 - k) for _ in range(4000)])
    assert (found <= 0.05).mean() == pytest.approx(0.05, abs=0.012)


def test_holm_by_hand() -> None:
    assert holm({"de": 0.01, "it": 0.04, "pl": 0.03, "ar": 0.005}) == pytest.approx(
        {"de": 0.03, "it": 0.06, "pl": 0.06, "ar": 0.02}
    )
    assert list(holm({"b": 0.5, "a": 0.1})) == ["b", "a"]
    assert holm({"a": 0.9, "b": 0.8}) == {"a": 1.0, "b": 1.0}
    assert holm({}) == {}
