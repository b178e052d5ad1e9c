"""Build the page and the metrics of the data report from its findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from babelshelf.core.rows import SPLITS
from babelshelf.data_report import languages, pairs, queries, texts
from babelshelf.data_report.params import DataReportParams
from babelshelf.data_report.tables import Finding, TaskTables
from babelshelf.page import figures
from babelshelf.page.cells import NONE, percent
from babelshelf.page.document import Block, Document, Figure, ReportSection, Table
from babelshelf.page.prepared import language_table, split_table
from babelshelf.text.language_id import Tolerance

ALL = "all"  # key of the findings on all tasks together


def findings(tasks: Sequence[TaskTables], settings: DataReportParams, seed: int) -> dict[str, dict[str, Finding]]:
    """`{task: {part: finding}}`, and `leaks` under `ALL`."""
    choice = languages.candidates(tasks)
    tolerance = Tolerance(**settings.tolerance.model_dump())
    found = {
        data.task: {
            "lengths": texts.lengths(data, settings.long),
            "flaws": texts.flaws(data),
            "left_out": texts.left_out(data),
            "repeated": pairs.repeated(data),
            "unknown_candidates": pairs.unknown_candidates(data),
            "languages": languages.languages(data, choice, tolerance, settings.queries_per_language, seed),
        }
        for data in tasks
    }
    return {ALL: {"leaks": queries.shared(tasks)}} | found


def metrics(found: Mapping[str, Mapping[str, Finding]]) -> dict[str, Any]:
    """`{task: {part: metrics}}`, those of all tasks together under `ALL`."""
    return {task: {name: part.metrics for name, part in parts.items()} for task, parts in found.items()}


def document(tasks: Sequence[TaskTables], found: Mapping[str, Mapping[str, Finding]]) -> Document:
    """The page."""
    leaks = found[ALL]["leaks"]
    sections = [
        ReportSection("overview", "Overview", [_overview(found)]),
        ReportSection("leaks", leaks.title, leaks.blocks),
    ]
    for data in tasks:
        sections += [ReportSection(data.task, f"Task {data.task}", _sizes(data))]
        sections += [
            ReportSection(f"{data.task}-{name}", f"{part.title}, {data.task}", part.blocks, level=3)
            for name, part in found[data.task].items()
        ]
    lead = [
        "Checks of the data that prepare wrote: counts, with examples. None of these findings stops the pipeline.",
        queries.verdict(leaks.metrics),
    ]
    return Document("Babelshelf data report", lead, sections)


def _overview(found: Mapping[str, Mapping[str, Finding]]) -> Table:
    """A row for each check, with its counts in each task."""
    tasks = [task for task in found if task != ALL]
    lines: dict[str, dict[str, list[str]]] = {}
    for task in tasks:
        for count in (count for part in found[task].values() for count in part.counts):
            cells = [f"{count.found:,}", f"{count.total:,}", _share(count.found, count.total)]
            lines.setdefault(count.what, {})[task] = cells
    rows = [[what, *(cell for task in tasks for cell in line.get(task, [NONE] * 3))] for what, line in lines.items()]
    headings = [f"{task}: {name}" for task in tasks for name in ("found", "of", "%")]
    return Table("Checks, and how many rows or queries they found", ["Check", *headings], rows)


def _share(found: int, total: int) -> str:
    return percent(found / total, 2) if total else NONE


def _sizes(data: TaskTables) -> list[Block]:
    shares = {
        split: {
            language: part["rows"] / data.prepared[split]["rows"]
            for language, part in data.prepared[split]["languages"].items()
        }
        for split in SPLITS
    }
    caption = f"{data.task}: share of the rows that each language has, by split."
    picture = Figure(f"languages-{data.task}", f"{caption} The table has it.", caption, figures.language_shares(shares))
    return [split_table(data.task, data.prepared), language_table(data.task, data.prepared), picture]
