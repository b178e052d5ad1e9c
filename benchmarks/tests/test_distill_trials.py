"""What trials teach: pairs of some distances, and the mean of two teachers' logits."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from babelshelf.distill.unlabelled import PAIR_SCHEMA
from benchmarks import distill_trials
from benchmarks.proxy_truth.results import read_results
from tests.helpers import tiny_lm

TRAIN = tiny_lm.rows()
PAIRS = tiny_lm.rows(queries=("new",), candidates=("a", "b", "c")).with_columns(
    label=pl.lit(None, pl.Int8), distance=pl.Series(["near", "middle", "far"])
)


def test_pairs_of_other_distances_are_left_out_with_their_scores() -> None:
    scores = np.full(TRAIN.height, 0.5), np.array([0.1, 0.2, 0.3])
    teacher = SimpleNamespace(scores=lambda *_: scores)
    place: Any = SimpleNamespace(
        data=SimpleNamespace(train=TRAIN), unlabelled=PAIRS.select(PAIR_SCHEMA.names()), taught_by=teacher
    )
    taught = distill_trials.by_gemma(place, weight=0.5, distances=("near", "far"))
    assert taught.rows.tail(2)["candidate"].to_list() == ["a", "c"]
    assert taught.targets[-2:].tolist() == [0.1, 0.3]


def test_two_teachers_are_the_mean_of_their_logits() -> None:
    both = distill_trials.mean_of_logits(np.array([0.9, 0.5]), np.array([0.1, 0.8]))
    assert both == pytest.approx([0.5, 2 / 3])  # odds of 1 and 4


def test_the_committed_results_are_of_these_trials() -> None:
    names = [name for name, _ in distill_trials.trials()]
    committed = [line["trial"] for line in read_results(distill_trials.RESULTS)]
    assert committed[: len(names)] == names
    assert all(name.startswith("no student") for name in committed[len(names) :])
