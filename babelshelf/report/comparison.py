"""What each step of the ladder gains over the row that it builds on, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from babelshelf.bootstrap import METRICS, Difference, Sample, difference, mean_sample, resample
from babelshelf.ladder import Row
from babelshelf.report.runs import Run
from babelshelf.significance import McNemar, holm, mcnemar

RESAMPLES = 10_000

Key = tuple[str, int]  # a row's name and a seed
Answered = dict[Key, tuple[Run, pl.DataFrame]]


@dataclass(frozen=True)
class Gain:
    """What a row gains over another one on test.

    Attributes:
        seeds: whose mean it is: those that both rows were run with.
        by_metric: the difference in each of `bootstrap.METRICS`.
        test: McNemar's, of the first of the seeds.
    """

    seeds: tuple[int, ...]
    by_metric: Mapping[str, Difference]
    test: McNemar


@dataclass(frozen=True)
class Step:
    """A row of the ladder for one task.

    Attributes:
        row: as ladder.yaml has it.
        runs: by seed; empty where the row was not run, or its predictions are not here.
        values: `METRICS` on test by seed, shape (n_metrics,) each.
        gain: over `row.after`; None where there is no such row, or none that was run with one of the seeds.
        published: the published gain in points of F1, None where there is none.
    """

    row: Row
    runs: Mapping[int, Run]
    values: Mapping[int, Any]
    gain: Gain | None
    published: float | None


@dataclass(frozen=True)
class LanguageGain:
    """A gain in F1 in one language, with its p value and the one corrected for the number of languages."""

    language: str
    difference: Difference
    corrected_p: float


@dataclass(frozen=True)
class Settings:
    """Of all that is computed for the page; `bins` are those of the reliability curves."""

    confidence: float
    seed: int
    bins: int
    resamples: int = RESAMPLES


@dataclass(frozen=True)
class _Known:
    """What the steps of a task are computed from; `published` is F1 in per cent by row."""

    task: str
    answered: Answered
    samples: Mapping[Key, Sample]
    published: Mapping[str, float]
    settings: Settings


def steps(rows: Sequence[Row], runs: Mapping[str, Mapping[int, Run]], task: str, settings: Settings) -> list[Step]:
    """The task's rows, in their order.

    Seeds may have test sets of their own (the demo's does depend on the seed): a gain is taken within each seed, on the
    same resampled groups of both rows, and then averaged.
    """
    of_task = [row for row in rows if task in row.tasks]
    answered: Answered = {}
    for row in of_task:
        for seed, run in runs[row.name].items():
            answers = run.answers(task, "test")
            if answers is not None:
                answered[row.name, seed] = run, answers
    published = {row.name: row.published[task] for row in of_task if task in row.published}
    known = _Known(task, answered, _samples(answered, settings), published, settings)
    return [_step(row, known) for row in of_task]


def language_gains(before: pl.DataFrame, after: pl.DataFrame, settings: Settings) -> list[LanguageGain]:
    """The gain in F1 in each language, the bootstrap's p values corrected by Holm for their number.

    Args:
        before: answers of a run, columns as in `bootstrap.Pair`.
        after: those of another run to the same rows.
        settings: of the intervals.
    """
    found = {}
    for language in sorted(after["language"].unique()):
        both = resample([before, after], resamples=settings.resamples, seed=settings.seed, languages=[language])
        found[language] = difference(both[0], both[1], settings.confidence)["f1"]
    corrected = holm({language: gain.p for language, gain in found.items()})
    return [LanguageGain(language, gain, corrected[language]) for language, gain in found.items()]


def mean_and_deviation(values: Iterable[float]) -> tuple[float, float | None]:
    """Mean and standard deviation (of a sample: n - 1) over seeds; no deviation of a single one."""
    listed = list(values)
    return float(np.mean(listed)), float(np.std(listed, ddof=1)) if len(listed) > 1 else None


def _samples(answered: Answered, settings: Settings) -> dict[Key, Sample]:
    """Resampled metrics of all runs; runs with the same test rows are resampled alike."""
    groups: dict[bytes, list[Key]] = {}
    for key, (_, answers) in answered.items():
        rows = answers.select("id", "group", "label").sort("id")
        groups.setdefault(rows.hash_rows().to_numpy().tobytes(), []).append(key)
    samples: dict[Key, Sample] = {}
    for data, keys in enumerate(groups.values()):
        tables = [answered[key][1] for key in keys]
        samples |= dict(
            zip(keys, resample(tables, resamples=settings.resamples, seed=settings.seed, data=data), strict=True)
        )
    return samples


def _step(row: Row, known: _Known) -> Step:
    after = row.after.get(known.task)
    runs = {seed: run for (name, seed), (run, _) in known.answered.items() if name == row.name}
    values = {seed: known.samples[row.name, seed].value for seed in runs}
    shared = tuple(seed for seed in runs if (after, seed) in known.answered)
    gain = None
    if after is not None and shared:
        before, own = (mean_sample([known.samples[name, seed] for seed in shared]) for name in (after, row.name))
        tables = [known.answered[name, shared[0]][1] for name in (after, row.name)]
        by_metric = difference(before, own, known.settings.confidence)
        gain = Gain(shared, by_metric, mcnemar(tables[0], tables[1]))
    published = known.published
    rung = after is not None and after in published and row.name in published
    return Step(row, runs, values, gain, published[row.name] - published[str(after)] if rung else None)


def index(metric: str) -> int:
    """Of a metric in `Step.values`."""
    return METRICS.index(metric)
