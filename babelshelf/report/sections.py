"""What stands where in the report: each function makes one section of the runs that it is given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from babelshelf import summary
from babelshelf.bootstrap import Difference, difference, resample
from babelshelf.calibration import cross_validated
from babelshelf.params.calibrate import CalibrateParams
from babelshelf.params.load import section
from babelshelf.predictions import arrays, labelled
from babelshelf.reliability import expected_calibration_error, reliability
from babelshelf.report import figures
from babelshelf.report.comparison import Settings, Step, index, language_gains, mean_and_deviation
from babelshelf.report.document import Block, Figure, Section, Table, Text
from babelshelf.report.runs import WORKSPACE, Run

NONE = "–"
SIGNIFICANT = 0.05
FITTED_BY = {"sft": "train", "dpo": "dpo"}  # stages by tasks.<task>.method; before it was a param, sft was all


@dataclass(frozen=True)
class Named:
    """A run with what it is called on the page."""

    name: str
    run: Run


@dataclass(frozen=True)
class Findings:
    """All that the sections show.

    Attributes:
        steps: the ladder by task; empty where there is none.
        shown: the run that a task's details are of: the last row that was run, or the workspace where none was.
        base: the first row that was run, if it is another one.
        workspace: the run in the working tree, None where there is none.
        settings: of the intervals.
    """

    steps: Mapping[str, Sequence[Step]]
    shown: Mapping[str, Named]
    base: Mapping[str, Named]
    workspace: Run | None
    settings: Settings

    def compared(self, task: str) -> list[Named]:
        """The base, if any, and the run that is shown."""
        return [*([self.base[task]] if task in self.base else []), self.shown[task]]

    def source(self, task: str, variant: str) -> Named | None:
        """The last run whose recipe makes a variant of the training set."""
        runs = [Named(step.row.name, run) for step in self.steps.get(task, []) for run in list(step.runs.values())[:1]]
        if self.workspace is not None:
            runs.insert(0, Named(self.workspace.name, self.workspace))
        fitting = [named for named in runs if variant in named.run.variants(task)]
        return fitting[-1] if fitting else None


def results(findings: Findings) -> Iterator[Section]:
    """The runs that the details are of, as `babelshelf show` has them."""
    lines: list[list[str]] = []
    for task, shown in findings.shown.items():
        own = findings.workspace
        for named in [shown] if own is None or shown.run is own else [shown, Named(WORKSPACE, own)]:
            evaluated = named.run.json(f"metrics/evaluate/{task}.json")
            if evaluated is not None:
                lines += [[line[0], named.name, *line[1:]] for line in summary.task_rows(task, evaluated)]
    interval = f"{100 * findings.settings.confidence:g} % interval"
    scores = ["F1", interval, "Precision", "Recall", "AP", "MCC", 'All "yes" F1', "Threshold"]
    caption = "On test, in per cent; intervals by bootstrap over query groups"
    yield Section(
        "results",
        "Results",
        [
            Table(caption, ["Task", "Run", "Languages", *scores], lines, text_columns=3),
            Text(
                'All "yes" is the F1 of answering "yes" to everything: F1 flatters where most pairs are relevant; '
                "average precision (AP) and Matthews correlation (MCC) do not. Absent languages have no labelled query "
                "in train as it came."
            ),
        ],
    )


def ladder(findings: Findings, missing: Mapping[str, Sequence[str]]) -> Iterator[Section]:
    """Each row of the ladder with its gain; `missing` names the experiments of a row that are not there."""
    if not findings.steps:
        return
    explanation = (
        f"Gains are on test, in points, each with its {100 * findings.settings.confidence:g} % interval: a paired "
        f"bootstrap over query groups with {findings.settings.resamples:,} resamples, averaged over seeds that both "
        "rows were run with. Where the interval spans zero there is no evidence of a gain or a loss. McNemar's p is of "
        "the first of these seeds, and of right and wrong answers, not of F1; it takes rows as independent, which rows "
        "of one query are not. Published gains are those of arXiv 2510.21671, Table 2, on its dev set, with other "
        "models and other data: gains can be set beside each other, the levels behind them cannot."
    )
    yield Section("ladder", "The ladder", [Text(explanation)])
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
        yield Section(f"ladder-{task}", f"The ladder of {task}", blocks, level=3)


def data(findings: Findings) -> Iterator[Section]:
    """Sizes and shares of the data as it came (the paper's Table 1), and what each variant adds."""
    yield Section("data", "Data", [])
    for task, named in findings.shown.items():
        blocks: list[Block] = []
        prepared = (named.run.json("metrics/prepare.json") or {}).get(task)
        if prepared is not None:
            blocks += [_split_table(task, prepared), _language_table(task, prepared)]
        variants = list(_variant_tables(findings, task))
        yield Section(f"data-{task}", f"Data of {task}", [*blocks, *variants], level=3)


def thresholds(findings: Findings) -> Iterator[Section]:
    """F1 over the threshold with the chosen point, and whether thresholds per language would do better."""
    blocks: list[Block] = []
    rows = []
    for task, named in findings.shown.items():
        calibrated = named.run.json(f"metrics/calibrate/{task}.json")
        curve = named.run.csv(f"metrics/calibrate/{task}.csv")
        if calibrated is None or curve is None:
            continue
        chosen, all_yes = calibrated["threshold"], calibrated["all_yes_f1"]
        caption = f"{task}, run {named.name}: F1 over the threshold, on dev."
        alt = f"{caption} The threshold is {chosen:.3f}, with F1 {calibrated['f1']:.3f}; all yes has {all_yes:.3f}."
        blocks.append(Figure(f"threshold-{task}", alt, caption, figures.threshold(curve, chosen, all_yes)))
        f1 = [_percent(calibrated[name]) for name in ("f1", "f1_at_half", "all_yes_f1")]
        rows.append([task, named.name, f"{chosen:.3f}", *f1, *_per_language(task, named.run, findings.settings)])
    headings = ["Task", "Run", "Threshold", "F1 on dev", "F1 at 0.5", 'All "yes" F1', "Shared, cross-validated F1",
                "Per language, cross-validated F1", "Gain of per language"]  # fmt: skip
    if rows:
        blocks.append(Table("Thresholds, chosen on dev alone; in per cent", headings, rows, text_columns=2))
        blocks.append(
            Text(
                "The last three columns compare one shared threshold with one for each language, shrunk to the shared "
                "one (calibrate.shrinkage), on dev rows whose query groups were left out of the tuning. They are empty "
                "where the threshold is fixed. The param calibrate.per_language turns thresholds per language on."
            )
        )
    yield Section("thresholds", "Thresholds", blocks)


def languages(findings: Findings) -> Iterator[Section]:
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
        "Languages marked (absent) have no labelled query in train as it came. P values are the bootstrap's, corrected "
        "for the number of languages (Holm 1979): with many languages some interval excludes zero by chance."
    )
    yield Section("languages", "Languages", [note, *blocks])


