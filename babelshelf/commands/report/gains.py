"""The sections of the report that are about gains: of each row of the ladder, and by language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isnan
from statistics import stdev
from typing import Any

import polars as pl

from babelshelf.commands.ladder.comparison import Gain, Settings, Step, gains_in, index, language_gains, same_rows
from babelshelf.commands.ladder.rows import in_percent
from babelshelf.commands.ladder.verdicts import gain, p_value, verdict
from babelshelf.commands.report.data_steps import sentences
from babelshelf.commands.report.findings import Findings
from babelshelf.evaluate.metric_names import HEADINGS, RESAMPLED
from babelshelf.page import figures
from babelshelf.page.cells import NONE, percent
from babelshelf.page.document import Block, Figure, ReportSection, Table, Text

MAX_LISTED = 5  # files and params in a warning


def ladder(findings: Findings, missing: Mapping[str, Sequence[str]]) -> Iterator[ReportSection]:
    """Each row of the ladder with its gain; `missing` names the experiments of a row that are not there."""
    if not findings.steps:
        return
    explanation = (
        f"Gains are on test, in points, means over the seeds that both rows were run with, each with a "
        f"{100 * findings.settings.confidence:g} % interval for both sources of its variance: which queries are in "
        f"test (a paired bootstrap over query groups with {findings.settings.resamples:,} resamples), and which seed "
        "the models are trained with (Student's t with the degrees of freedom of the seeds; docs/method.md). Where the "
        "interval spans zero there is no evidence of a gain or a loss. With one seed it covers the queries alone, and "
        "there is no verdict. McNemar's p is of the first of these seeds and of right and wrong answers, not of F1: by "
        "query group, and corrected for the number of rows (Holm 1979); it does not know the seeds, either. Published "
        "gains are those of arXiv 2510.21671, Table 2, on its dev set, with other models and other data: gains can be "
        "set beside each other, the levels behind them cannot."
    )
    yield ReportSection("ladder", "The ladder", [Text(explanation)])
    for task, steps in findings.steps.items():
        blocks: list[Block] = []
        bars = [_bar(step) for step in steps if step.gain is not None]
        if bars:
            alt = "; ".join(f"{bar.name}: {bar.value:+.1f} [{bar.low:+.1f}, {bar.high:+.1f}]" for bar in bars)
            caption = f"{task}: what each row gains over the row that it builds on."
            blocks.append(
                Figure(f"gains-{task}", f"Gains in F1 of {task}, in points: {alt}", caption, figures.gains(bars))
            )
        blocks += [_ladder_table(task, steps, findings.settings, missing), *_all_yes(findings, task)]
        blocks.append(_rank_table(task, steps))
        blocks += [Text(_sentence(step)) for step in steps if _needs_sentence(step)]
        blocks += [Text(sentence) for step in steps for sentence in (*sentences(step, task), *warnings(step, task))]
        yield ReportSection(f"ladder-{task}", f"The ladder of {task}", blocks, level=3)


def warnings(step: Step, task: str) -> Iterator[str]:
    """Why a row and the one that it builds on cannot be compared, or only with care."""
    pair = f"{step.row.name} and {step.row.after.get(task)}"
    if step.incomparable_seeds:
        seeds = ", ".join(map(str, step.incomparable_seeds))
        yield f"Warning: {pair} were run on different test rows (seed {seeds}), which make no gain; run both again."
    if step.confounders:
        more = f" and {len(step.confounders) - MAX_LISTED} more" if len(step.confounders) > MAX_LISTED else ""
        what = ", ".join(step.confounders[:MAX_LISTED]) + more
        yield f"Warning: {pair} were run with different {what}: the gain is not of the step alone; run both again."


def languages(findings: Findings) -> Iterator[ReportSection]:
    """F1 in each language, and the gain of the last row over the first, corrected for the number of languages."""
    blocks: list[Block] = []
    for task in findings.shown:
        evaluated = {
            named.name: found["languages"]
            for named in findings.compared(task)
            if (found := named.run.json(f"metrics/evaluate/{task}.json")) is not None
        }
        if evaluated:
            blocks += _language_blocks(findings, task, evaluated)
    note = Text(
        "Languages marked (absent) have no labelled query in train as it came. P values are those of the intervals, "
        "corrected for the number of languages (Holm 1979): with many languages some interval excludes zero by "
        "chance. Gains are means over the seeds that both rows were run with; F1 is of the first of them."
    )
    yield ReportSection("languages", "Languages", [note, *blocks])


def _bar(step: Step) -> figures.Bar:
    assert step.gain is not None
    f1 = step.gain.by_metric["f1"]
    return figures.Bar(step.row.title, 100 * f1.value, 100 * f1.low, 100 * f1.high, step.published)


def _ladder_table(task: str, steps: Sequence[Step], settings: Settings, missing: Mapping[str, Sequence[str]]) -> Table:
    of_gain = ["Gain in F1", "Its SD over seeds", "Verdict on F1", "Published gain", "McNemar's corrected p", "Over"]
    headings = ["Row", "F1", *of_gain, "Seeds"]
    rows = []
    for step in steps:
        f1 = _over_seeds(step, "f1") if step.runs else NONE
        gained = (
            [NONE, NONE, NONE]
            if step.gain is None
            else [gain(step.gain.by_metric["f1"]), _deviation(step.gain), verdict(step.gain.by_metric["f1"])]
        )
        published = NONE if step.published is None else f"{step.published:+.2f}"
        p = NONE if step.gain is None else p_value(step.gain.corrected_p)
        rows.append([step.row.title, f1, *gained, published, p, step.row.after.get(task, NONE), _seeds(step, missing)])
    caption = f"{task}: F1 on test in per cent (mean ± standard deviation over seeds); gains in points"
    return Table(f"{caption}, with {100 * settings.confidence:g} % intervals", headings, rows)


def _all_yes(findings: Findings, task: str) -> Iterator[Block]:
    """The F1 that needs no model."""
    named = findings.shown[task]
    evaluated = named.run.json(f"metrics/evaluate/{task}.json")
    if evaluated is not None:
        f1 = percent(evaluated["all"]["all_yes_f1"])
        yield Text(f'The answer "yes" to everything has an F1 of {f1} on the test set of {named.name}.')


def _rank_table(task: str, steps: Sequence[Step]) -> Table:
    """What F1 flatters: the other metrics that are resampled, where the data defines them."""
    run = [step for step in steps if step.runs]
    metrics = [name for name in RESAMPLED[1:] if any(_over_seeds(step, name) != NONE for step in run)]
    headings = ["Row", *(text for name in metrics for text in (HEADINGS[name], f"Gain in {HEADINGS[name]}"))]
    rows = []
    for step in run:
        cells = [step.row.title]
        for metric in metrics:
            gained = None if step.gain is None else step.gain.by_metric.get(metric)
            cells += [_over_seeds(step, metric), NONE if gained is None else gain(gained)]
        rows.append(cells)
    return Table(f"{task}: {', '.join(HEADINGS[name] for name in metrics)} in the same way", headings, rows)


def _seeds(step: Step, missing: Mapping[str, Sequence[str]]) -> str:
    if step.runs:
        return ", ".join(map(str, step.runs))
    return "not run" if missing.get(step.row.name) else "not here: dvc pull"


def _over_seeds(step: Step, metric: str) -> str:
    """Mean and standard deviation; `NONE` where the metric is not defined on a test set."""
    values = [float(values[index(metric)]) for values in step.values.values()]
    return NONE if any(map(isnan, values)) else in_percent(values)


def _deviation(gain: Gain) -> str:
    return percent(stdev(gain.by_seed)) if len(gain.by_seed) > 1 else NONE


def _needs_sentence(step: Step) -> bool:
    return bool(step.row.note) or (step.gain is not None and verdict(step.gain.by_metric["f1"]) != "gain")


def _sentence(step: Step) -> str:
    """What is to say of a row that does not gain, and the row's own note."""
    parts = [f"{step.row.title}:"]
    if step.gain is not None:
        f1, test = step.gain.by_metric["f1"], step.gain.test
        if test.only_a == test.only_b == 0 and f1.low == f1.high == 0:
            parts.append("answers every test pair as the row that it builds on.")
        elif verdict(f1) == "one seed":
            parts.append(f"run with one seed: {gain(f1)} in F1 covers the choice of queries alone.")
        elif verdict(f1) == "no evidence":
            half = 50 * (f1.high - f1.low)
            parts.append(f"no evidence in F1, {gain(f1)}; these runs do not show gains below some {half:.1f} points.")
        elif verdict(f1) == "loss":
            parts.append(f"a loss in F1, {gain(f1)}.")
    return " ".join([*parts, step.row.note]).strip()


