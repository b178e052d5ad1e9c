"""Whether two models agree on what a recipe gains, from the results' file, with its uncertainty.

A gain's interval is that of `babelshelf.evaluate.seeds`, for test queries and seeds. The agreement of two models has no
such interval: it is computed in draws, of test's query groups and, by Student's t with the degrees of freedom of the
seeds' variance, of what the mean over seeds may be off by: the same groups for both, and seeds of each one's own. The
classifier without added rows is the same for all seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import kendalltau, spearmanr

from babelshelf.evaluate.bootstrap import Sample, mean_sample
from babelshelf.evaluate.metric_names import RESAMPLED
from babelshelf.evaluate.seeds import Comparison, mean_gain
from benchmarks.proxy_truth.data_sets import NONE
from benchmarks.proxy_truth.results import AVERAGE_PRECISION

Floats = npt.NDArray[np.float64]
Result = dict[str, Any]

PLACE = RESAMPLED.index(AVERAGE_PRECISION)
CONFIDENCE = 0.95
FEWEST_SEEDS = 2
INTERVAL = (2.5, 97.5)
REPEATS = 10  # of each draw of query groups, with other draws of the seeds
SEED = 1


@dataclass(frozen=True)
class Gains:
    """What recipes gain over `none`, in points.

    Attributes:
        recipes: their names, without `none`.
        value: shape (recipes,).
        bounds: ends of the intervals, shape (2, recipes).
        draws: shape (draws, recipes).
        level: AP in per cent of `none`.
    """

    recipes: list[str]
    value: Floats
    bounds: Floats
    draws: Floats
    level: float

    def of(self, recipes: Sequence[str]) -> Gains:
        """Those of some recipes."""
        places = [self.recipes.index(recipe) for recipe in recipes]
        return Gains(list(recipes), self.value[places], self.bounds[:, places], self.draws[:, places], self.level)


def gains(results: Sequence[Result], metric: str) -> Gains:
    """Gains of one model on one data set, of the recipes that were run with some seeds of `none`, on these seeds.

    A recipe with one seed has no interval that knows the seed, so it is left out beside others with several.
    """
    by_recipe: dict[str, dict[int, Sample]] = {}
    for result in results:
        by_recipe.setdefault(result["recipe"], {})[result["seed"]] = sample_of(result, metric, AVERAGE_PRECISION)
    base = by_recipe.pop(NONE)
    seeds = {recipe: sorted(base.keys() & runs.keys()) for recipe, runs in by_recipe.items()}
    pairs = {
        recipe: Comparison([base[seed] for seed in seeds[recipe]], [runs[seed] for seed in seeds[recipe]])
        for recipe, runs in by_recipe.items()
        if len(seeds[recipe]) >= min(len(base), FEWEST_SEEDS)
    }
    found = [mean_gain(pair, CONFIDENCE)[AVERAGE_PRECISION] for pair in pairs.values()]
    rng = np.random.default_rng([SEED, *metric.encode(), *str(results[0].get("model")).encode()])
    draws = [_draws(pair, rng) for pair in pairs.values()]
    return Gains(
        list(pairs),
        100 * np.array([one.value for one in found]),
        100 * np.array([[one.low for one in found], [one.high for one in found]]),
        100 * np.array(draws).T,
        100 * float(mean_sample(list(base.values())).value[PLACE]),
    )


def sample_of(result: Result, name: str, metric: str) -> Sample:
    """A run as `babelshelf.evaluate` has it, with one metric alone, which the result has under `name`."""
    place = RESAMPLED.index(metric)
    value = np.full(len(RESAMPLED), np.nan)
    draws = np.full((len(RESAMPLED), len(result[f"{name}_draws"])), np.nan)
    value[place], draws[place] = result[name], result[f"{name}_draws"]
    return Sample(value, draws)


def _draws(pair: Comparison, rng: np.random.Generator) -> Floats:
    """Draws of a mean gain: of query groups, `REPEATS` times each, and of what the seeds add."""
    seeds = len(pair.a)
    of_queries = np.tile(mean_sample(pair.b).draws[PLACE] - mean_sample(pair.a).draws[PLACE], REPEATS)
    if seeds == 1:
        return of_queries
    deviation = pair.by_seed(AVERAGE_PRECISION).std(ddof=1)
    noise: Floats = deviation / np.sqrt(seeds) * rng.standard_t(seeds - 1, len(of_queries))
    return of_queries + noise


@dataclass(frozen=True)
class Agreement:
    """How far two models agree: each a value and the ends of its interval."""

    kendall: tuple[float, float, float]
    spearman: tuple[float, float, float]
    signs: tuple[float, float, float]


def agreement(lm: Gains, classifier: Gains) -> Agreement:
    """Over the same recipes; for the rank correlations `none`, whose gain is 0, is one of them."""
    return Agreement(
        _with_interval(_kendall, lm, classifier),
        _with_interval(_spearman, lm, classifier),
        _with_interval(_same_signs, lm, classifier),
    )


def _with_interval(statistic: Any, lm: Gains, classifier: Gains) -> tuple[float, float, float]:  # noqa: ANN401
    draws = [statistic(a, b) for a, b in zip(lm.draws, classifier.draws, strict=True)]
    low, high = np.percentile(draws, INTERVAL)
    return float(statistic(lm.value, classifier.value)), float(low), float(high)


def _kendall(a: Floats, b: Floats) -> float:
    return float(kendalltau(np.append(a, 0), np.append(b, 0)).statistic)


def _spearman(a: Floats, b: Floats) -> float:
    return float(spearmanr(np.append(a, 0), np.append(b, 0)).statistic)


def _same_signs(a: Floats, b: Floats) -> float:
    return float(np.mean(np.sign(a) == np.sign(b)))
