"""Make the report of a commit's experiments and the workspace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from babelshelf.commands.check import check
from babelshelf.commands.ladder.comparison import Settings, Step, steps
from babelshelf.commands.ladder.rows import LadderRow, experiments, read_ladder
from babelshelf.commands.ladder.runs import WORKSPACE, Run, ladder_runs, workspace
from babelshelf.commands.report import data, gains, sections
from babelshelf.commands.report.examples import examples
from babelshelf.commands.report.findings import Findings, NamedRun
from babelshelf.core.errors import InputError
from babelshelf.core.files import replacing, work_dir
from babelshelf.core.params import PARAMS_FILE, load_seed, read
from babelshelf.evaluate.warnings import warnings
from babelshelf.page.document import Document, ReportSection, html, markdown, standalone
from babelshelf.runtime.stage_log import read_resources


@dataclass(frozen=True)
class Ladder:
    """The rows of ladder.yaml, and by row and seed the runs of those experiments that exist."""

    rows: Sequence[LadderRow]
    runs: Mapping[str, Mapping[int, Run]]
    own_seed: int

    def missing(self) -> dict[str, list[str]]:
        """Names of the experiments that have not been run, by row."""
        missing: dict[str, list[str]] = {}
        for experiment in experiments(self.rows, self.own_seed):
            if experiment.seed not in self.runs[experiment.row.name]:
                missing.setdefault(experiment.row.name, []).append(experiment.name)
        return missing


def report(out: Path, revision: str, ladder_file: Path) -> Path:
    """Write `report.html`, `report.md` and `figures/` into the folder `out`, which is replaced as a whole.

    Args:
        out: made where it is missing; a folder that holds anything else than a report is left alone.
        revision: the commit that the ladder's experiments were run on.
        ladder_file: of the rows; without one, the last run alone is reported.

    Returns:
        Path of the HTML page.

    Raises:
        InputError: there is nothing to report, the ladder or params.yaml is wrong, or `out` is in use.
    """
    check()
    _check_out(out)
    params = read(PARAMS_FILE)
    rows = read_ladder(params, ladder_file) if ladder_file.is_file() else []
    seed = load_seed()
    ladder = Ladder(rows, ladder_runs(rows, revision) if rows else {}, seed)
    settings = Settings(params["evaluate"]["confidence"], seed, params["evaluate"]["reliability_bins"])
    document = compose(
        ladder, workspace(), list(params["tasks"]), settings, read_resources(work_dir() / "resources.jsonl")
    )
    write(document, out)
    return out / "report.html"


def compose(ladder: Ladder, own: Run, tasks: Sequence[str], settings: Settings, records: pl.DataFrame) -> Document:
    """The report of the ladder's runs and of the working tree.

    Raises:
        InputError: neither has a result.
    """
    by_task = {task: steps(ladder.rows, ladder.runs, task, settings) for task in tasks} if ladder.rows else {}
    own_tasks = [task for task in tasks if own.json(f"metrics/evaluate/{task}.json") is not None]
    shown: dict[str, NamedRun] = {}
    base: dict[str, NamedRun] = {}
    for task in tasks:
        details = _details(by_task.get(task, []))
        if details:
            shown[task] = details[-1]
            base |= {task: details[0]} if len(details) > 1 else {}
        elif task in own_tasks:
            shown[task] = NamedRun(WORKSPACE, own)
    if not shown:
        raise InputError("nothing to report: run `make repro`, or `babelshelf ladder`")
    findings = Findings(by_task, shown, base, own if own_tasks else None, settings)
    missing = ladder.missing()
    parts: list[ReportSection] = [
        *sections.results(findings),
        *gains.ladder(findings, missing),
        *gains.languages(findings),
        *sections.thresholds(findings),
        *sections.calibration(findings),
        *data.data(findings),
        *examples(findings),
        *sections.learning(findings),
        *sections.resources(records),
    ]
    return Document("Babelshelf report", _lead(findings, missing), parts)


def write(document: Document, out: Path) -> None:
    """Write the page, its twin and the twin's pictures."""
    with replacing(out) as folder:
        (folder / "figures").mkdir(parents=True)
        (folder / "report.html").write_text(html(document), encoding="utf-8")
        (folder / "report.md").write_text(markdown(document), encoding="utf-8")
        for figure in document.figures():
            (folder / "figures" / f"{figure.name}.svg").write_text(standalone(figure) + "\n", encoding="utf-8")


def _details(of_task: Sequence[Step]) -> list[NamedRun]:
    """The last row that was run, before it the first one, if another was run with the same seed."""
    run = [step for step in of_task if step.runs]
    if not run:
        return []
    seed, last = next(iter(run[-1].runs.items()))
    first = [NamedRun(step.row.name, step.runs[seed]) for step in run[:-1] if seed in step.runs][:1]
    return [*first, NamedRun(run[-1].row.name, last)]


def _lead(findings: Findings, missing: Mapping[str, Sequence[str]]) -> list[str]:
    shown = "; ".join(f"{task}: {named.name}" for task, named in findings.shown.items())
    lead = [f"What the data steps gain on this data, and how sure that is. Details are of these runs: {shown}."]
    if missing:
        names = ", ".join(name for names in missing.values() for name in names)
        lead.append(f"Rows of the ladder that were not run: {names}. The command ‘babelshelf ladder’ runs them.")
    steps = [(task, step) for task, of_task in findings.steps.items() for step in of_task]
    lead += dict.fromkeys(warning for task, step in steps for warning in gains.warnings(step, task))
    for task, named in findings.shown.items():
        evaluated = named.run.json(f"metrics/evaluate/{task}.json")
        lead += [] if evaluated is None else [f"{task}, run {named.name}: {one}." for one in warnings(evaluated)]
    return lead


def _check_out(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out}: is a file; give a folder")
    if out.is_dir() and {path.name for path in out.iterdir()} - {"report.html", "report.md", "figures"}:
        raise InputError(f"--out {out}: holds other files, which would be lost; give another folder")
