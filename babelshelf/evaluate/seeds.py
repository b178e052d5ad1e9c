"""The mean gain over seeds, with one interval for both sources of its variance: the test queries and the seeds.

Another seed trains another model, and with some sources it also cuts another test set. A bootstrap over queries does
not see that, and a percentile bootstrap over two or three seeds is far too narrow. Here the variance of the mean gain
over S seeds is

    C + s^2 / S

C is the covariance of two seeds' gains that the test queries make; the bootstrap over query groups estimates it, and it
is 0 where seeds have no query in common. s^2 is the variance of the gains over seeds, which holds all else: the seeds,
and how a model's errors fall on the queries. The interval is the mean plus and minus t times the root of that variance,
where t is Cochran's: the quantiles of the normal distribution and of Student's t with the degrees of freedom of s^2,
weighted by C and s^2 / S (W. G. Cochran, "Approximate significance levels of the Behrens-Fisher test", Biometrics
20:191-195, 1964). `benchmarks/interval_coverage.py` measures how often it contains the truth; docs/method.md has the
result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtri, stdtrit

from babelshelf.evaluate.bootstrap import Difference, Sample, difference, mean_sample
from babelshelf.evaluate.metric_names import RESAMPLED
from babelshelf.evaluate.weighted_metrics import Floats

SMALLEST_P = 1e-12


@dataclass(frozen=True)
class Comparison:
    """Two runs with each of several seeds, in the same order.

    Attributes:
        a, b: samples of the runs by seed, those of one seed with the same draws (`bootstrap.resample_sets`).
    """

    a: Sequence[Sample]
    b: Sequence[Sample]

    def by_seed(self, metric: str) -> Floats:
        """The gain in a metric of `RESAMPLED` with each seed, shape (n_seeds,)."""
        index = RESAMPLED.index(metric)
        return np.array([b.value[index] - a.value[index] for a, b in zip(self.a, self.b, strict=True)])


def mean_gain(comparison: Comparison, confidence: float) -> dict[str, Difference]:
    """The mean gain over seeds in each metric that is defined with all of them.

    With one seed the interval is that of the bootstrap over queries, as there is nothing to tell what seeds do.

    Args:
        comparison: of one seed or more.
        confidence: confidence level, such as 0.95.
    """
    seeds = len(comparison.a)
    mean = difference(mean_sample(comparison.a), mean_sample(comparison.b), confidence)
    if seeds == 1:
        return mean
    gains = {}
    for metric, of_mean in mean.items():
        of_seeds = float(comparison.by_seed(metric).var(ddof=1)) / seeds
        interval = _Interval(_query_covariance(comparison, metric), of_seeds, seeds - 1)
        half = interval.half_width(1 - confidence)
        value = of_mean.value
        gains[metric] = Difference(value, value - half, value + half, interval.p(value), seeds)
    return gains


@dataclass(frozen=True)
class _Interval:
    """The parts of the variance of a mean gain: of queries, and of seeds with their degrees of freedom."""

    queries: float
    seeds: float
    freedom: int

    def half_width(self, alpha: float) -> float:
        """Cochran's t for a two-sided level, times the standard error."""
        total = self.queries + self.seeds
        if total <= 0:
            return 0.0
        quantile = -self.queries * ndtri(alpha / 2) - self.seeds * stdtrit(self.freedom, alpha / 2)
        return float(quantile / total * np.sqrt(total))

    def p(self, value: float) -> float:
        """Two-sided p value of no gain: the level at which the interval around `value` just reaches 0."""
        if value == 0:
            return 1.0
        if self.half_width(SMALLEST_P) <= abs(value):
            return SMALLEST_P
        return float(brentq(lambda alpha: self.half_width(alpha) - abs(value), SMALLEST_P, 1.0))


def _query_covariance(comparison: Comparison, metric: str) -> float:
    """Mean covariance of the gains of two seeds over resampled queries, at least 0."""
    index, seeds = RESAMPLED.index(metric), len(comparison.a)
    draws = np.stack([b.draws[index] - a.draws[index] for a, b in zip(comparison.a, comparison.b, strict=True)])
    draws = draws[:, ~np.isnan(draws).any(axis=0)]
    own = draws.var(axis=1, ddof=1).sum()
    return max(0.0, float((seeds**2 * draws.mean(axis=0).var(ddof=1) - own) / (seeds * (seeds - 1))))
