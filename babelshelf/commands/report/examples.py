"""What translation, negatives and the filter dropped and kept: counts, and examples drawn at random."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from babelshelf.commands.report.deciders import deciders
from babelshelf.commands.report.findings import Findings, NamedRun
from babelshelf.core.variants import STAGES
from babelshelf.page.cells import EXAMPLES, examples_of
from babelshelf.page.document import Block, ReportSection, Table, Text


def examples(findings: Findings) -> Iterator[ReportSection]:
    """A section for each step of each task."""
    lead = f"Up to {EXAMPLES} examples of each kind, drawn at random, of the last row of the ladder that has the step."
    yield ReportSection("dropped", "What was dropped and kept", [Text(lead)])
    sections = {
        "translated": ("Translation", _translation),
        "negatives": ("Negatives", _negatives),
        "filtered": ("Filter", _filter),
    }
    for task in findings.shown:
        for variant, (title, blocks) in sections.items():
            named = findings.source(task, variant)
            metrics = None if named is None else named.run.json(f"metrics/{STAGES[variant]}/{task}.json")
            if named is not None and metrics is not None:
                found = list(blocks(task, named, metrics))
                yield ReportSection(f"{variant}-{task}", f"{title}, {task}, of the run {named.name}", found, level=3)


def _translation(task: str, named: NamedRun, metrics: Mapping[str, Any]) -> Iterator[Block]:
    failed = [name for name, sizes in metrics["dropped"].items() if any(part["rows"] for part in sizes.values())]
    rows = [
        [
            language,
            *(f"{part[language]['queries']:,}" for part in (metrics["planned"], metrics["kept"])),
            *(f"{metrics['dropped'][name][language]['queries']:,}" for name in failed),
        ]
        for language in metrics["planned"]
    ]
    headings = ["Into", "Planned", "Kept", *(f"Failed: {name}" for name in failed)]
    yield Table(f"{task}: queries, by the first check that they failed", headings, rows)
    dropped = named.run.parquet(f"data/translated/{task}/dropped.parquet")
    columns = {"target": "Into", "language": "From", "query": "Query", "translation": "Translation"}
    if dropped is not None:
        for name in failed:
            yield examples_of(f"{task}: dropped, check “{name}”", dropped.filter(pl.col("reason") == name), columns)
    train = named.run.parquet(f"data/translated/{task}/train.parquet")
    if train is not None:
        made = _with_parent(train, "translated", ["language", "query"])
        columns = {"language": "Into", "language_parent": "From", "query_parent": "Query", "query": "Translation"}
        yield examples_of(f"{task}: kept", made, columns | {"candidate": "Candidate", "label": "Label"})


def _negatives(task: str, named: NamedRun, metrics: Mapping[str, Any]) -> Iterator[Block]:
    counts = {name: sum(metrics[name].values()) for name in ("mined", "target")}
    rows = [[name, f"{count:,}"] for name, count in counts.items()]
    rows += [[f"dropped draws: {name}", f"{count:,}"] for name, count in metrics["dropped_draws"].items()]
    judged = metrics.get("false_negatives")
    if judged:
        rows.append(["relevant in truth, of those mined, %", f"{100 * judged['share']:.2f}"])
    yield Table(f"{task}: negatives", ["What", "Number"], rows)
    dropped = named.run.parquet(f"data/negatives/{task}/dropped.parquet")
    columns = {"language": "Language", "query": "Query", "positive": "Relevant", "candidate": "Dropped"}
    if dropped is not None:
        for guard in (name for name, count in metrics["dropped_draws"].items() if count):
            yield examples_of(f"{task}: dropped, guard “{guard}”", dropped.filter(pl.col("reason") == guard), columns)
    train = named.run.parquet(f"data/negatives/{task}/train.parquet")
    if train is not None:
        columns = {"language": "Language", "query": "Query", "candidate_parent": "Relevant", "candidate": "Negative"}
        yield examples_of(f"{task}: kept", _with_parent(train, "negative", ["candidate"]), columns)


def _filter(task: str, named: NamedRun, metrics: Mapping[str, Any]) -> Iterator[Block]:
    names = ("read", "dropped", "kept", *(["relabelled"] if "relabelled" in metrics else []))
    parts = {"all": metrics, **metrics["by_origin"], **{f"label {k}": v for k, v in metrics["by_label"].items()}}
    rows = [[part, *(f"{counts[name]:,}" for name in names)] for part, counts in parts.items()]
    yield Table(f"{task}: rows, by origin and by label", ["Rows", *(name.capitalize() for name in names)], rows)
    yield from deciders(task, named, metrics)
    columns = {"language": "Language", "query": "Query", "candidate": "Candidate", "origin": "Origin", "label": "Label",
               "p_yes": "p(yes)"}  # fmt: skip
    dropped = named.run.parquet(f"data/filtered/{task}/dropped.parquet")
    if dropped is not None:
        for reason in sorted(dropped["reason"].unique()):
            of_reason = dropped.filter(pl.col("reason") == reason)
            yield examples_of(f"{task}: dropped, {reason.replace('_', ' ')}", of_reason, columns)
    kept = named.run.parquet(f"data/filtered/{task}/train.parquet")
    scores = named.run.parquet(f"data/predictions/train/{task}/scores.parquet")
    if kept is not None and scores is not None:
        yield examples_of(f"{task}: kept", kept.join(scores, on="id", maintain_order="left"), columns)


def _with_parent(train: pl.DataFrame, origin: str, columns: list[str]) -> pl.DataFrame:
    """The rows of an origin with the named columns of their parents, `<column>_parent`."""
    parents = train.select(parent_id="id", **{f"{column}_parent": column for column in columns})
    return train.filter(pl.col("origin") == origin).join(parents, on="parent_id", how="left", maintain_order="left")