def _language_blocks(findings: Findings, task: str, evaluated: Mapping[str, Mapping[str, Any]]) -> Iterator[Block]:
    shown = evaluated[findings.shown[task].name]
    absent = [language for language, found in shown.items() if not found["in_train"]]
    f1 = {name: {language: found["f1"] for language, found in by.items()} for name, by in evaluated.items()}
    runs = " and ".join(f1)
    caption = f"{task}: F1 on test in each language, of {runs}."
    alt = f"{caption} Absent from train: {', '.join(absent) or 'none'}. The table below has the figures."
    yield Figure(f"languages-{task}", alt, caption, figures.languages(f1, absent))
    sets = _comparable(findings, task)
    gains = {gained.language: gained for gained in language_gains(sets, findings.settings)} if sets else {}
    if task in findings.base and not gains:
        yield Text(f"Warning: {runs} were run on different test rows: no gains; run both again.")
    if sets:
        yield _group_table(task, runs, sets, absent, findings.settings)
    rows = []
    for language in sorted(shown):
        cells = [f"{language} (absent)" if language in absent else language, f"{shown[language]['rows']:,}"]
        cells += [percent(by[language]["f1"]) for by in evaluated.values()]
        cells += [percent(shown[language]["average_precision"])]
        if gains:
            gained = gains[language]
            cells += [
                gain(gained.difference),
                p_value(gained.corrected_p),
                verdict(gained.difference, gained.corrected_p),
            ]
        rows.append(cells)
    headings = ["Language", "Rows", *(f"F1 of {name}" for name in evaluated), f"AP of {findings.shown[task].name}"]
    headings += ["Gain in F1", "Corrected p", "Verdict"] if gains else []
    yield Table(f"{task}: test, in per cent, by language", headings, rows)


