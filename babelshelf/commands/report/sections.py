"""The sections on results, thresholds, calibration, learning curves and resources; one function each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from babelshelf.calibrate.cross_validation import cross_validated
from babelshelf.calibrate.params import SHARED, CalibrateParams
from babelshelf.calibrate.thresholds import scores_at
from babelshelf.commands.ladder.comparison import Settings, index
from babelshelf.commands.ladder.runs import WORKSPACE, Run
from babelshelf.commands.ladder.verdicts import gain
from babelshelf.commands.report.findings import Findings, NamedRun
from babelshelf.commands.show import score_headings, task_rows
from babelshelf.core.params import section
from babelshelf.evaluate.bootstrap import difference, resample
from babelshelf.evaluate.reliability import expected_calibration_error, reliability
from babelshelf.page import figures
from babelshelf.page.cells import NONE, percent
from babelshelf.page.document import Block, Figure, ReportSection, Table, Text
from babelshelf.tables.predictions import arrays, labelled


def results(findings: Findings) -> Iterator[ReportSection]:
    """The runs that the details are of, as `babelshelf show` has them."""
    lines: list[list[str]] = []
    for task, shown in findings.shown.items():
        own = findings.workspace
        for named in [shown] if own is None or shown.run is own else [shown, NamedRun(WORKSPACE, own)]:
            evaluated = named.run.json(f"metrics/evaluate/{task}.json")
            if evaluated is not None:
                lines += [[line[0], named.name, *line[1:]] for line in task_rows(task, evaluated)]
    scores = score_headings(findings.settings.confidence)
    caption = "On test, in per cent; intervals by bootstrap over query groups"
    yield ReportSection(
        "results",
        "Results",
        [
            Table(caption, ["Task", "Run", "Languages", *scores], lines, text_columns=3),
            Text(
                'All "yes" is the F1 of answering "yes" to everything: F1 flatters where most pairs are relevant; '
                "average precision (AP) and Matthews correlation (MCC) do not. nDCG@10 is of the order of a query's "
                "candidates, where they have both labels. Absent languages have no labelled query in train as it came."
            ),
        ],
    )


def thresholds(findings: Findings) -> Iterator[ReportSection]:
    """F1 over the threshold with the chosen point, and what other calibration methods would give."""
    blocks: list[Block] = []
    rows: list[list[str]] = []
    compared: list[list[str]] = []
    for task, named in findings.shown.items():
        calibrated = named.run.json(f"metrics/calibrate/{task}.json")
        curve = named.run.csv(f"metrics/calibrate/{task}.csv")
        at = None if calibrated is None else _f1_of_shared(task, named.run, calibrated)
        if calibrated is None or curve is None or at is None:
            continue
        chosen, all_yes = calibrated["threshold"], calibrated["all_yes_f1"]
        caption = f"{task}, run {named.name}: F1 over the threshold, on dev."
        alt = f"{caption} The threshold is {chosen:.3f}, with F1 {at:.3f}; all yes has {all_yes:.3f}."
        blocks.append(Figure(f"threshold-{task}", alt, caption, figures.threshold(curve, chosen, at, all_yes)))
        f1 = [percent(value) for value in (at, calibrated["f1"], calibrated["f1_at_half"], all_yes)]
        rows.append([task, named.name, calibrated.get("method", NONE), f"{chosen:.3f}", *f1])
        compared += [[task, named.name, *line] for line in _methods(task, named.run, findings.settings)]
    f1_headings = ["F1 of the shared threshold", "F1 of the method", "F1 at 0.5", 'All "yes" F1']
    headings = ["Task", "Run", "Method", "Threshold", *f1_headings]
    if rows:
        blocks.append(Table("Thresholds, chosen on dev alone; in per cent", headings, rows, text_columns=3))
    if compared:
        headings = ["Task", "Run", "Method", "Cross-validated F1", "Gain over shared"]
        blocks.append(
            Table("Calibration methods on dev, by cross-validation; in per cent", headings, compared, text_columns=3)
        )
        blocks.append(
            Text(
                "F1 in the first table is that of the rows that the threshold was chosen on; the second one is of dev "
                "rows whose query groups were left out of the choice. The param calibrate.method chooses: shared is "
                "one threshold for all languages, per_language one for each, logistic recalibrates p(yes) by language."
            )
        )
    yield ReportSection("thresholds", "Thresholds", blocks)


def calibration(findings: Findings) -> Iterator[ReportSection]:
    """Whether p(yes) is a probability."""
    blocks: list[Block] = []
    rows = []
    for task in findings.shown:
        curves = {}
        for named in findings.compared(task):
            answers = named.run.predictions(task, "test")
            if answers is None:
                continue
            curve = curves[named.name] = reliability(*arrays(labelled(answers)), findings.settings.bins)
            errors = [percent(expected_calibration_error(curve)), _recalibrated_error(answers, findings.settings.bins)]
            rows.append([task, named.name, str(curve.height), *errors])
        if curves:
            caption = f"{task}: share of relevant test pairs over p(yes), in bins of equal numbers of pairs."
            picture = figures.reliability(curves)
            blocks.append(Figure(f"reliability-{task}", f"{caption} The table below has the errors.", caption, picture))
    headings = ["Task", "Run", "Bins", "Expected calibration error, points", "After recalibration"]
    blocks.append(Table("Mean distance of p(yes) from the share of relevant pairs", headings, rows, text_columns=2))
    note = Text(
        "Where p(yes) is a probability the curve is the diagonal. The threshold does not need it to be (only the order "
        "of the pairs counts), a user of p(yes) does. After arXiv 1706.04599, with bins of equal mass."
    )
    yield ReportSection("calibration", "Calibration", [note, *blocks])


def learning(findings: Findings) -> Iterator[ReportSection]:
    """Training loss of each row's final model."""
    blocks: list[Block] = []
    for task, named in findings.shown.items():
        runs = [
            NamedRun(step.row.name, next(iter(step.runs.values())))
            for step in findings.steps.get(task, [])
            if step.runs
        ]
        curves = _distinct_curves(task, runs or [named])
        if curves:
            caption = f"{task}: training loss, smoothed, of each row's final model; rows that share one share a line."
            ends = "; ".join(f"{name} ends at {curve['loss'][-1]:.3f}" for name, curve in curves.items())
            blocks.append(Figure(f"learning-{task}", f"{caption} {ends}.", caption, figures.learning(curves)))
    note = Text("The loss of DPO is another one than that of fine-tuning: their levels do not compare.")
    yield ReportSection("learning", "Learning curves", [note, *blocks])


