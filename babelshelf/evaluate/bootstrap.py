"""How sure a number is: percentile intervals from a bootstrap over query groups, and paired ones for a difference.

The rows of one query are answered alike, rightly or wrongly, so rows are not independent, but query groups are: whole
groups are drawn with replacement. A difference between two runs is taken within each resample (both runs answer the
same drawn groups), which removes what easy and hard queries do to both of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from babelshelf.core.errors import InputError
from babelshelf.evaluate.metric_names import RESAMPLED
from babelshelf.runtime.screen import progress

STREAM = 9  # this module's own stream of random numbers among those of the pipeline's seed
CELLS = 2**24  # resamples x groups that are held at a time: 64 MiB, and twice that while they are drawn
MOST = 4096  # resamples at a time: what is added up over the rows stays in the processor's cache

Floats = NDArray[np.float64]
Counts = NDArray[np.float32]  # whole numbers, exact up to 2**24


@dataclass(frozen=True)
class Pair:
    """Two runs' answers for the same rows of one task.

    Attributes:
        a, b: columns `id`, `language`, `group`, `label`, `p_yes` and `is_relevant`, in any order of rows.
    """

    a: pl.DataFrame
    b: pl.DataFrame


@dataclass(frozen=True)
class Sample:
    """`RESAMPLED` of one run, or of a mean of runs.

    Attributes:
        value: on the rows as they are, shape (n_metrics,).
        draws: in each resample, shape (n_metrics, resamples).
    """

    value: Floats
    draws: Floats


@dataclass(frozen=True)
class Difference:
    """What run b gains over run a.

    Attributes:
        value: the gain on the rows as they are.
        low, high: bounds of its interval.
        p: two-sided, of a gain of 0: twice the share of resamples on the rarer side of it, at least 2 / (resamples + 1)
            (Davison and Hinkley, "Bootstrap Methods and their Application", 1997, section 4.2).
    """

    value: float
    low: float
    high: float
    p: float


def intervals(rows: pl.DataFrame, *, resamples: int, confidence: float, seed: int) -> dict[str, float]:
    """`{<metric>_low: ..., <metric>_high: ...}` of each of `RESAMPLED`.

    Args:
        rows: labelled rows, columns `group`, `label`, `p_yes`, `is_relevant`.
        resamples: how often the groups are drawn.
        confidence: of the interval, as 0.95.
        seed: the pipeline's.
    """
    low, high = np.quantile(_samples([_Run.of(rows)], resamples, seed)[0].draws, _bounds(confidence), axis=1)
    return {
        f"{metric}_{name}": float(bound[i])
        for i, metric in enumerate(RESAMPLED)
        for name, bound in (("low", low), ("high", high))
    }


def paired_difference(
    pair: Pair, *, resamples: int, confidence: float, seed: int, languages: Sequence[str] | None = None
) -> dict[str, Difference]:
    """What b gains over a in each of `RESAMPLED`, on rows of `languages` (all where None).

    Raises:
        InputError: the two runs do not have the same rows and labels, or there is no labelled row.
    """
    return mean_difference([pair], resamples=resamples, confidence=confidence, seed=seed, languages=languages)


def mean_difference(
    pairs: Sequence[Pair], *, resamples: int, confidence: float, seed: int, languages: Sequence[str] | None = None
) -> dict[str, Difference]:
    """Like `paired_difference`, of the mean over tasks; the tasks' groups are drawn independently."""
    samples = [
        resample([pair.a, pair.b], resamples=resamples, seed=seed, data=task, languages=languages)
        for task, pair in enumerate(pairs)
    ]
    a, b = (mean_sample([both[run] for both in samples]) for run in (0, 1))
    return difference(a, b, confidence)


def resample(
    runs: Sequence[pl.DataFrame], *, resamples: int, seed: int, data: int = 0, languages: Sequence[str] | None = None
) -> list[Sample]:
    """Samples of any number of runs on the same rows; the same groups are drawn for all of them.

    Args:
        runs: tables as in `Pair`.
        resamples: how often the groups are drawn.
        seed: the pipeline's.
        data: number of the data set; what is drawn for two of them is independent.
        languages: whose rows count; all where None.

    Raises:
        InputError: the runs do not have the same rows and labels, or there is no labelled row.
    """
    return _samples(_aligned(runs, languages), resamples, seed, data)


def mean_sample(samples: Sequence[Sample]) -> Sample:
    """The mean over tasks or seeds, resample by resample."""
    return Sample(
        np.mean([sample.value for sample in samples], axis=0), np.mean([sample.draws for sample in samples], axis=0)
    )


def difference(before: Sample, after: Sample, confidence: float) -> dict[str, Difference]:
    """What `after` gains in each of `RESAMPLED`; both samples must be of the same draws."""
    value, draws = after.value - before.value, after.draws - before.draws
    low, high = np.quantile(draws, _bounds(confidence), axis=1)
    rarer = np.minimum((draws <= 0).sum(axis=1), (draws >= 0).sum(axis=1))
    p = np.minimum(1, 2 * (rarer + 1) / (draws.shape[1] + 1))
    return {m: Difference(*map(float, parts)) for m, *parts in zip(RESAMPLED, value, low, high, p, strict=True)}


