"""The section of the report that is about the data: as it came, and what each training set adds."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from babelshelf.commands.measured_languages import measured_languages
from babelshelf.commands.report.findings import Findings
from babelshelf.core.variants import VARIANTS
from babelshelf.page.cells import NONE, share
from babelshelf.page.document import Block, ReportSection, Table, Text
from babelshelf.page.prepared import language_table, split_table


def data(findings: Findings) -> Iterator[ReportSection]:
    """Sizes and shares of the data as it came (the paper's Table 1), and what each variant adds."""
    yield ReportSection("data", "Data", [])
    for task, named in findings.shown.items():
        blocks: list[Block] = []
        prepared = (named.run.json("metrics/prepare.json") or {}).get(task)
        if prepared is not None:
            in_train_rows = named.run.params.get("evaluate", {}).get("in_train_rows", 1)
            blocks.append(Text(measured_languages(task, prepared, in_train_rows) + "."))
            blocks += [split_table(task, prepared), language_table(task, prepared)]
        variants = list(_variant_tables(findings, task))
        yield ReportSection(f"data-{task}", f"Data of {task}", [*blocks, *variants], level=3)


def _variant_tables(findings: Findings, task: str) -> Iterator[Block]:
    """What each training set has, by origin and by language."""
    counts = {}
    for variant in VARIANTS:
        named = findings.source(task, variant)
        rows = None if named is None else named.run.parquet(f"data/{variant}/{task}/train.parquet")
        if named is not None and rows is not None:
            counts[f"{variant} ({named.name})"] = rows
    if not counts:
        return
    by_origin = [
        [name, origin, f"{n:,}", share(positive)]
        for name, rows in counts.items()
        for origin, n, positive in _by(rows, "origin").iter_rows()
    ]
    headings = ["Training set (of the run)", "Origin", "Rows", "Positive, %"]
    yield Table(f"{task}: what each training set is made of", headings, by_origin, text_columns=2)
    parts = {
        name: {language: f"{n:,} ({share(positive)})" for language, n, positive in _by(rows, "language").iter_rows()}
        for name, rows in counts.items()
    }
    known = sorted({language for part in parts.values() for language in part})
    by_language = [[language, *(part.get(language, NONE) for part in parts.values())] for language in known]
    caption = f"{task}: rows, and positive share in per cent, of each training set by language"
    yield Table(caption, ["Language", *parts], by_language)


def _by(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    return rows.group_by(column).agg(pl.len(), share=pl.col("label").mean()).sort(column)
