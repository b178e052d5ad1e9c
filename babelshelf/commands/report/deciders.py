"""What people and LLM judges decided about labels, for the filter's section of the report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from babelshelf.commands.report.findings import NamedRun
from babelshelf.page.cells import NONE, examples_of, share
from babelshelf.page.document import Block, Table, Text

ANSWERS = ("yes", "no", "unreadable", "refused", "failed")
SAID = {
    "judges_yes": "Judges: yes",
    "judges_no": "Judges: no",
    "people_yes": "People: yes",
    "people_no": "People: no",
}


def deciders(task: str, named: NamedRun, metrics: Mapping[str, Any]) -> Iterator[Block]:
    """Counts of both, a table of the judges, and examples of rows with another label; nothing where nobody decided."""
    if "people" in metrics:
        yield Text(_people(metrics["people"]))
    if "judges" in metrics:
        yield Text(_panel(metrics["judges"]))
        yield _judges(task, metrics["judges"]["panel"])
    relabelled = named.run.parquet(f"data/filtered/{task}/relabelled.parquet")
    if relabelled is not None and relabelled.height:
        names = pl.col(*SAID).list.join(", ")
        columns = {"language": "Language", "query": "Query", "candidate": "Candidate", "origin": "Origin", "by": "By"}
        columns |= SAID | {"was": "Was", "label": "Label", "p_yes": "p(yes)"}
        yield examples_of(f"{task}: rows with another label", relabelled.with_columns(names), columns)


def _people(counts: Mapping[str, int]) -> str:
    return (
        f"People decided on {counts['decided']:,} rows ({counts['own']:,} themselves, the others are translations of "
        f"these): {counts['confirmed']:,} labels confirmed, {counts['relabelled']:,} changed."
    )


def _panel(counts: Mapping[str, Any]) -> str:
    text = (
        f"Judges were asked about {counts['asked']:,} rows: a majority confirmed {counts['confirmed']:,} labels and "
        f"contradicted {counts['contradicted']:,}; {counts['undecided']:,} rows had no majority."
    )
    if "label_right" not in counts:
        return text
    right = f"{share(counts.get('right'))} % of the majorities" if "right" in counts else "none of them"
    return f"{text} By the ground truth {share(counts['label_right'])} % of these labels are right, and {right}."


def _judges(task: str, panel: Mapping[str, Mapping[str, Any]]) -> Table:
    counts = (*ANSWERS, "calls", "tokens")
    has_truth = any("right" in own for own in panel.values())
    rows = [
        [
            name,
            *(f"{own[column]:,}" for column in counts),
            *([share(own["right"]) if "right" in own else NONE] if has_truth else []),
        ]
        for name, own in panel.items()
    ]
    headings = ["Judge", *(column.capitalize() for column in counts), *(["Right, %"] if has_truth else [])]
    return Table(f"{task}: judges, by what they said of the rows that they were asked about", headings, rows)