def calibration(findings: Findings) -> Iterator[Section]:
    """Whether p(yes) is a probability."""
    blocks: list[Block] = []
    rows = []
    for task in findings.shown:
        curves = {}
        for named in findings.compared(task):
            answers = named.run.answers(task, "test")
            if answers is None:
                continue
            curve = curves[named.name] = reliability(*arrays(labelled(answers)), findings.settings.bins)
            rows.append([task, named.name, str(curve.height), _percent(expected_calibration_error(curve))])
        if curves:
            caption = f"{task}: share of relevant test pairs over p(yes), in bins of equal numbers of pairs."
            picture = figures.reliability(curves)
            blocks.append(Figure(f"reliability-{task}", f"{caption} The table below has the errors.", caption, picture))
    headings = ["Task", "Run", "Bins", "Expected calibration error, points"]
    blocks.append(Table("Mean distance of p(yes) from the share of relevant pairs", headings, rows, text_columns=2))
    note = Text(
        "Where p(yes) is a probability the curve is the diagonal. The threshold does not need it to be (only the order "
        "of the pairs counts), a user of p(yes) does. After arXiv 1706.04599, with bins of equal mass."
    )
    yield Section("calibration", "Calibration", [note, *blocks])


def learning(findings: Findings) -> Iterator[Section]:
    """Training loss of each row's final model."""
    blocks: list[Block] = []
    for task, named in findings.shown.items():
        runs = [
            Named(step.row.name, next(iter(step.runs.values()))) for step in findings.steps.get(task, []) if step.runs
        ]
        curves = _distinct_curves(task, runs or [named])
        if curves:
            caption = f"{task}: training loss of the final model of each row; rows that share a model share a line."
            ends = "; ".join(f"{name} ends at {curve['loss'][-1]:.3f}" for name, curve in curves.items())
            blocks.append(Figure(f"learning-{task}", f"{caption} {ends}.", caption, figures.learning(curves)))
    note = Text("The loss of DPO is another one than that of fine-tuning: their levels do not compare.")
    yield Section("learning", "Learning curves", [note, *blocks])


