"""The interval of a gain does not become narrower by seeds that answer the same test set in the same way."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from babelshelf.evaluate.bootstrap import Pair
from benchmarks.gain import mean_gain


def answers(seed: int, prefix: str = "qc") -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    labels = rng.random(60) < 0.6
    p_yes = np.clip(labels * 0.3 + rng.random(60) * 0.7, 0, 1)
    return pl.DataFrame(
        {
            "id": [f"{prefix}-{i}" for i in range(60)],
            "group": [f"{i // 3}" for i in range(60)],
            "language": "en",
            "label": (np.random.default_rng(0).random(60) < 0.6).astype(np.int8),
            "p_yes": p_yes,
            "is_relevant": p_yes >= 0.5,
        }
    )


def test_seeds_of_one_test_set_share_the_drawn_groups() -> None:
    pair = Pair(answers(1), answers(2))
    one, twice = mean_gain([pair], resamples=200), mean_gain([pair, pair], resamples=200)
    assert twice == one


def test_tasks_are_drawn_independently() -> None:
    one = mean_gain([Pair(answers(1), answers(2))], resamples=200)["f1"]
    both = mean_gain([Pair(answers(1), answers(2)), Pair(answers(1, "qi"), answers(2, "qi"))], resamples=200)["f1"]
    assert both.value == pytest.approx(one.value)
    assert both.high - both.low < 0.9 * (one.high - one.low)
