"""The section of the report that is about the data: as it came, and what each training set adds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from babelshelf.report.document import Block, Section, Table
from babelshelf.report.findings import NONE, Findings, share


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


def _split_table(task: str, prepared: Mapping[str, Any]) -> Table:
    headings = ["Split", "Rows", "Queries", "Query groups", "Candidates", "Rows a query", "Labelled, %", "Positive, %"]
    rows = [
        [
            split,
            *(f"{found[name]:,}" for name in ("rows", "queries", "groups", "candidates")),
            NONE if found["rows_per_query"] is None else f"{found['rows_per_query']:.2f}",
            share(found["labelled_share"]),
            share(found["positive_share"]),
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
            (NONE, NONE) if part is None else (f"{part['rows']:,}", share(part["positive_share"])) for part in found
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
        [name, origin, f"{n:,}", share(positive)]
        for name, rows in counts.items()
        for origin, n, positive in _by(rows, "origin").iter_rows()
    ]
    headings = ["Training set (of the run)", "Origin", "Rows", "Positive, %"]
    yield Table(f"{task}: what each training set is made of", headings, by_origin, text_columns=2)
    found = {
        name: {language: f"{n:,} ({share(positive)})" for language, n, positive in _by(rows, "language").iter_rows()}
        for name, rows in counts.items()
    }
    known = sorted({language for part in found.values() for language in part})
    by_language = [[language, *(part.get(language, NONE) for part in found.values())] for language in known]
    caption = f"{task}: rows, and positive share in per cent, of each training set by language"
    yield Table(caption, ["Language", *found], by_language)


def _by(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    return rows.group_by(column).agg(pl.len(), share=pl.col("label").mean()).sort(column)
