"""Repeated pairs, pairs with both labels, and candidates of dev and test that are not in train."""

from __future__ import annotations

from typing import Any

import polars as pl

from babelshelf.core.rows import HELD_OUT, LEVEL, SPLITS
from babelshelf.data_report.tables import Count, Finding, TaskTables
from babelshelf.page.cells import NONE, examples_of, percent
from babelshelf.page.document import Block, Table

PAIR = ["language", "query", "candidate"]
SHOWN = {"language": "Language", "query": "Query", "candidate": "Candidate"}


def repeated(data: TaskTables) -> Finding:
    """Duplicate rows (the same pair and label), and pairs with both labels, within each split.

    A pair is a language, a query and a candidate.
    """
    pairs = _repeated(data.rows)
    both, again = pairs.filter(pl.col("labels") > 1), pairs.filter(pl.col("again") > 0)
    metrics: dict[str, Any] = {}
    for split in SPLITS:
        of_split = pl.col("split") == split
        metrics[split] = {
            "pairs": data.split(split).height - int((pairs.filter(of_split)["rows"] - 1).sum()),
            "duplicate_rows": int(again.filter(of_split)["again"].sum()),
            "pairs_with_both_labels": both.filter(of_split).height,
            "rows_with_both_labels": int(both.filter(of_split)["rows"].sum()),
        }
    names = list(metrics["train"])
    rows = [[split, *(f"{metrics[split][name]:,}" for name in names)] for split in SPLITS]
    headings = ["Split", "Pairs", "Duplicate rows", "Pairs with both labels", "Their rows"]
    blocks: list[Block] = [Table(f"{data.task}: pairs of a query and a candidate", headings, rows)]
    columns = {"split": "Split"} | SHOWN | {"rows": "Rows", "positive": "Relevant"}
    if both.height:
        blocks.append(examples_of(f"{data.task}: pairs with both labels", both, columns))
    if again.height:
        blocks.append(examples_of(f"{data.task}: duplicate rows", again, columns))
    counts = [
        Count("rows that repeat a pair with its label", int(again["again"].sum()), data.rows.height),
        Count("pairs with both labels", both.height, sum(metrics[split]["pairs"] for split in SPLITS)),
    ]
    return Finding("Repeated pairs", metrics, blocks, counts)


def unknown_candidates(data: TaskTables) -> Finding:
    """Candidates of dev and test that are not in train; in `qc`, also categories by level of the tree."""
    known = data.split("train").select("candidate").unique()
    metrics: dict[str, Any] = {}
    rows, blocks, counts = [], list[Block](), []
    for split in HELD_OUT:
        table = data.split(split)
        unknown = table.join(known, on="candidate", how="anti", maintain_order="left")
        found = {
            "candidates": table["candidate"].n_unique(),
            "unknown": unknown["candidate"].n_unique(),
            "rows_of_unknown": unknown.height,
        }
        share = percent(unknown.height / table.height) if table.height else NONE
        rows.append([split, *(f"{n:,}" for n in found.values()), share])
        metrics[split] = found | ({"levels": _levels(table, known)} if data.task == "qc" else {})
        counts.append(Count(f"rows of {split} whose candidate train does not have", unknown.height, table.height))
        if unknown.height:
            blocks.append(examples_of(f"{data.task}: unknown candidates of {split}", unknown, SHOWN))
    headings = ["Split", "Candidates", "Not in train", "Rows of those", "Of its rows, %"]
    tables = [Table(f"{data.task}: candidates that are not in train", headings, rows)]
    if data.task == "qc":
        tables.append(_level_table(metrics))
    return Finding("Unknown candidates", metrics, [*tables, *blocks], counts)


def _repeated(rows: pl.DataFrame) -> pl.DataFrame:
    """Pairs with several rows in a split: numbers of `rows`, `labels`, `positive` rows, and rows there `again`."""
    pair = ["split", *PAIR]
    hashes = rows.select(pl.struct(pair).hash()).to_series()  # most pairs have one row, and are not looked at again
    return (
        rows.filter(hashes.is_duplicated())
        .group_by(pair, maintain_order=True)
        .agg(
            rows=pl.len(),
            labels=pl.col("label").drop_nulls().n_unique(),
            again=pl.len() - pl.col("label").n_unique(),
            positive=(pl.col("label") == 1).sum(),
        )
        .filter(pl.col("rows") > 1)
    )


def _levels(table: pl.DataFrame, known: pl.DataFrame) -> dict[str, dict[str, int]]:
    """By depth of the tree: the number of categories of the candidates, and of those not in train."""
    categories, in_train = _prefixes(table.select("candidate").unique()), _prefixes(known)
    counted = categories.join(in_train.with_columns(known=True), on=["depth", "category"], how="left")
    counted = counted.group_by("depth").agg(categories=pl.len(), unknown=pl.col("known").is_null().sum()).sort("depth")
    return {str(row.pop("depth")): row for row in counted.iter_rows(named=True)}


def _prefixes(paths: pl.DataFrame) -> pl.DataFrame:
    """Unique categories on the paths, with their depth from 1."""
    levels = paths.select(level=pl.col("candidate").str.split(LEVEL))
    deepest = int(levels["level"].list.len().max() or 0)  # type: ignore[arg-type]
    parts = [
        levels.filter(pl.col("level").list.len() >= depth)
        .select(depth=pl.lit(depth), category=pl.col("level").list.head(depth).list.join(LEVEL))
        .unique()
        for depth in range(1, deepest + 1)
    ]
    return pl.concat(parts) if parts else pl.DataFrame(schema={"depth": pl.Int32, "category": pl.String})


def _level_table(metrics: dict[str, Any]) -> Table:
    depths = sorted({int(depth) for split in HELD_OUT for depth in metrics[split]["levels"]})
    rows = []
    for depth in depths:
        levels = [metrics[split]["levels"].get(str(depth)) for split in HELD_OUT]
        cells = [(NONE, NONE) if one is None else (f"{one['categories']:,}", f"{one['unknown']:,}") for one in levels]
        rows.append([str(depth), *(cell for pair in cells for cell in pair)])
    headings = ["Level", *(f"{what} {split}" for split in HELD_OUT for what in ("Categories in", "Not in train, of"))]
    return Table("qc: categories by level of the tree, 1 is the top", headings, rows)
