"""What each step of the ladder gains over the row that it builds on, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from babelshelf.commands.ladder.rows import LadderRow
from babelshelf.commands.report.runs import Run
from babelshelf.evaluate.bootstrap import Difference, Sample, difference, mean_sample, resample
from babelshelf.evaluate.metric_names import RESAMPLED
from babelshelf.evaluate.significance import McNemar, holm, mcnemar

RESAMPLES = 10_000

Key = tuple[str, int]  # a row's name and a seed
PredictionsOfRuns = dict[Key, tuple[Run, pl.DataFrame]]


@dataclass(frozen=True)
class Gain:
    """The gain of a row over another one on test.

    Attributes:
        seeds: the gain is the mean over these seeds, with which both rows were run.
        by_metric: the difference in each of `metric_names.RESAMPLED` that is defined.
        by_seed: the difference in F1 of each seed.
        test: McNemar's test, for the first of the seeds.
    """

    seeds: tuple[int, ...]
    by_metric: Mapping[str, Difference]
    by_seed: Sequence[float]
    test: McNemar


@dataclass(frozen=True)
class Step:
    """A row of the ladder for one task.

    Attributes:
        row: as in ladder.yaml.
        runs: by seed; empty if the row was not run, or its predictions are neither here nor in the cache.
        values: `RESAMPLED` on test by seed, shape (n_metrics,) each.
        gain: over `row.after`; None if there is no such row, or if no seed of both was run on the same test rows.
        incomparable_seeds: seeds that both rows were run with, but on different test rows; they give no gain.
        confounders: files and params that differ between the runs of the two rows and that neither row sets.
        published: the published gain in points of F1; None if there is none.
    """

    row: LadderRow
    runs: Mapping[int, Run]
    values: Mapping[int, Any]
    gain: Gain | None
    incomparable_seeds: tuple[int, ...]
    confounders: tuple[str, ...]
    published: float | None


@dataclass(frozen=True)
class LanguageGain:
    """The gain in F1 in one language; `corrected_p` is the p value corrected for the number of languages."""

    language: str
    difference: Difference
    corrected_p: float


@dataclass(frozen=True)
class Settings:
    """Of the statistics on the page; `bins` is the number of bins of the reliability curves."""

    confidence: float
    seed: int
    bins: int
    resamples: int = RESAMPLES


@dataclass(frozen=True)
class _TaskRuns:
    """The runs of a task, from which its steps are computed; `published` is F1 in per cent by row."""

    task: str
    rows: Mapping[str, LadderRow]
    predictions: PredictionsOfRuns
    samples: Mapping[Key, Sample]
    published: Mapping[str, float]
    settings: Settings


def steps(
    rows: Sequence[LadderRow], runs: Mapping[str, Mapping[int, Run]], task: str, settings: Settings
) -> list[Step]:
    """The rows that test the task, in the ladder's order.

    Test sets may differ between seeds (that of the demo does), so a gain is computed within each seed, on the same
    resampled groups of both rows, and then averaged.
    """
    of_task = [row for row in rows if task in row.tasks]
    predictions: PredictionsOfRuns = {}
    for row in of_task:
        for seed, run in runs[row.name].items():
            answers = run.predictions(task, "test")
            if answers is not None:
                predictions[row.name, seed] = run, answers
    published = {row.name: row.published[task] for row in of_task if task in row.published}
    task_runs = _TaskRuns(
        task, {row.name: row for row in of_task}, predictions, _samples(predictions, settings), published, settings
    )
    return [_step(row, task_runs) for row in of_task]


def language_gains(before: pl.DataFrame, after: pl.DataFrame, settings: Settings) -> list[LanguageGain]:
    """The gain in F1 in each language, the bootstrap's p values corrected by Holm for their number.

    Args:
        before: predictions of a run, columns as in `bootstrap.Pair`.
        after: predictions of another run for the same rows.
        settings: of the intervals.
    """
    found = {}
    for language in sorted(after["language"].unique()):
        both = resample([before, after], resamples=settings.resamples, seed=settings.seed, languages=[language])
        found[language] = difference(both[0], both[1], settings.confidence)["f1"]
    corrected = holm({language: gain.p for language, gain in found.items()})
    return [LanguageGain(language, gain, corrected[language]) for language, gain in found.items()]


def same_rows(before: pl.DataFrame, after: pl.DataFrame) -> bool:
    """Whether two runs scored the same pairs, with the same labels: only then can they be compared."""
    return _identity(before) == _identity(after)


def _identity(answers: pl.DataFrame) -> bytes:
    return answers.select("id", "group", "label").sort("id").hash_rows().to_numpy().tobytes()


def _samples(predictions: PredictionsOfRuns, settings: Settings) -> dict[Key, Sample]:
    """Resampled metrics of all runs; runs with the same test rows are resampled alike."""
    groups: dict[bytes, list[Key]] = {}
    for key, (_, answers) in predictions.items():
        groups.setdefault(_identity(answers), []).append(key)
    samples: dict[Key, Sample] = {}
    for data, keys in enumerate(groups.values()):
        tables = [predictions[key][1] for key in keys]
        samples |= dict(
            zip(keys, resample(tables, resamples=settings.resamples, seed=settings.seed, data=data), strict=True)
        )
    return samples


def _step(row: LadderRow, task_runs: _TaskRuns) -> Step:
    after = row.after.get(task_runs.task)
    runs = {seed: run for (name, seed), (run, _) in task_runs.predictions.items() if name == row.name}
    values = {seed: task_runs.samples[row.name, seed].value for seed in runs}
    if after is None:
        return Step(row, runs, values, None, (), (), None)
    both = [seed for seed in runs if (after, seed) in task_runs.predictions]
    shared = [
        seed
        for seed in both
        if same_rows(task_runs.predictions[after, seed][1], task_runs.predictions[row.name, seed][1])
    ]
    gain = _gain(after, row.name, shared, task_runs) if shared else None
    published = task_runs.published
    has_published = after in published and row.name in published
    return Step(
        row,
        runs,
        values,
        gain,
        incomparable_seeds=tuple(seed for seed in both if seed not in shared),
        confounders=_differences(task_runs.rows[after], row, task_runs),
        published=published[row.name] - published[after] if has_published else None,
    )


def _gain(after: str, name: str, seeds: Sequence[int], task_runs: _TaskRuns) -> Gain:
    before, own = ([task_runs.samples[row, seed] for seed in seeds] for row in (after, name))
    by_seed = [float(b.value[index("f1")] - a.value[index("f1")]) for a, b in zip(before, own, strict=True)]
    by_metric = difference(mean_sample(before), mean_sample(own), task_runs.settings.confidence)
    tables = [task_runs.predictions[row, seeds[0]][1] for row in (after, name)]
    return Gain(tuple(seeds), by_metric, by_seed, mcnemar(tables[0], tables[1]))


def _differences(before: LadderRow, row: LadderRow, task_runs: _TaskRuns) -> tuple[str, ...]:
    """Inputs and params that differ between the runs of two rows, without those that the rows set."""
    intended = {"seed", *before.set, *row.set}
    values: dict[str, set[str]] = {}
    for (name, _), (run, _) in task_runs.predictions.items():
        for path, value in run.inputs.items() if name in {before.name, row.name} else ():
            values.setdefault(path, set()).add(value)
    return tuple(sorted(path for path, different in values.items() if len(different) > 1 and path not in intended))


def index(metric: str) -> int:
    """Position of a metric in `Step.values`."""
    return RESAMPLED.index(metric)
