"""nDCG@10 by hand and against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import ndcg_score

from babelshelf.evaluate.ranking import mean_ndcg, ndcg_by_query


def group(name: str, labels: list[int], p_yes: list[float], language: str = "en") -> pl.DataFrame:
    of_query = {"group": name, "language": language, "query": name}
    return pl.DataFrame({"label": labels, "p_yes": p_yes}).with_columns(
        **{key: pl.lit(v) for key, v in of_query.items()}
    )


def test_a_group_with_a_query_in_two_languages_has_a_list_for_each() -> None:
    rows = pl.concat([group("a", [1, 0], [0.3, 0.2]), group("a", [1, 0], [0.9, 0.8], language="de")])
    assert ndcg_by_query(rows)["ndcg"].to_list() == [1, 1]


def test_known_answer() -> None:
    rows = group("shoes", [0, 1, 1], [0.9, 0.8, 0.1])  # relevant at ranks 2 and 3; best at 1 and 2
    expected = (1 / math.log2(3) + 1 / 2) / (1 + 1 / math.log2(3))
    assert ndcg_by_query(rows).rows() == [("shoes", pytest.approx(expected))]
    assert mean_ndcg(pl.concat([rows, group("hats", [0, 1], [0.2, 0.3])])) == pytest.approx((expected + 1) / 2)


def test_a_relevant_candidate_beyond_the_tenth_rank_gains_nothing() -> None:
    falling = [1 - i / 20 for i in range(11)]
    assert mean_ndcg(group("a", [0] * 10 + [1], falling)) == 0
    assert mean_ndcg(group("a", [0] * 9 + [1, 0], falling)) == pytest.approx(1 / math.log2(11))


def test_queries_of_one_label_are_left_out_and_without_others_there_is_no_value() -> None:
    alike = pl.concat([group("a", [1, 1], [0.9, 0.1]), group("b", [0, 0], [0.9, 0.1]), group("c", [1], [0.5])])
    assert ndcg_by_query(alike).is_empty()
    assert mean_ndcg(alike) is None
    assert mean_ndcg(pl.concat([alike, group("d", [1, 0], [0.9, 0.1])])) == 1


def test_ties_have_the_mean_over_their_orders() -> None:
    for labels in ([1, 0], [0, 1]):
        assert mean_ndcg(group("a", labels, [0.5, 0.5])) == pytest.approx((1 + 1 / math.log2(3)) / 2)


def test_equals_scikit_learn_whatever_the_order_of_rows() -> None:
    generator = np.random.default_rng(0)
    parts = [
        group(f"g{i}", [1, 0, *generator.integers(0, 2, size=i)], generator.random(i + 2).round(1).tolist())
        for i in range(30)  # up to 31 candidates, with tied scores, also over the cut-off
    ]
    rows = pl.concat(parts)
    expected = {
        part["group"][0]: ndcg_score([part["label"].to_numpy()], [part["p_yes"].to_numpy()], k=10) for part in parts
    }
    assert dict(ndcg_by_query(rows).iter_rows()) == pytest.approx(expected)
    assert dict(ndcg_by_query(rows.sample(fraction=1, shuffle=True, seed=1)).iter_rows()) == pytest.approx(expected)
