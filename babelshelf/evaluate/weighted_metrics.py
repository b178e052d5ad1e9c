"""Metrics of a run whose query groups count once, several times or not at all, as in a bootstrap's resample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from babelshelf.evaluate.ranking import ndcg_by_query

Floats = NDArray[np.float64]
Counts = NDArray[np.float32]  # whole numbers, exact up to 2**24


@dataclass(frozen=True)
class GroupedRun:
    """Labelled rows of one run in a layout for which a resample is a weight for each group.

    Attributes:
        names: of the groups, sorted.
        confusion: counts of tp, fp, fn, tn by group, shape (4, n_groups).
        group: index of the group of each row, in descending order of p(yes), shape (n_rows,).
        positive: whether each of these rows has label 1, shape (n_rows,).
        last: whether each row is the last one with its p(yes), as average precision takes ties as one step.
        ndcg: sum of the queries' nDCG@10 by group, and number of the queries that have one, shape (2, n_groups).
    """

    names: NDArray[np.object_]
    confusion: Counts
    group: NDArray[np.intp]
    positive: NDArray[np.bool_]
    last: NDArray[np.bool_]
    ndcg: Counts

    @classmethod
    def of(cls, rows: pl.DataFrame) -> GroupedRun:
        """The layout of labelled rows with `group`, `language`, `query`, `label`, `p_yes` and `is_relevant`."""
        names, group = np.unique(rows["group"].to_numpy(), return_inverse=True)
        positive, p_yes, yes = rows["label"].to_numpy() == 1, rows["p_yes"].to_numpy(), rows["is_relevant"].to_numpy()
        cells = (positive & yes, ~positive & yes, positive & ~yes, ~positive & ~yes)
        confusion = np.stack([np.bincount(group, weights=cell, minlength=len(names)) for cell in cells])
        order = np.argsort(-p_yes, kind="stable")
        last = np.append(np.diff(p_yes[order]) != 0, True)
        of_groups = ndcg_by_query(rows).group_by("group").agg(pl.col("ndcg").sum(), queries=pl.len())
        by_group = pl.DataFrame({"group": names}).join(of_groups, on="group", how="left", maintain_order="left")
        ndcg = by_group.select(pl.col("ndcg", "queries").fill_null(0)).to_numpy().T
        return cls(names, confusion.astype(np.float32), group[order], positive[order], last, ndcg.astype(np.float32))

    def value(self) -> Floats:
        """`RESAMPLED` with each group once, shape (n_metrics,)."""
        return statistics(np.ones((len(self.names), 1), dtype=np.float32), self)[:, 0]


def statistics(weights: Counts, run: GroupedRun) -> Floats:
    """`RESAMPLED` for each resample; `weights` are the counts of each group, shape (n_groups, n_resamples)."""
    tp, fp, fn, tn = (run.confusion @ weights).astype(np.float64)
    f1 = _divide(2 * tp, 2 * tp + fp + fn)
    mcc = _divide(tp * tn - fp * fn, np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)))
    ndcg, defined = (run.ndcg @ weights).astype(np.float64)
    return np.stack([f1, _average_precision(weights, run), mcc, np.where(defined > 0, _divide(ndcg, defined), np.nan)])


def _average_precision(weights: Counts, run: GroupedRun) -> Floats:
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
