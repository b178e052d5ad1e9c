"""Tables of a task's statistics in metrics/prepare.json, after the paper's Table 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from babelshelf.page.cells import NONE, share
from babelshelf.page.document import Table


def split_table(task: str, prepared: Mapping[str, Any]) -> Table:
    """Sizes and class shares of train, dev and test."""
    headings = ["Split", "Rows", "Queries", "Query groups", "Candidates", "Rows a query", "Labelled, %", "Positive, %"]
    rows = [
        [
            split,
            *(f"{counts[name]:,}" for name in ("rows", "queries", "groups", "candidates")),
            NONE if counts["rows_per_query"] is None else f"{counts['rows_per_query']:.2f}",
            share(counts["labelled_share"]),
            share(counts["positive_share"]),
        ]
        for split in ("train", "dev", "test")
        for counts in (prepared[split],)
    ]
    return Table(f"{task}: the data as it came", headings, rows)


def language_table(task: str, prepared: Mapping[str, Any]) -> Table:
    """Rows and class shares by language."""
    splits = ("train", "dev", "test")
    known = sorted({language for split in splits for language in prepared[split]["languages"]})
    rows = []
    for language in known:
        parts = [prepared[split]["languages"].get(language) for split in splits]
        cells = [
            (NONE, NONE) if part is None else (f"{part['rows']:,}", share(part["positive_share"])) for part in parts
        ]
        rows.append([language, *(cell for pair in cells for cell in pair)])
    headings = ["Language", *(f"{what} {split}" for split in splits for what in ("Rows in", "Positive, %, in"))]
    return Table(f"{task}: rows and positive share by language", headings, rows)
