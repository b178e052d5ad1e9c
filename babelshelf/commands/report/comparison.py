"""What each step of the ladder gains over the row that it builds on, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from babelshelf.commands.ladder.rows import Row
from babelshelf.commands.report.runs import Run
from babelshelf.evaluate.bootstrap import Difference, Sample, difference, mean_sample, resample
from babelshelf.evaluate.metric_names import RESAMPLED
from babelshelf.evaluate.significance import McNemar, holm, mcnemar

RESAMPLES = 10_000

Key = tuple[str, int]  # a row's name and a seed
Answered = dict[Key, tuple[Run, pl.DataFrame]]


@dataclass(frozen=True)
class Gain:
    """What a row gains over another one on test.

    Attributes:
        seeds: whose mean it is: those that both rows were run with.
        by_metric: the difference in each of `metric_names.RESAMPLED`.
        by_seed: the difference in F1 of each seed.
        test: McNemar's, of the first of the seeds.
    """

    seeds: tuple[int, ...]
    by_metric: Mapping[str, Difference]
    by_seed: Sequence[float]
    test: McNemar


@dataclass(frozen=True)
class Step:
    """A row of the ladder for one task.

    Attributes:
        row: as ladder.yaml has it.
        runs: by seed; empty where the row was not run, or its predictions are not here.
        values: `RESAMPLED` on test by seed, shape (n_metrics,) each.
        gain: over `row.after`; None where there is no such row, or none that was run with one of the seeds on the same
            test rows.
        other_rows: seeds of both rows whose test rows differ: they make no gain.
        differs: files and params, besides what the two rows set, that differ among the runs of the two rows.
        published: the published gain in points of F1, None where there is none.
    """

    row: Row
    runs: Mapping[int, Run]
    values: Mapping[int, Any]
    gain: Gain | None
    other_rows: tuple[int, ...]
    differs: tuple[str, ...]
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
    rows: Mapping[str, Row]
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
    known = _Known(
        task, {row.name: row for row in of_task}, answered, _samples(answered, settings), published, settings
    )
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


def same_rows(before: pl.DataFrame, after: pl.DataFrame) -> bool:
    """Whether two runs answered the same pairs, with the same labels: only then can they be compared."""
    return _identity(before) == _identity(after)


def _identity(answers: pl.DataFrame) -> bytes:
    return answers.select("id", "group", "label").sort("id").hash_rows().to_numpy().tobytes()


def _samples(answered: Answered, settings: Settings) -> dict[Key, Sample]:
    """Resampled metrics of all runs; runs with the same test rows are resampled alike."""
    groups: dict[bytes, list[Key]] = {}
    for key, (_, answers) in answered.items():
        groups.setdefault(_identity(answers), []).append(key)
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
    if after is None:
        return Step(row, runs, values, None, (), (), None)
    both = [seed for seed in runs if (after, seed) in known.answered]
    shared = [seed for seed in both if same_rows(known.answered[after, seed][1], known.answered[row.name, seed][1])]
    gain = _gain(after, row.name, shared, known) if shared else None
    published = known.published
    rung = after in published and row.name in published
    return Step(
        row,
        runs,
        values,
        gain,
        other_rows=tuple(seed for seed in both if seed not in shared),
        differs=_differences(known.rows[after], row, known),
        published=published[row.name] - published[after] if rung else None,
    )


def _gain(after: str, name: str, seeds: Sequence[int], known: _Known) -> Gain:
    before, own = ([known.samples[row, seed] for seed in seeds] for row in (after, name))
    by_seed = [float(b.value[index("f1")] - a.value[index("f1")]) for a, b in zip(before, own, strict=True)]
    by_metric = difference(mean_sample(before), mean_sample(own), known.settings.confidence)
    tables = [known.answered[row, seeds[0]][1] for row in (after, name)]
    return Gain(tuple(seeds), by_metric, by_seed, mcnemar(tables[0], tables[1]))


def _differences(before: Row, row: Row, known: _Known) -> tuple[str, ...]:
    """What differs among the runs of two rows and is not what the rows are about, as far as several of them have it."""
    meant = {"seed", *before.set, *row.set}
    values: dict[str, set[str]] = {}
    for (name, _), (run, _) in known.answered.items():
        for path, value in run.made_from.items() if name in {before.name, row.name} else ():
            values.setdefault(path, set()).add(value)
    return tuple(sorted(path for path, found in values.items() if len(found) > 1 and path not in meant))


def index(metric: str) -> int:
    """Of a metric in `Step.values`."""
    return RESAMPLED.index(metric)