def _group_table(
    task: str, runs: str, sets: Sequence[Sequence[pl.DataFrame]], absent: Sequence[str], settings: Settings
) -> Table:
    """Gains in all languages, in those of train, and in absent ones."""
    known = sorted(set(sets[0][0]["language"]))
    groups = {"all": known, "in train": [one for one in known if one not in absent], "absent": list(absent)}
    rows = []
    for name, languages in groups.items():
        if languages:
            gains = gains_in(sets, languages, settings)
            cells = [gain(gains[metric]) if metric in gains else NONE for metric in RESAMPLED]
            rows.append([name, ", ".join(languages), *cells, verdict(gains["f1"])])
    headings = ["Languages", "Which", *(f"Gain in {HEADINGS[metric]}" for metric in RESAMPLED), "Verdict on F1"]
    caption = f"{task}: gains of the second of {runs} by language group, in points"
    return Table(caption, headings, rows, text_columns=2)


def _comparable(findings: Findings, task: str) -> list[list[pl.DataFrame]]:
    """For each seed that can be compared, predictions of the base and of the run that is shown; none without a base."""
    if task not in findings.base:
        return []
    rows = {step.row.name: step for step in findings.steps[task]}
    before, after = (rows[named.name].runs for named in findings.compared(task))
    sets = []
    for seed in after:
        tables = [runs[seed].predictions(task, "test") for runs in (before, after) if seed in runs]
        both = [table for table in tables if table is not None]
        if len(both) == 2 and same_rows(*both):
            sets.append(both)
    return sets
