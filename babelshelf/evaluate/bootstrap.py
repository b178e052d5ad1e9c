"""Confidence intervals of metrics by a percentile bootstrap over query groups, and paired ones of differences.

Predictions for the rows of one query are correlated, so rows are not independent, but query groups are: whole groups
are drawn with replacement. A difference between two runs is taken within each resample, so that the varying difficulty
of queries cancels out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from babelshelf.core.errors import InputError
from babelshelf.evaluate.metric_names import RESAMPLED
from babelshelf.evaluate.weighted_metrics import Floats, GroupedRun, statistics
from babelshelf.runtime.screen import progress

STREAM = 9  # this module's own stream of random numbers among those of the pipeline's seed
MAX_CELLS = 2**24  # resamples x groups in memory: 64 MiB, and twice that while they are drawn
MAX_RESAMPLES = 4096  # resamples at a time, so that the running sums fit the processor's cache


@dataclass(frozen=True)
class Pair:
    """Predictions of two runs for the same rows of one task.

    Attributes:
        a, b: columns `id`, `language`, `group`, `label`, `p_yes` and `is_relevant`, in any order of rows.
    """

    a: pl.DataFrame
    b: pl.DataFrame


@dataclass(frozen=True)
class Sample:
    """`RESAMPLED` of one run, or of a mean of runs.

    Attributes:
        value: on all rows, shape (n_metrics,); NaN where a metric is not defined (nDCG@10 without mixed groups).
        draws: in each resample, shape (n_metrics, n_resamples); NaN likewise.
    """

    value: Floats
    draws: Floats


@dataclass(frozen=True)
class Difference:
    """The difference of a metric, run b minus run a.

    Attributes:
        value: the difference on all rows.
        low, high: bounds of its interval.
        p: two-sided p value of no difference. Of one run: twice the share of resamples on the rarer side of 0, at least
            2 / (n_resamples + 1) (Davison and Hinkley, "Bootstrap Methods and their Application", 1997, section 4.2).
        seeds: number of seeds that it is the mean over. Of one seed the interval covers the choice of test queries
            alone; of several it also covers the choice of seeds (`seeds.mean_gain`).
    """

    value: float
    low: float
    high: float
    p: float
    seeds: int = 1


def intervals(rows: pl.DataFrame, *, resamples: int, confidence: float, seed: int) -> dict[str, float]:
    """`{<metric>_low: ..., <metric>_high: ...}` of each of `RESAMPLED` that is defined.

    Args:
        rows: labelled rows, columns `group`, `label`, `p_yes`, `is_relevant`.
        resamples: number of resamples.
        confidence: confidence level, such as 0.95.
        seed: the pipeline's seed.
    """
    sample = _samples([[GroupedRun.of(rows)]], resamples, seed)[0][0]
    bounds = {}
    for metric, _, draws in _defined(sample):
        bounds[f"{metric}_low"], bounds[f"{metric}_high"] = map(float, np.quantile(draws, _bounds(confidence)))
    return bounds


def paired_difference(
    pair: Pair, *, resamples: int, confidence: float, seed: int, languages: Sequence[str] | None = None
) -> dict[str, Difference]:
    """Difference b minus a of each of `RESAMPLED` that is defined, on rows of `languages` (None: all).

    Raises:
        InputError: the runs do not have the same rows and labels, or there is no labelled row.
    """
    before, after = resample([pair.a, pair.b], resamples=resamples, seed=seed, languages=languages)
    return difference(before, after, confidence)


def resample(
    runs: Sequence[pl.DataFrame], *, resamples: int, seed: int, data: int = 0, languages: Sequence[str] | None = None
) -> list[Sample]:
    """Samples of any number of runs on the same rows, with the same drawn groups for all runs.

    Args:
        runs: tables as in `Pair`.
        resamples: number of resamples.
        seed: the pipeline's seed.
        data: number of the data set; the draws of different data sets are independent.
        languages: languages of the rows to use; None: all.

    Raises:
        InputError: the runs do not have the same rows and labels, or there is no labelled row.
    """
    return resample_sets([runs], resamples=resamples, seed=seed, data=data, languages=languages)[0]


def resample_sets(
    sets: Sequence[Sequence[pl.DataFrame]],
    *,
    resamples: int,
    seed: int,
    data: int = 0,
    languages: Sequence[str] | None = None,
) -> list[list[Sample]]:
    """Like `resample`, for several test sets, such as those of several seeds.

    A group is drawn once for all sets that have it: the sets of seeds may be one and the same, may overlap, or may have
    no group in common. Groups are drawn within strata: those that the same sets have.

    Args:
        sets: of each test set the runs to compare, tables as in `Pair`.
        resamples: number of resamples.
        seed: the pipeline's seed.
        data: number of the data set; the draws of different data sets are independent.
        languages: languages of the rows to use; None: all.

    Returns:
        The samples in the shape of `sets`.

    Raises:
        InputError: the runs on a set do not have the same rows and labels, or it has no labelled row.
    """
    return _samples([_aligned(runs, languages) for runs in sets], resamples, seed, data)


def mean_sample(samples: Sequence[Sample]) -> Sample:
    """Mean over tasks or seeds, resample by resample."""
    return Sample(
        np.mean([sample.value for sample in samples], axis=0), np.mean([sample.draws for sample in samples], axis=0)
    )


def difference(before: Sample, after: Sample, confidence: float) -> dict[str, Difference]:
    """Difference `after` minus `before` of each of `RESAMPLED` that is defined; both must come from the same draws."""
    gain = Sample(after.value - before.value, after.draws - before.draws)
    differences = {}
    for metric, value, draws in _defined(gain):
        low, high = map(float, np.quantile(draws, _bounds(confidence)))
        rarer = min(int((draws <= 0).sum()), int((draws >= 0).sum()))
        p = min(1.0, 2 * (rarer + 1) / (len(draws) + 1))
        differences[metric] = Difference(value, low, high, p)
    return differences


def _defined(sample: Sample) -> Iterator[tuple[str, float, Floats]]:
    """The metrics that are defined: name, value, and the draws in which it is defined, too."""
    for metric, value, draws in zip(RESAMPLED, sample.value, sample.draws, strict=True):
        if not np.isnan(value):
            yield metric, float(value), draws[~np.isnan(draws)]


def _aligned(runs: Sequence[pl.DataFrame], languages: Sequence[str] | None) -> list[GroupedRun]:
    """The labelled rows of all runs in the same order."""
    selected = pl.col("label").is_not_null()
    if languages is not None:
        selected &= pl.col("language").is_in(list(languages))
    tables = [run.filter(selected).sort("id") for run in runs]
    shared = [table.select("id", "group", "label") for table in tables]
    if not tables[0].height or not all(table.equals(shared[0]) for table in shared):
        sizes = " and ".join(str(table.height) for table in tables)
        raise InputError(f"the two runs need the same labelled rows to be compared ({sizes} found)")
    return [GroupedRun.of(table) for table in tables]


def _samples(sets: Sequence[Sequence[GroupedRun]], resamples: int, seed: int, data: int = 0) -> list[list[Sample]]:
    """Samples of the runs on each set; all runs on a set have the same groups."""
    generator = np.random.default_rng([seed, STREAM, data])
    names = np.unique(np.concatenate([runs[0].names for runs in sets]))
    places = [np.searchsorted(names, runs[0].names) for runs in sets]
    strata = _strata(places, len(names))
    step = max(1, min(MAX_RESAMPLES, MAX_CELLS // len(names)))
    parts: list[list[list[Floats]]] = [[[] for _ in runs] for runs in sets]
    with progress(total=resamples, desc="bootstrap", unit="resample") as bar:
        for start in range(0, resamples, step):
            size = min(step, resamples - start)
            weights = np.empty((len(names), size), dtype=np.float32)
            for stratum in strata:
                n = len(stratum)
                weights[stratum] = generator.multinomial(n, np.full(n, 1 / n), size=size).T
            for place, runs, of_set in zip(places, sets, parts, strict=True):
                for run, part in zip(runs, of_set, strict=True):
                    part.append(statistics(weights[place], run))
            bar.update(size)
    return [
        [Sample(run.value(), np.concatenate(part, axis=1)) for run, part in zip(*pair, strict=True)]
        for pair in zip(sets, parts, strict=True)
    ]


def _strata(places: Sequence[NDArray[np.intp]], n_groups: int) -> list[NDArray[np.intp]]:
    """Indices of the groups that are in the same sets, a part for each combination of sets that occurs."""
    members = np.stack([np.isin(np.arange(n_groups), place) for place in places], axis=1)
    _, stratum = np.unique(members, axis=0, return_inverse=True)
    return [np.flatnonzero(stratum == number) for number in range(int(stratum.max()) + 1)]


def _bounds(confidence: float) -> tuple[float, float]:
    return (1 - confidence) / 2, (1 + confidence) / 2
