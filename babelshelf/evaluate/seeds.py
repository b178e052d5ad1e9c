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
result, also of what was tried in its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtri, stdtrit
from scipy.stats import bartlett, f

from babelshelf.evaluate.bootstrap import Difference, Floats, Sample, difference, mean_sample
from babelshelf.evaluate.metric_names import RESAMPLED

SMALLEST_P = 1e-12
POOLING_LEVEL = 0.5  # of both tests; at 0.05 they have no power to speak of with two or three seeds


@dataclass(frozen=True)
class SeedVariance:
    """Variance of a gain over seeds, of one seed and not of the mean; `freedom` are its degrees of freedom."""

    value: float
    freedom: float


@dataclass(frozen=True)
class Comparison:
    """Two runs with each of several seeds, in the same order.

    Attributes:
        before, after: names of the runs' recipes.
        a, b: samples of the runs by seed, those of one seed with the same draws (`bootstrap.resample_sets`).
    """

    before: str
    after: str
    a: Sequence[Sample]
    b: Sequence[Sample]

    def by_seed(self, metric: str) -> Floats:
        """The gain in a metric of `RESAMPLED` with each seed, shape (n_seeds,)."""
        index = RESAMPLED.index(metric)
        return np.array([b.value[index] - a.value[index] for a, b in zip(self.a, self.b, strict=True)])


def mean_gain(
    comparison: Comparison, confidence: float, pooled: Mapping[str, SeedVariance] | None = None
) -> dict[str, Difference]:
    """The mean gain over seeds in each metric that is defined with all of them.

    With one seed the interval is that of the bootstrap over queries, as there is nothing to tell what seeds do.

    Args:
        comparison: of one seed or more.
        confidence: confidence level, such as 0.95.
        pooled: by metric a variance over seeds to use in place of the comparison's own, of `pooled_variances`.
    """
    seeds = len(comparison.a)
    mean = difference(mean_sample(comparison.a), mean_sample(comparison.b), confidence)
    if seeds == 1:
        return mean
    found = {}
    for metric, of_mean in mean.items():
        gains = comparison.by_seed(metric)
        seed = (pooled or {}).get(metric) or SeedVariance(float(gains.var(ddof=1)), seeds - 1)
        interval = _Interval(_query_covariance(comparison, metric), seed.value / seeds, seed.freedom)
        half = interval.half_width(1 - confidence)
        value = of_mean.value
        found[metric] = Difference(value, value - half, value + half, interval.p(value), seeds)
    return found


def pooled_variances(comparisons: Sequence[Comparison], metric: str) -> list[SeedVariance | None]:
    """A common variance over seeds for those of the comparisons for which two tests allow it; None for the others.

    With two or three seeds a variance of its own has one or two degrees of freedom, and the interval is wide. The mean
    of several comparisons' variances has more. It is used where Bartlett's test of equal variances ("Properties of
    sufficiency and statistical tests", Proceedings of the Royal Society A 160:268-282, 1937) and an F test of the
    comparison against all others, one-sided, do not speak against it. The level of both is 0.5: a preliminary test that
    lets variances pool must reject easily (T. A. Bancroft, "Analysis and inference for incompletely specified models
    involving the use of preliminary test(s) of significance", Biometrics 20:427-442, 1964). The test of Brown and
    Forsythe (1974) is not of use here: it is not defined for two seeds and rejects next to never with three.

    Gains that share a row are correlated, so the degrees of freedom are fewer than those of all comparisons together:
    Box's, of a sum of correlated squares (G. E. P. Box, "Some theorems on quadratic forms applied in the study of
    analysis of variance problems", Annals of Mathematical Statistics 25:290-302, 1954).

    Args:
        comparisons: of a ladder, on one task. Only those with the number of seeds that the most have are pooled; those
            whose gain does not vary, and all but one of those with the same gains, are left out.
        metric: one of `RESAMPLED`.

    Returns:
        A variance or None for each of `comparisons`.
    """
    gains = [comparison.by_seed(metric) for comparison in comparisons]
    first = _first_of_equals(gains)
    chosen = sorted({number for number in first if number is not None})
    if len(chosen) < 2 or bartlett(*(gains[number] for number in chosen)).pvalue < POOLING_LEVEL:
        return [None] * len(comparisons)
    per_gain = len(gains[chosen[0]]) - 1
    freedom = per_gain * _effective_number([comparisons[number] for number in chosen])
    variances = {number: float(gains[number].var(ddof=1)) for number in chosen}
    total = sum(variances.values())
    common = SeedVariance(total / len(chosen), freedom)

    def is_large(number: int) -> bool:
        others = (total - variances[number]) / (len(chosen) - 1)
        return bool(f.sf(variances[number] / others, per_gain, max(freedom - per_gain, 1)) < POOLING_LEVEL)

    return [None if number is None or is_large(number) else common for number in first]


def _first_of_equals(gains: Sequence[Floats]) -> list[int | None]:
    """For each gain by seed the position of the first one with the same values; None for those that are not pooled."""
    several = [len(values) for values in gains if len(values) > 1]
    usual = max(several, key=several.count, default=0)
    places: dict[tuple[float, ...], int] = {}
    return [
        places.setdefault(tuple(values.round(12)), number) if len(values) == usual and values.var() > 0 else None
        for number, values in enumerate(gains)
    ]


@dataclass(frozen=True)
class _Interval:
    """The parts of the variance of a mean gain: of queries, and of seeds with their degrees of freedom."""

    queries: float
    seeds: float
    freedom: float

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


def _effective_number(comparisons: Sequence[Comparison]) -> float:
    """The number of independent comparisons with as many degrees of freedom, if the variances of all runs are equal."""
    names = sorted({name for comparison in comparisons for name in (comparison.before, comparison.after)})
    signs = np.zeros((len(comparisons), len(names)))
    for number, comparison in enumerate(comparisons):
        signs[number, names.index(comparison.before)] -= 1
        signs[number, names.index(comparison.after)] += 1
    covariance = signs @ signs.T
    return float(np.trace(covariance) ** 2 / (covariance**2).sum())