def resources(records: pl.DataFrame) -> Iterator[Section]:
    """Time and peak memory by stage, and by experiment; `records` as `babelshelf.resources` reads them."""
    if records.is_empty():
        yield Section(
            "resources", "Time and memory", [Text("Nothing is recorded: .cache/resources.jsonl is not here.")]
        )
        return
    named = records.with_columns(pl.col("experiment").fill_null("workspace"))
    by_stage = named.group_by("stage").agg(
        pl.len(), pl.col("seconds").mean(), most=pl.col("seconds").max(), peak=pl.col("peak_mib").max()
    )
    by_run = named.group_by("experiment").agg(pl.len(), pl.col("seconds").sum(), peak=pl.col("peak_mib").max())
    stages = [
        [stage, str(n), f"{mean:.0f}", f"{most:.0f}", f"{peak:,.0f}"]
        for stage, n, mean, most, peak in by_stage.sort("stage").iter_rows()
    ]
    runs = [[run, str(n), f"{s:.0f}", f"{peak:,.0f}"] for run, n, s, peak in by_run.sort("experiment").iter_rows()]
    yield Section(
        "resources",
        "Time and memory",
        [
            Text(
                "Each stage's last record in each experiment that ran it; what DVC took from its cache was not run. "
                "Seconds are of the whole process, after a kill those of its last start; the peak is the largest "
                "resident memory of one process."
            ),
            Table("By stage", ["Stage", "Runs", "Seconds, mean", "Seconds, most", "Peak, MiB"], stages),
            Table("By experiment", ["Experiment", "Stages run", "Seconds", "Peak, MiB"], runs),
        ],
    )


def gain(found: Difference) -> str:
    """A gain in points, never without its interval."""
    return f"{100 * found.value:+.1f} [{100 * found.low:+.1f}, {100 * found.high:+.1f}]"


def verdict(found: Difference, p: float = 0.0) -> str:
    """What the interval, and a corrected p value, say of a gain."""
    if found.low <= 0 <= found.high or p > SIGNIFICANT:
        return "no evidence"
    return "gain" if found.value > 0 else "loss"


def _bar(step: Step) -> figures.Bar:
    assert step.gain is not None
    f1 = step.gain.by_metric["f1"]
    return figures.Bar(step.row.title, 100 * f1.value, 100 * f1.low, 100 * f1.high, step.published)


def _ladder_table(task: str, steps: Sequence[Step], settings: Settings, missing: Mapping[str, Sequence[str]]) -> Table:
    headings = ["Row", "F1", "Gain in F1", "Verdict on F1", "Published gain", "McNemar's p", "Over", "Seeds"]
    rows = []
    for step in steps:
        f1 = _over_seeds(step, "f1") if step.runs else NONE
        gained = (
            [NONE, NONE] if step.gain is None else [gain(step.gain.by_metric["f1"]), verdict(step.gain.by_metric["f1"])]
        )
        published = NONE if step.published is None else f"{step.published:+.2f}"
        p = NONE if step.gain is None else _p(step.gain.test.p)
        rows.append([step.row.title, f1, *gained, published, p, step.row.after.get(task, NONE), _seeds(step, missing)])
    caption = f"{task}: F1 on test in per cent (mean ± standard deviation over seeds); gains in points"
    return Table(f"{caption}, with {100 * settings.confidence:g} % intervals", headings, rows)


