"""What the report says of people and judges, from what the filter writes."""

from __future__ import annotations

from io import BytesIO

import polars as pl

from babelshelf.commands.ladder.runs import Run
from babelshelf.commands.report.deciders import deciders
from babelshelf.commands.report.findings import NamedRun
from babelshelf.page.document import Document, ReportSection, html, markdown
from tests.filter.test_decisions import Panel, agreed, run
from tests.filter.test_self_validation import truth


def named(relabelled: pl.DataFrame | None) -> NamedRun:
    files = {}
    if relabelled is not None:
        stream = BytesIO()
        relabelled.write_parquet(stream)
        files["data/filtered/qc/relabelled.parquet"] = stream.getvalue()
    return NamedRun("row", Run("row", {"tasks": {}}, files.get))


def test_it_counts_both_and_shows_who_said_what() -> None:
    panel = Panel({"2": 1, "4": 0, "5": 1, "1/pl": None, "1/neg": 0})
    filtered = run(panel, agreed(("fr", "shoe", "hat", 0)), known=truth())
    blocks = list(deciders("qc", named(filtered.relabelled), filtered.metrics))
    document = Document("t", ["l"], [ReportSection("s", "t", blocks)])
    text = markdown(document)
    assert "People decided on 1 rows (1 themselves" in text
    assert "asked about 5 rows: a majority confirmed 2 labels and contradicted 2; 1 rows had no majority." in text
    assert "40.0 % of these labels are right, and 75.0 % of the majorities." in text
    assert "| a | 1 | 0 | 0 | 0 | 0 | 1 | 9 | 80.0 |" in text
    assert "| en | shoe | blue shoe | original | judges | a, b | c |  |  | 0 | 1 | 0.950 |" in text
    assert "| fr | shoe | hat | original | people |  |  |  | ann, bo | 1 | 0 | 0.300 |" in text
    assert "rows with another label (4 of 4)" in html(document)


def test_it_says_nothing_where_nobody_decided() -> None:
    filtered = run(known=truth())
    assert list(deciders("qc", named(None), filtered.metrics)) == []


def test_without_truth_no_share_is_given() -> None:
    filtered = run(Panel(dict.fromkeys(["2", "4", "5", "1/pl", "1/neg"], None)))
    counts, table = deciders("qc", named(filtered.relabelled), filtered.metrics)
    text = markdown(Document("t", ["l"], [ReportSection("s", "t", [counts, table])]))
    assert "5 rows had no majority." in text
    assert "%" not in text
