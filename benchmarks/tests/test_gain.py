"""The interval of a gain: seeds that answer one test set in the same way do not make it narrower."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.stats import ttest_1samp

from babelshelf.evaluate.bootstrap import Difference, Pair
from babelshelf.evaluate.seeds import mean_gain
from benchmarks.gain import compared


def answers(seed: int, prefix: str = "qc") -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    labels = rng.random(60) < 0.6
    p_yes = np.clip(labels * 0.3 + rng.random(60) * 0.7, 0, 1)
    return pl.DataFrame(
        {
            "id": [f"{prefix}-{i}" for i in range(60)],
            "group": [f"{i // 3}" for i in range(60)],
            "query": [f"{i // 3}" for i in range(60)],
            "language": "en",
            "label": (np.random.default_rng(0).random(60) < 0.6).astype(np.int8),
            "p_yes": p_yes,
            "is_relevant": p_yes >= 0.5,
        }
    )


def f1_gain(by_seed: list[list[Pair]]) -> Difference:
    return mean_gain(compared(by_seed, resamples=400), 0.95)["f1"]


def test_seeds_of_one_test_set_share_the_drawn_groups() -> None:
    pair = Pair(answers(1), answers(2))
    one, thrice = f1_gain([[pair]]), f1_gain([[pair]] * 3)
    assert thrice.value == pytest.approx(one.value)
    assert thrice.high - thrice.low == pytest.approx(one.high - one.low, rel=0.1)


def test_the_interval_covers_the_choice_of_seeds() -> None:
    pairs = [Pair(answers(1), answers(seed)) for seed in (2, 3, 4)]
    gains = [f1_gain([[pair]]).value for pair in pairs]
    expected = ttest_1samp(gains, 0).confidence_interval(0.95)
    found = f1_gain([[pair] for pair in pairs])
    assert found.value == pytest.approx(np.mean(gains))
    assert found.high - found.low > expected.high - expected.low


def test_tasks_are_drawn_independently() -> None:
    one = f1_gain([[Pair(answers(1), answers(2))]])
    both = f1_gain([[Pair(answers(1), answers(2)), Pair(answers(1, "qi"), answers(2, "qi"))]])
    assert both.value == pytest.approx(one.value)
    assert both.high - both.low < 0.9 * (one.high - one.low)