def _all_yes(findings: Findings, task: str) -> Iterator[Block]:
    """The F1 that needs no model."""
    named = findings.shown[task]
    evaluated = named.run.json(f"metrics/evaluate/{task}.json")
    if evaluated is not None:
        f1 = _percent(evaluated["all"]["all_yes_f1"])
        yield Text(f'The answer "yes" to everything has an F1 of {f1} on the test set of {named.name}.')


def _rank_table(task: str, steps: Sequence[Step]) -> Table:
    """AP and MCC, which F1 flatters."""
    headings = ["Row", "AP", "Gain in AP", "MCC", "Gain in MCC"]
    rows = []
    for step in (step for step in steps if step.runs):
        cells = [step.row.title]
        for metric in ("average_precision", "mcc"):
            cells += [_over_seeds(step, metric), NONE if step.gain is None else gain(step.gain.by_metric[metric])]
        rows.append(cells)
    return Table(f"{task}: average precision and Matthews correlation, in the same way", headings, rows)


def _seeds(step: Step, missing: Mapping[str, Sequence[str]]) -> str:
    if step.runs:
        return ", ".join(map(str, step.runs))
    return "not run" if missing.get(step.row.name) else "not here: dvc pull"


def _over_seeds(step: Step, metric: str) -> str:
    mean, deviation = mean_and_deviation(values[index(metric)] for values in step.values.values())
    return _percent(mean) if deviation is None else f"{_percent(mean)} ± {_percent(deviation)}"


def _needs_sentence(step: Step) -> bool:
    return bool(step.row.note) or (step.gain is not None and verdict(step.gain.by_metric["f1"]) != "gain")


def _sentence(step: Step) -> str:
    """What is to say of a row that does not gain, and the row's own note."""
    parts = [f"{step.row.title}:"]
    if step.gain is not None:
        f1, test = step.gain.by_metric["f1"], step.gain.test
        if test.only_a == test.only_b == 0 and f1.low == f1.high == 0:
            parts.append("answers every test pair as the row before it does.")
        elif verdict(f1) == "no evidence":
            half = 50 * (f1.high - f1.low)
            parts.append(
                f"no evidence in F1, {gain(f1)}; this test set does not show gains below some {half:.1f} points."
            )
        elif verdict(f1) == "loss":
            parts.append(f"a loss in F1, {gain(f1)}.")
    return " ".join([*parts, step.row.note]).strip()


def _split_table(task: str, prepared: Mapping[str, Any]) -> Table:
    headings = ["Split", "Rows", "Queries", "Query groups", "Candidates", "Rows a query", "Labelled, %", "Positive, %"]
    rows = [
        [
            split,
            *(f"{found[name]:,}" for name in ("rows", "queries", "groups", "candidates")),
            NONE if found["rows_per_query"] is None else f"{found['rows_per_query']:.2f}",
            _share(found["labelled_share"]),
            _share(found["positive_share"]),
        ]
        for split in ("train", "dev", "test")
        for found in (prepared[split],)
    ]
    return Table(f"{task}: the data as it came", headings, rows)


def _language_table(task: str, prepared: Mapping[str, Any]) -> Table:
    splits = ("train", "dev", "test")
    known = sorted({language for split in splits for language in prepared[split]["languages"]})
    rows = []
    for language in known:
        found = [prepared[split]["languages"].get(language) for split in splits]
        cells = [
            (NONE, NONE) if part is None else (f"{part['rows']:,}", _share(part["positive_share"])) for part in found
        ]
        rows.append([language, *(cell for pair in cells for cell in pair)])
    headings = ["Language", *(f"{what} {split}" for split in splits for what in ("Rows in", "Positive, %, in"))]
    return Table(f"{task}: rows and positive share by language", headings, rows)


