"""Leaks: queries that two splits share, in any language and task.

`prepare` stops if a query of dev or test is in train. The report counts again, from the written tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import polars as pl

from babelshelf.core.rows import HELD_OUT, SPLITS
from babelshelf.data_report.tables import Finding, TaskTables
from babelshelf.page.cells import examples_of
from babelshelf.page.document import Block, Table, Text
from babelshelf.text.keys import keys

SLICE = 500_000  # queries compared at once
SHOWN = {
    "task": "Task", "language": "Language", "query": "Query",
    "other_task": "Other task", "other_language": "Other language", "other_query": "Query of the first split",
}  # fmt: skip


def shared(tasks: Sequence[TaskTables]) -> Finding:
    """Queries that two splits share.

    `same`: equal except for case, width, punctuation and spaces (`text.keys.key`); leaks if one split is train.
    `reordered`: the same words in another order.
    """
    held_out = {split: pl.concat([_compared(data, split) for data in tasks]) for split in HELD_OUT}
    metrics: dict[str, Any] = {}
    rows, blocks = [], list[Block]()
    for first, second in combinations(SPLITS, 2):
        common = pl.concat([_common(data, first, held_out[second]) for data in tasks])
        kinds = {"same": common.filter("same"), "reordered": common.filter(~pl.col("same"))}
        metrics[f"{first}_{second}"] = {kind: part["key"].n_unique() for kind, part in kinds.items()}
        unique = held_out[second]["key"].n_unique()
        rows.append([f"{second}, in {first}", *(f"{n:,}" for n in (unique, *metrics[f"{first}_{second}"].values()))])
        for kind, part in kinds.items():
            if part.height:
                examples = part.unique("key", keep="first", maintain_order=True)
                blocks.append(examples_of(f"{first} and {second}: {kind} queries", examples, SHOWN))
    headings = ["Queries of", "Unique queries", "The same query", "The same words, in another order"]
    table = Table("Queries of all tasks and languages that are in two splits", headings, rows)
    return Finding("Leaks", metrics, [Text(verdict(metrics)), table, *blocks])


def verdict(metrics: dict[str, Any]) -> str:
    """A sentence that says whether dev and test are free of leaks."""
    leaked = metrics["train_dev"]["same"] + metrics["train_test"]["same"]
    if leaked:
        return (
            f"LEAK: {leaked:,} queries of dev and test are in train. Results on them do not hold for new queries: "
            "run `dvc repro -f prepare`, which stops at such data."
        )
    return "No query of dev or test is in train, in any language or task, ignoring case, width, punctuation and spaces."


def _compared(data: TaskTables, split: str) -> pl.DataFrame:
    """Unique queries of a split, with their keys."""
    unique = data.split(split).select("language", "query").unique(maintain_order=True)
    return _with_keys(unique.with_columns(task=pl.lit(data.task)))


def _with_keys(queries: pl.DataFrame) -> pl.DataFrame:
    """Add the `key` of each query, and its `words`: those of the key in alphabetical order."""
    return queries.with_columns(keys(queries["query"])).with_columns(
        words=pl.col("key").str.split(" ").list.sort().list.join(" ")
    )


def _common(data: TaskTables, split: str, held_out: pl.DataFrame) -> pl.DataFrame:
    """Pairs of a query of `held_out` and one of `split` (`other_*`) with the same words; `same`: in the same order.

    The split is processed in slices, as the keys of millions of queries would take gigabytes.
    """
    unique = data.split(split).select("language", "query").unique(maintain_order=True)
    parts = []
    for part in [*unique.iter_slices(SLICE)] or [unique]:
        other = _with_keys(part.with_columns(task=pl.lit(data.task))).select(
            "words", pl.col("task", "language", "query", "key").name.prefix("other_")
        )
        parts.append(held_out.join(other, on="words", how="inner", maintain_order="left_right"))
    return pl.concat(parts).with_columns(same=pl.col("key") == pl.col("other_key"))