@dataclass(frozen=True)
class _Run:
    """One run's labelled rows, laid out so that a resample is a matter of weights.

    Attributes:
        confusion: counts of tp, fp, fn, tn by group, shape (4, n_groups).
        group: index of the group of each row, rows by falling p(yes), shape (n_rows,).
        positive: whether each of these rows has label 1.
        last: whether each is the last one of its p(yes): average precision takes equal ones as one step.
    """

    confusion: Counts
    group: NDArray[np.intp]
    positive: NDArray[np.bool_]
    last: NDArray[np.bool_]

    @classmethod
    def of(cls, rows: pl.DataFrame) -> _Run:
        names, group = np.unique(rows["group"].to_numpy(), return_inverse=True)
        positive, p_yes, yes = rows["label"].to_numpy() == 1, rows["p_yes"].to_numpy(), rows["is_relevant"].to_numpy()
        cells = (positive & yes, ~positive & yes, positive & ~yes, ~positive & ~yes)
        confusion = np.stack([np.bincount(group, weights=cell, minlength=len(names)) for cell in cells])
        order = np.argsort(-p_yes, kind="stable")
        last = np.append(np.diff(p_yes[order]) != 0, True)
        return cls(confusion.astype(np.float32), group[order], positive[order], last)


def _aligned(runs: Sequence[pl.DataFrame], languages: Sequence[str] | None) -> list[_Run]:
    """All runs' labelled rows in one order."""
    kept = pl.col("label").is_not_null()
    if languages is not None:
        kept &= pl.col("language").is_in(list(languages))
    tables = [run.filter(kept).sort("id") for run in runs]
    shared = [table.select("id", "group", "label") for table in tables]
    if not tables[0].height or not all(table.equals(shared[0]) for table in shared):
        found = " and ".join(str(table.height) for table in tables)
        raise InputError(f"the two runs need the same labelled rows to be compared ({found} found)")
    return [_Run.of(table) for table in tables]


def _samples(runs: Sequence[_Run], resamples: int, seed: int, data: int = 0) -> list[Sample]:
    generator = np.random.default_rng([seed, STREAM, data])
    n_groups = runs[0].confusion.shape[1]
    step = max(1, min(MOST, CELLS // n_groups))
    parts: list[list[Floats]] = [[] for _ in runs]
    with progress(total=resamples, desc="bootstrap", unit="resample") as bar:
        for start in range(0, resamples, step):
            size = min(step, resamples - start)
            drawn = generator.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=size)
            weights = np.ascontiguousarray(drawn.T, dtype=np.float32)
            for part, run in zip(parts, runs, strict=True):
                part.append(_statistics(weights, run))
            bar.update(size)
    once = np.ones((n_groups, 1), dtype=np.float32)
    return [
        Sample(_statistics(once, run)[:, 0], np.concatenate(part, axis=1))
        for run, part in zip(runs, parts, strict=True)
    ]


def _statistics(weights: Counts, run: _Run) -> Floats:
    """`RESAMPLED` for each resample; `weights` (n_groups, n_resamples) says how often each group was drawn."""
    tp, fp, fn, tn = (run.confusion @ weights).astype(np.float64)
    f1 = _divide(2 * tp, 2 * tp + fp + fn)
    mcc = _divide(tp * tn - fp * fn, np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)))
    return np.stack([f1, _average_precision(weights, run), mcc])


def _average_precision(weights: Counts, run: _Run) -> Floats:
    """Sum over distinct p(yes) of the recall gained there times the precision there, for each resample.

    Row by row with all resamples at once, which needs no table of rows x resamples. Single terms have seven digits,
    their sum is kept in twice as many.
    """
    resamples = weights.shape[1]
    found, gained, term = (np.zeros(resamples, dtype=np.float32) for _ in range(3))
    taken = np.full(resamples, np.finfo(np.float32).tiny)  # not 0, so that before the first drawn row 0 / taken is 0
    area, some = np.zeros(resamples), False
    for group, positive, last in zip(run.group.tolist(), run.positive.tolist(), run.last.tolist(), strict=True):
        taken += weights[group]
        if positive:
            found += weights[group]
            gained += weights[group]
            some = True
        if last and some:
            np.divide(found, taken, out=term)
            term *= gained
            area += term
            gained[:] = 0
            some = False
    return _divide(area, found.astype(np.float64))


def _divide(numerator: Floats, denominator: Floats) -> Floats:
    """The quotient, 0 where nothing is divided by nothing."""
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)


def _bounds(confidence: float) -> tuple[float, float]:
    return (1 - confidence) / 2, (1 + confidence) / 2
