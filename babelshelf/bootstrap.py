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
from tqdm import tqdm

from babelshelf.errors import InputError

METRICS = ("f1", "average_precision", "mcc")

STREAM = 9  # this module's own stream of random numbers among those of the pipeline's seed
CELLS = 2**22  # resamples x rows that are held at a time: 32 MiB an array

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Pair:
    """Two runs' predictions for the same rows of one task.

    Attributes:
        a, b: columns `id`, `language`, `group`, `label` and `p_yes`, in any order of rows.
        threshold_a, threshold_b: the runs' own thresholds.
    """

    a: pl.DataFrame
    b: pl.DataFrame
    threshold_a: float
    threshold_b: float


@dataclass(frozen=True)
class Difference:
    """What run b gains over run a, with the bounds of its interval."""

    value: float
    low: float
    high: float


def intervals(
    rows: pl.DataFrame, threshold: float, *, resamples: int, confidence: float, seed: int
) -> dict[str, float]:
    """`{<metric>_low: ..., <metric>_high: ...}` of each of `METRICS`.

    Args:
        rows: labelled rows, columns `group`, `label`, `p_yes`.
        threshold: a pair is relevant where p(yes) >= threshold.
        resamples: how often the groups are drawn.
        confidence: of the interval, as 0.95.
        seed: the pipeline's.
    """
    draws = _draws([_Run.of(rows, threshold)], resamples, seed)[0]
    low, high = np.quantile(draws, _bounds(confidence), axis=1)
    return {
        f"{metric}_{name}": float(bound[i])
        for i, metric in enumerate(METRICS)
        for name, bound in (("low", low), ("high", high))
    }


def paired_difference(
    pair: Pair, *, resamples: int, confidence: float, seed: int, languages: Sequence[str] | None = None
) -> dict[str, Difference]:
    """What b gains over a in each of `METRICS`, on rows of `languages` (all where None).

    Raises:
        InputError: the two runs do not have the same rows and labels, or there is no labelled row.
    """
    return mean_difference([pair], resamples=resamples, confidence=confidence, seed=seed, languages=languages)


def mean_difference(
    pairs: Sequence[Pair], *, resamples: int, confidence: float, seed: int, languages: Sequence[str] | None = None
) -> dict[str, Difference]:
    """Like `paired_difference`, of the mean over tasks; the tasks' groups are drawn independently."""
    values, draws = [], []
    for task, pair in enumerate(pairs):
        runs = _aligned(pair, languages)
        a, b = (_statistics(np.ones((1, run.confusion.shape[0])), run)[:, 0] for run in runs)
        values.append(b - a)
        draws_a, draws_b = _draws(runs, resamples, seed, task)
        draws.append(draws_b - draws_a)
    value = np.mean(values, axis=0)
    low, high = np.quantile(np.mean(draws, axis=0), _bounds(confidence), axis=1)
    return {m: Difference(float(value[i]), float(low[i]), float(high[i])) for i, m in enumerate(METRICS)}


@dataclass(frozen=True)
class _Run:
    """One run's labelled rows, laid out so that a resample is a matter of weights.

    Attributes:
        confusion: counts of tp, fp, fn, tn by group, shape (n_groups, 4).
        group: index of the group of each row, rows by falling p(yes), shape (n_rows,).
        positive: 1 or 0 for each of these rows.
        ends: the last row of each run of equal p(yes), which average precision takes as one step.
    """

    confusion: Floats
    group: NDArray[np.intp]
    positive: Floats
    ends: NDArray[np.intp]

    @classmethod
    def of(cls, rows: pl.DataFrame, threshold: float) -> _Run:
        names, group = np.unique(rows["group"].to_numpy(), return_inverse=True)
        positive, p_yes = rows["label"].to_numpy() == 1, rows["p_yes"].to_numpy()
        yes = p_yes >= threshold
        cells = (positive & yes, ~positive & yes, positive & ~yes, ~positive & ~yes)
        confusion = np.zeros((len(names), len(cells)))
        for column, cell in enumerate(cells):
            confusion[:, column] = np.bincount(group, weights=cell, minlength=len(names))
        order = np.argsort(-p_yes, kind="stable")
        ends = np.append(np.flatnonzero(np.diff(p_yes[order])), len(order) - 1)
        return cls(confusion, group[order], positive[order].astype(np.float64), ends)


def _aligned(pair: Pair, languages: Sequence[str] | None) -> list[_Run]:
    """Both runs' labelled rows in one order."""
    kept = pl.col("label").is_not_null()
    if languages is not None:
        kept &= pl.col("language").is_in(list(languages))
    a, b = (run.filter(kept).sort("id") for run in (pair.a, pair.b))
    shared = ["id", "group", "label"]
    if not a.height or not a.select(shared).equals(b.select(shared)):
        raise InputError(f"the two runs need the same labelled rows to be compared ({a.height} and {b.height} found)")
    return [_Run.of(a, pair.threshold_a), _Run.of(b, pair.threshold_b)]


def _draws(runs: Sequence[_Run], resamples: int, seed: int, task: int = 0) -> list[Floats]:
    """Each run's metrics in each resample, the same groups drawn for all; an array (n_metrics, resamples) a run."""
    generator = np.random.default_rng([seed, STREAM, task])
    n_groups, n_rows = runs[0].confusion.shape[0], runs[0].group.shape[0]
    step = max(1, CELLS // n_rows)
    parts: list[list[Floats]] = [[] for _ in runs]
    with tqdm(total=resamples, desc="bootstrap", unit=" resamples", delay=2, leave=False) as bar:
        for start in range(0, resamples, step):
            size = min(step, resamples - start)
            weights = generator.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=size).astype(np.float64)
            for part, run in zip(parts, runs, strict=True):
                part.append(_statistics(weights, run))
            bar.update(size)
    return [np.concatenate(part, axis=1) for part in parts]


def _statistics(weights: Floats, run: _Run) -> Floats:
    """`METRICS` for each resample; `weights` (n_resamples, n_groups) says how often each group was drawn."""
    tp, fp, fn, tn = (weights @ run.confusion).T
    f1 = _divide(2 * tp, 2 * tp + fp + fn)
    mcc = _divide(tp * tn - fp * fn, np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)))
    return np.stack([f1, _average_precision(weights, run), mcc])


def _average_precision(weights: Floats, run: _Run) -> Floats:
    """Sum over distinct p(yes) of the recall gained there times the precision there, for each resample."""
    drawn = weights[:, run.group]
    taken = np.cumsum(drawn, axis=1)[:, run.ends]
    drawn *= run.positive
    found = np.cumsum(drawn, axis=1)[:, run.ends]
    precision = _divide(found, taken)
    return _divide((np.diff(found, axis=1, prepend=0) * precision).sum(axis=1), found[:, -1])


def _divide(numerator: Floats, denominator: Floats) -> Floats:
    """The quotient, 0 where nothing is divided by nothing."""
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)


def _bounds(confidence: float) -> tuple[float, float]:
    return (1 - confidence) / 2, (1 + confidence) / 2
