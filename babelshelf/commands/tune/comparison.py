"""Paired differences between the scores of two recipes on the same splits, by a bootstrap over query groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from babelshelf.commands.tune.recipe import Scores
from babelshelf.commands.tune.splits import Split
from babelshelf.commands.tune.task_data import Mask
from babelshelf.evaluate.bootstrap import Sample, mean_sample, resample
from babelshelf.evaluate.metric_names import RESAMPLED
from babelshelf.evaluate.weighted_metrics import Floats

CHOICE_RESAMPLES = 100  # for a standard error
AP = RESAMPLED.index("average_precision")


@dataclass(frozen=True)
class Paired:
    """Differences, second minus first, of each of `RESAMPLED`, as means over splits.

    Attributes:
        draws: shape (n_metrics, n_resamples).
        by_split: shape (n_metrics, n_splits).
        before, after: values of the two, means over splits, shape (n_metrics,).
    """

    draws: Floats
    by_split: Floats
    before: Floats
    after: Floats

    @property
    def standard_error(self) -> float:
        """Of average precision."""
        return float(self.draws[AP].std(ddof=1))


def paired(
    rows: pl.DataFrame,
    splits: Sequence[Split],
    before: Mapping[str, Scores],
    after: Mapping[str, Scores],
    *,
    seed: int,
    resamples: int = CHOICE_RESAMPLES,
    region: Callable[[Split], Mask] | None = None,
    thresholds: tuple[Mapping[str, float], Mapping[str, float]] | None = None,
) -> Paired:
    """Paired differences on the rows that the splits measure on.

    Whole query groups are drawn, independently for each split, and both recipes are measured on the same draw.

    Args:
        rows: the labelled rows.
        splits: where to measure; one without both labels is left out.
        before: p(yes) by split, see `Evaluator.scores`.
        after: likewise.
        seed: of the draws.
        resamples: number of draws.
        region: which of a split's rows to measure on, shape (n_rows,); all by default.
        thresholds: by split, of `before` and of `after`; 0.5 by default.

    Raises:
        ValueError: no split has both labels.
    """
    samples: list[list[Sample]] = []
    for number, split in enumerate(splits):
        chosen = split.test & region(split) if region else split.test
        labels = rows["label"].to_numpy()[chosen]
        if not len(labels) or labels.min() == labels.max():
            continue
        runs = []
        for place, scores in enumerate((before, after)):
            cut = thresholds[place][split.name] if thresholds else 0.5
            p_yes = scores[split.name][chosen[split.test]].astype(np.float64)
            table = rows.filter(pl.Series(chosen)).select("id", "language", "group", "query", "label")
            runs.append(table.with_columns(p_yes=p_yes, is_relevant=p_yes >= cut))
        samples.append(resample(runs, resamples=resamples, seed=seed, data=number))
    if not samples:
        raise ValueError("no split has rows with both labels")
    means = [mean_sample([both[run] for both in samples]) for run in (0, 1)]
    by_split = np.stack([both[1].value - both[0].value for both in samples], axis=1)
    return Paired(means[1].draws - means[0].draws, by_split, means[0].value, means[1].value)