def _variant_tables(findings: Findings, task: str) -> Iterator[Block]:
    """What each training set has, by origin and by language."""
    counts = {}
    for variant in ("original", "translated", "negatives", "filtered"):
        named = findings.source(task, variant)
        rows = None if named is None else named.run.parquet(f"data/{variant}/{task}/train.parquet")
        if named is not None and rows is not None:
            counts[f"{variant} ({named.name})"] = rows
    if not counts:
        return
    by_origin = [
        [name, origin, f"{n:,}", _share(share)]
        for name, rows in counts.items()
        for origin, n, share in _by(rows, "origin").iter_rows()
    ]
    headings = ["Training set (of the run)", "Origin", "Rows", "Positive, %"]
    yield Table(f"{task}: what each training set is made of", headings, by_origin, text_columns=2)
    found = {
        name: {lang: (n, share) for lang, n, share in _by(rows, "language").iter_rows()}
        for name, rows in counts.items()
    }
    known = sorted({language for part in found.values() for language in part})
    by_language = [
        [
            language,
            *(
                f"{found[n][language][0]:,} ({_share(found[n][language][1])})" if language in found[n] else NONE
                for n in found
            ),
        ]
        for language in known
    ]
    caption = f"{task}: rows, and positive share in per cent, of each training set by language"
    yield Table(caption, ["Language", *found], by_language)


def _by(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    return rows.group_by(column).agg(pl.len(), share=pl.col("label").mean()).sort(column)


def _per_language(task: str, run: Run, settings: Settings) -> list[str]:
    """F1 on dev by cross-validation of a shared threshold and of one a language, and the second's gain."""
    answers = run.answers(task, "dev")
    if answers is None or "cross_validated" not in (run.json(f"metrics/calibrate/{task}.json") or {}):
        return [NONE, NONE, NONE]
    params = section(CalibrateParams, dict(run.params), "calibrate", task)
    found = cross_validated(labelled(answers), params, run.params["seed"])
    tables = [labelled(answers).with_columns(yes=pl.Series(yes)) for yes in found.values()]
    samples = resample(tables, resamples=settings.resamples, seed=settings.seed)
    f1 = [_percent(sample.value[index("f1")]) for sample in samples]
    return [*f1, gain(difference(samples[0], samples[1], settings.confidence)["f1"])]


def _language_blocks(findings: Findings, task: str, evaluated: Mapping[str, Mapping[str, Any]]) -> Iterator[Block]:
    shown = evaluated[findings.shown[task].name]
    absent = [language for language, found in shown.items() if not found["in_train"]]
    f1 = {name: {language: found["f1"] for language, found in by.items()} for name, by in evaluated.items()}
    runs = " and ".join(f1)
    caption = f"{task}: F1 on test in each language, of {runs}."
    alt = f"{caption} Absent from train: {', '.join(absent) or 'none'}. The table below has the figures."
    yield Figure(f"languages-{task}", alt, caption, figures.languages(f1, absent))
    gains = {}
    if task in findings.base:
        tables = [named.run.answers(task, "test") for named in findings.compared(task)]
        if tables[0] is not None and tables[1] is not None:
            gains = {found.language: found for found in language_gains(tables[0], tables[1], findings.settings)}
    rows = []
    for language in sorted(shown):
        cells = [f"{language} (absent)" if language in absent else language, f"{shown[language]['rows']:,}"]
        cells += [_percent(by[language]["f1"]) for by in evaluated.values()]
        cells += [_percent(shown[language]["average_precision"])]
        if gains:
            found = gains[language]
            cells += [gain(found.difference), _p(found.corrected_p), verdict(found.difference, found.corrected_p)]
        rows.append(cells)
    headings = ["Language", "Rows", *(f"F1 of {name}" for name in evaluated), f"AP of {findings.shown[task].name}"]
    headings += ["Gain in F1", "Corrected p", "Verdict"] if gains else []
    yield Table(f"{task}: test, in per cent, by language", headings, rows)


def _distinct_curves(task: str, runs: Sequence[Named]) -> dict[str, pl.DataFrame]:
    """Loss over epochs of the runs' final models; one curve for runs that share their model."""
    found: dict[str, pl.DataFrame] = {}
    for named in runs:
        recipe = named.run.params["tasks"][task]
        curve = named.run.csv(f"metrics/{FITTED_BY[recipe.get('method', 'sft')]}/{recipe['train_on']}/{task}.csv")
        if curve is None:
            continue
        same = [name for name, other in found.items() if other.equals(curve)]
        if same:
            found[f"{same[0]}, {named.name}"] = found.pop(same[0])
        else:
            found[named.name] = curve
    return found


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _share(value: float | None) -> str:
    return NONE if value is None else _percent(value)


def _percent(value: float, digits: int = 1) -> str:
    return f"{100 * value:.{digits}f}"
