"""Margins compare the candidates of a query, each as often as the others, and leave out rows that are alone."""

from __future__ import annotations

from collections import Counter

import numpy as np
import polars as pl
import pytest

from babelshelf.core.errors import InputError
from babelshelf.distill.margins import EPSILON, margins, rows_alone
from babelshelf.distill.students import cross_encoder
from tests.distill.lessons import params
from tests.distill.test_students import OWN
from tests.helpers import tiny_lm

ROWS = tiny_lm.rows(queries=("red", "blue"), candidates=("a", "b", "c"))
ALONE = tiny_lm.rows(queries=("one", "two"), candidates=("a",))
LOSSES = ("bce", "margin_mse")
TARGETS = np.array([0.5, 0.9, 0.1, 0.8, 0.2, 0.5])


def logit(p_yes: float) -> float:
    return float(np.log(p_yes / (1 - p_yes)))


def test_each_row_is_compared_with_another_one_of_its_query_and_another_with_it() -> None:
    found = margins(ROWS, TARGETS, seed=1)
    for column in ("candidate", "other"):
        assert Counter(found.select("query", column).rows()) == Counter(ROWS.select("query", "candidate").rows())
    assert (found["candidate"] != found["other"]).all()


def test_a_margin_is_the_difference_of_logits() -> None:
    p_yes = dict(zip(ROWS.select("query", "candidate").rows(), TARGETS, strict=True))
    for query, candidate, other, margin in margins(ROWS, TARGETS, seed=1).rows():
        assert margin == pytest.approx(logit(p_yes[query, candidate]) - logit(p_yes[query, other]))


def test_the_margin_of_two_labels_is_finite() -> None:
    found = margins(ROWS.head(2), np.array([1.0, 0.0]), seed=1).filter(pl.col("candidate") == "a")
    assert found["margin"].to_list() == [pytest.approx(2 * logit(1 - EPSILON))]


def test_one_text_in_two_languages_is_two_queries() -> None:
    german = ROWS.with_columns(language=pl.lit("de"), candidate=pl.col("candidate") + "!")
    found = margins(pl.concat([ROWS, german]), np.tile(TARGETS, 2), seed=1)
    ends = found.select(one=pl.col("candidate").str.ends_with("!"), other=pl.col("other").str.ends_with("!"))
    assert ends["one"].equals(ends["other"])


def test_the_seed_draws_the_order() -> None:
    many = tiny_lm.rows(queries=tuple("abcdefgh"))
    orders = [margins(many, np.full(many.height, 0.5), seed)["other"].to_list() for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]


def test_rows_that_are_alone_are_counted() -> None:
    both = pl.concat([ROWS, ALONE])
    assert margins(both, np.concatenate([TARGETS, [0.5, 0.5]]), seed=1).height == ROWS.height
    assert rows_alone(both) == ALONE.height


def test_no_query_with_two_candidates_is_refused_where_margins_are_learned() -> None:
    own = {loss: params(student="cross_encoder", cross_encoder=OWN | {"model": "./e", "loss": loss}) for loss in LOSSES}
    for loss in LOSSES:
        cross_encoder.check(pl.concat([ROWS, ALONE]), own[loss])
    cross_encoder.check(ALONE, own["bce"])
    with pytest.raises(InputError, match=r"distill.cross_encoder.loss: margin_mse .* no query has two"):
        cross_encoder.check(ALONE, own["margin_mse"])
