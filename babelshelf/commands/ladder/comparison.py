"""What each step of the ladder gains over the row that it builds on, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from babelshelf.commands.ladder.rows import LadderRow
from babelshelf.commands.ladder.runs import Run
from babelshelf.evaluate.bootstrap import Difference, Sample, resample_sets
from babelshelf.evaluate.metric_names import RESAMPLED
from babelshelf.evaluate.seeds import Comparison, mean_gain
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
        test: McNemar's test by query group, for the first of the seeds.
        corrected_p: its p value, corrected by Holm for the number of rows of the task that have a gain.
    """

    seeds: tuple[int, ...]
    by_metric: Mapping[str, Difference]
    by_seed: Sequence[float]
    test: McNemar
    corrected_p: float


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
    gains: Mapping[str, Gain]


def steps(
    rows: Sequence[LadderRow], runs: Mapping[str, Mapping[int, Run]], task: str, settings: Settings
) -> list[Step]:
    """The rows that test the task, in the ladder's order.

    Test sets may differ between seeds (those of the demo do), so a gain is computed within each seed, on the same
    resampled groups of both rows, and then averaged. Groups that several seeds test on are drawn once for all of them.
    """
    of_task = {row.name: row for row in rows if task in row.tasks}
    predictions: PredictionsOfRuns = {}
    for row in of_task.values():
        for seed, run in runs[row.name].items():
            answers = run.predictions(task, "test")
            if answers is not None:
                predictions[row.name, seed] = run, answers
    published = {name: row.published[task] for name, row in of_task.items() if task in row.published}
    samples = _samples(predictions, settings)
    gains = _gains(of_task.values(), task, predictions, samples, settings)
    task_runs = _TaskRuns(task, of_task, predictions, samples, published, gains)
    return [_step(row, task_runs) for row in of_task.values()]


def language_gains(sets: Sequence[Sequence[pl.DataFrame]], settings: Settings) -> list[LanguageGain]:
    """The mean gain in F1 over seeds in each language, the p values corrected by Holm for their number.

    Args:
        sets: for each seed, the predictions of two runs for the same rows, columns as in `bootstrap.Pair`.
        settings: of the intervals.
    """
    known = sorted(set.intersection(*(set(both[0]["language"]) for both in sets)))
    gains = {language: gains_in(sets, [language], settings)["f1"] for language in known}
    corrected = holm({language: gain.p for language, gain in gains.items()})
    return [LanguageGain(language, gain, corrected[language]) for language, gain in gains.items()]


def gains_in(
    sets: Sequence[Sequence[pl.DataFrame]], languages: Sequence[str], settings: Settings
) -> dict[str, Difference]:
    """The mean gain over seeds on the rows of some languages, in each metric; arguments as of `language_gains`."""
    samples = resample_sets(sets, resamples=settings.resamples, seed=settings.seed, languages=languages)
    before, after = ([both[run] for both in samples] for run in (0, 1))
    return mean_gain(Comparison(before, after), settings.confidence)


def same_rows(before: pl.DataFrame, after: pl.DataFrame) -> bool:
    """Whether two runs scored the same pairs, with the same labels: only then can they be compared."""
    return _identity(before) == _identity(after)


def _identity(answers: pl.DataFrame) -> bytes:
    return answers.select("id", "group", "label").sort("id").hash_rows().to_numpy().tobytes()


def _samples(predictions: PredictionsOfRuns, settings: Settings) -> dict[Key, Sample]:
    """Resampled metrics of all runs; runs with the same test rows are resampled alike."""
    sets: dict[bytes, list[Key]] = {}
    for key, (_, answers) in predictions.items():
        sets.setdefault(_identity(answers), []).append(key)
    if not sets:
        return {}
    tables = [[predictions[key][1] for key in keys] for keys in sets.values()]
    samples = resample_sets(tables, resamples=settings.resamples, seed=settings.seed)
    return {
        key: sample
        for keys, of_set in zip(sets.values(), samples, strict=True)
        for key, sample in zip(keys, of_set, strict=True)
    }


def _gains(
    rows: Iterable[LadderRow],
    task: str,
    predictions: PredictionsOfRuns,
    samples: Mapping[Key, Sample],
    settings: Settings,
) -> dict[str, Gain]:
    """The gain of each row that has one."""
    seeds = {row.name: _shared_seeds(row, task, predictions)[0] for row in rows}
    pairs = {row.name: row.after[task] for row in rows if seeds[row.name]}
    tests = {
        name: mcnemar(*(predictions[row, seeds[name][0]][1] for row in (after, name))) for name, after in pairs.items()
    }
    corrected = holm({name: test.p for name, test in tests.items()})
    gains = {}
    for name, after in pairs.items():
        comparison = Comparison(*([samples[row, seed] for seed in seeds[name]] for row in (after, name)))
        by_metric = mean_gain(comparison, settings.confidence)
        gains[name] = Gain(
            tuple(seeds[name]), by_metric, comparison.by_seed("f1").tolist(), tests[name], corrected[name]
        )
    return gains


def _shared_seeds(row: LadderRow, task: str, predictions: PredictionsOfRuns) -> tuple[list[int], list[int]]:
    """Seeds that a row and the one before it were run with: on the same test rows, and on different ones."""
    after = row.after.get(task)
    both = [seed for name, seed in predictions if name == row.name and (after, seed) in predictions]
    same = [seed for seed in both if same_rows(predictions[str(after), seed][1], predictions[row.name, seed][1])]
    return same, [seed for seed in both if seed not in same]


def _step(row: LadderRow, task_runs: _TaskRuns) -> Step:
    after = row.after.get(task_runs.task)
    runs = {seed: run for (name, seed), (run, _) in task_runs.predictions.items() if name == row.name}
    values = {seed: task_runs.samples[row.name, seed].value for seed in runs}
    if after is None:
        return Step(row, runs, values, None, (), (), None)
    published = task_runs.published
    has_published = after in published and row.name in published
    return Step(
        row,
        runs,
        values,
        task_runs.gains.get(row.name),
        incomparable_seeds=tuple(_shared_seeds(row, task_runs.task, task_runs.predictions)[1]),
        confounders=_differences(task_runs.rows[after], row, task_runs),
        published=published[row.name] - published[after] if has_published else None,
    )


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