def resources(records: pl.DataFrame) -> Iterator[ReportSection]:
    """Time and peak memory by stage; `records` as `babelshelf.runtime.stage_log` reads them."""
    if records.is_empty():
        yield ReportSection(
            "resources", "Time and memory", [Text("Nothing is recorded: .cache/resources.jsonl is not here.")]
        )
        return
    by_stage = records.group_by("stage").agg(
        pl.len(), pl.col("seconds").mean(), most=pl.col("seconds").max(), peak=pl.col("peak_mib").max()
    )
    stages = [
        [stage, str(n), f"{mean:.0f}", f"{most:.0f}", f"{peak:,.0f}"]
        for stage, n, mean, most, peak in by_stage.sort("stage").iter_rows()
    ]
    yield ReportSection(
        "resources",
        "Time and memory",
        [
            Text(
                "Each stage's last record in the working tree and under each name of an experiment that ran it, of "
                "this commit or an earlier one: their sum is of no run. What DVC took from its cache was not run. "
                "Seconds are of the whole process, after a kill those of its last start; the peak is the largest "
                "resident memory of one process."
            ),
            Table("By stage", ["Stage", "Runs", "Seconds, mean", "Seconds, most", "Peak, MiB"], stages),
        ],
    )


def _recalibrated_error(answers: pl.DataFrame, bins: int) -> str:
    """The calibration error after recalibration, where the run has one."""
    if "p_calibrated" not in answers.columns:
        return NONE
    rows = labelled(answers)
    curve = reliability(arrays(rows)[0], rows["p_calibrated"].to_numpy(), bins)
    return percent(expected_calibration_error(curve))


def _f1_of_shared(task: str, run: Run, calibrated: Mapping[str, Any]) -> float | None:
    """F1 on dev at the shared threshold; None where languages have their own and the predictions are not here."""
    if "thresholds" not in calibrated:
        return float(calibrated["f1"])
    answers = run.predictions(task, "dev")
    if answers is None:
        return None
    return float(scores_at(*arrays(labelled(answers)), np.array([calibrated["threshold"]]))["f1"][0])


def _methods(task: str, run: Run, settings: Settings) -> Iterator[list[str]]:
    """Each calibration method with its F1 on dev by cross-validation, and its gain over a shared threshold."""
    answers = run.predictions(task, "dev")
    if answers is None or "cross_validated" not in (run.json(f"metrics/calibrate/{task}.json") or {}):
        return
    rows = labelled(answers)
    found = cross_validated(rows, section(CalibrateParams, dict(run.params), "calibrate", task), run.params["seed"])
    tables = [rows.with_columns(is_relevant=pl.Series(yes)) for yes in found.values()]
    samples = dict(zip(found, resample(tables, resamples=settings.resamples, seed=settings.seed), strict=True))
    for method, sample in samples.items():
        gained = difference(samples[SHARED], sample, settings.confidence)["f1"]
        yield [method, percent(sample.value[index("f1")]), NONE if method == SHARED else gain(gained)]


def _distinct_curves(task: str, runs: Sequence[NamedRun]) -> dict[str, pl.DataFrame]:
    """Loss over epochs of the runs' final models; one curve for runs that share their model."""
    curves: dict[str, pl.DataFrame] = {}
    for named in runs:
        recipe = named.run.params["tasks"][task]
        curve = named.run.csv(f"metrics/{recipe['method']}/{recipe['train_on']}/{task}.csv")
        if curve is None or curve.is_empty():
            continue
        same = [name for name, other in curves.items() if other.equals(curve)]
        if same:
            curves[f"{same[0]}, {named.name}"] = curves.pop(same[0])
        else:
            curves[named.name] = curve
    return curves
