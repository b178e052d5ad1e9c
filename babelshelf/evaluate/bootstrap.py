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
from babelshelf.evaluate.ranking import ndcg_by_group
from babelshelf.runtime.screen import progress

STREAM = 9  # this module's own stream of random numbers among those of the pipeline's seed
MAX_CELLS = 2**24  # resamples x groups in memory: 64 MiB, and twice that while they are drawn
MAX_RESAMPLES = 4096  # resamples at a time, so that the running sums fit the processor's cache

Floats = NDArray[np.float64]
Counts = NDArray[np.float32]  # whole numbers, exact up to 2**24


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
    sample = _samples([[_Run.of(rows)]], resamples, seed)[0][0]
    found = {}
    for metric, _, draws in _defined(sample):
        found[f"{metric}_low"], found[f"{metric}_high"] = map(float, np.quantile(draws, _bounds(confidence)))
    return found


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
    found = {}
    for metric, value, draws in _defined(gain):
        low, high = map(float, np.quantile(draws, _bounds(confidence)))
        rarer = min(int((draws <= 0).sum()), int((draws >= 0).sum()))
        p = min(1.0, 2 * (rarer + 1) / (len(draws) + 1))
        found[metric] = Difference(value, low, high, p)
    return found


def _defined(sample: Sample) -> Iterator[tuple[str, float, Floats]]:
    """The metrics that are defined: name, value, and the draws in which it is defined, too."""
    for metric, value, draws in zip(RESAMPLED, sample.value, sample.draws, strict=True):
        if not np.isnan(value):
            yield metric, float(value), draws[~np.isnan(draws)]


@dataclass(frozen=True)
class _Run:
    """Labelled rows of one run in a layout for which a resample is a weight for each group.

    Attributes:
        names: of the groups, sorted.
        confusion: counts of tp, fp, fn, tn by group, shape (4, n_groups).
        group: index of the group of each row, in descending order of p(yes), shape (n_rows,).
        positive: whether each of these rows has label 1, shape (n_rows,).
        last: whether each row is the last one with its p(yes), as average precision takes ties as one step.
        ndcg: nDCG@10 by group, 0 where it is not defined, and whether it is, shape (2, n_groups).
    """

    names: NDArray[np.object_]
    confusion: Counts
    group: NDArray[np.intp]
    positive: NDArray[np.bool_]
    last: NDArray[np.bool_]
    ndcg: Counts

    @classmethod
    def of(cls, rows: pl.DataFrame) -> _Run:
        names, group = np.unique(rows["group"].to_numpy(), return_inverse=True)
        positive, p_yes, yes = rows["label"].to_numpy() == 1, rows["p_yes"].to_numpy(), rows["is_relevant"].to_numpy()
        cells = (positive & yes, ~positive & yes, positive & ~yes, ~positive & ~yes)
        confusion = np.stack([np.bincount(group, weights=cell, minlength=len(names)) for cell in cells])
        order = np.argsort(-p_yes, kind="stable")
        last = np.append(np.diff(p_yes[order]) != 0, True)
        by_group = pl.DataFrame({"group": names}).join(
            ndcg_by_group(rows), on="group", how="left", maintain_order="left"
        )
        ndcg = by_group.select(pl.col("ndcg").fill_null(0), defined=pl.col("ndcg").is_not_null()).to_numpy().T
        return cls(names, confusion.astype(np.float32), group[order], positive[order], last, ndcg.astype(np.float32))

    def value(self) -> Floats:
        return _statistics(np.ones((len(self.names), 1), dtype=np.float32), self)[:, 0]


def _aligned(runs: Sequence[pl.DataFrame], languages: Sequence[str] | None) -> list[_Run]:
    """The labelled rows of all runs in the same order."""
    selected = pl.col("label").is_not_null()
    if languages is not None:
        selected &= pl.col("language").is_in(list(languages))
    tables = [run.filter(selected).sort("id") for run in runs]
    shared = [table.select("id", "group", "label") for table in tables]
    if not tables[0].height or not all(table.equals(shared[0]) for table in shared):
        sizes = " and ".join(str(table.height) for table in tables)
        raise InputError(f"the two runs need the same labelled rows to be compared ({sizes} found)")
    return [_Run.of(table) for table in tables]


def _samples(sets: Sequence[Sequence[_Run]], resamples: int, seed: int, data: int = 0) -> list[list[Sample]]:
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
                    part.append(_statistics(weights[place], run))
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


def _statistics(weights: Counts, run: _Run) -> Floats:
    """`RESAMPLED` for each resample; `weights` are the counts of each group, shape (n_groups, n_resamples)."""
    tp, fp, fn, tn = (run.confusion @ weights).astype(np.float64)
    f1 = _divide(2 * tp, 2 * tp + fp + fn)
    mcc = _divide(tp * tn - fp * fn, np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)))
    ndcg, defined = (run.ndcg @ weights).astype(np.float64)
    return np.stack([f1, _average_precision(weights, run), mcc, np.where(defined > 0, _divide(ndcg, defined), np.nan)])


def _average_precision(weights: Counts, run: _Run) -> Floats:
    """Average precision of each resample: the sum over distinct p(yes) of the gain in recall times the precision.

    It goes through the rows with all resamples at once, which needs no table of rows x resamples. The terms are float32
    and their sum is float64.
    """
    resamples = weights.shape[1]
    true_positives, gained, term = (np.zeros(resamples, dtype=np.float32) for _ in range(3))
    taken = np.full(resamples, np.finfo(np.float32).tiny)  # not 0, so that 0 / taken is 0 before the first drawn row
    area, some = np.zeros(resamples), False
    for group, positive, last in zip(run.group.tolist(), run.positive.tolist(), run.last.tolist(), strict=True):
        taken += weights[group]
        if positive:
            true_positives += weights[group]
            gained += weights[group]
            some = True
        if last and some:
            np.divide(true_positives, taken, out=term)
            term *= gained
            area += term
            gained[:] = 0
            some = False
    return _divide(area, true_positives.astype(np.float64))


def _divide(numerator: Floats, denominator: Floats) -> Floats:
    """The quotient, 0 where the denominator is 0."""
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)


def _bounds(confidence: float) -> tuple[float, float]:
    return (1 - confidence) / 2, (1 + confidence) / 2
