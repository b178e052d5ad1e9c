"""Queries that are in two splits, in any language and task: of dev and test, none may be in train.

`prepare` stops where one is; the report counts again, from the tables that were written.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import polars as pl

from babelshelf.data_report.tables import HELD_OUT, SPLITS, Finding, TaskData
from babelshelf.page.cells import examples_of
from babelshelf.page.document import Block, Table, Text
from babelshelf.text.keys import keys

SLICE = 500_000  # queries that are compared at once
SHOWN = {
    "task": "Task", "language": "Language", "query": "Query",
    "other_task": "Other task", "other_language": "Other language", "other_query": "Query of the first split",
}  # fmt: skip


def shared(tasks: Sequence[TaskData]) -> Finding:
    """Queries that two splits share.

    `same` are equal but for case, width, punctuation and spaces (`text.key`): leaks, where one split is train.
    `reordered` have the same words in another order.
    """
    held_out = {split: pl.concat([_compared(data, split) for data in tasks]) for split in HELD_OUT}
    metrics: dict[str, Any] = {}
    rows, blocks = [], list[Block]()
    for first, second in combinations(SPLITS, 2):
        found = pl.concat([_common(data, first, held_out[second]) for data in tasks])
        kinds = {"same": found.filter("same"), "reordered": found.filter(~pl.col("same"))}
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
    """In a sentence, whether dev and test are clean."""
    leaked = metrics["train_dev"]["same"] + metrics["train_test"]["same"]
    if leaked:
        return (
            f"LEAK: {leaked:,} queries of dev and test are in train. Results on them say nothing of new queries: "
            "make data/original again, `prepare` refuses such data."
        )
    return (
        "No query of dev or test is in train, in any language or task, compared without case, width, punctuation and "
        "spaces: 0, as it must be."
    )


def _compared(data: TaskData, split: str) -> pl.DataFrame:
    """Unique queries of a split with what they are compared by."""
    unique = data.split(split).select("language", "query").unique(maintain_order=True)
    return _with_keys(unique.with_columns(task=pl.lit(data.task)))


def _with_keys(queries: pl.DataFrame) -> pl.DataFrame:
    """`key` of each query, and `words`, those of the key in alphabetical order."""
    return queries.with_columns(keys(queries["query"])).with_columns(
        words=pl.col("key").str.split(" ").list.sort().list.join(" ")
    )


def _common(data: TaskData, split: str, held_out: pl.DataFrame) -> pl.DataFrame:
    """Queries of `held_out` that have the words of one of a split, which is `other_*`; `same` if in the same order.

    The split is read in slices: with the keys of all of it, a train set of millions would take gigabytes.
    """
    unique = data.split(split).select("language", "query").unique(maintain_order=True)
    parts = []
    for part in [*unique.iter_slices(SLICE)] or [unique]:
        other = _with_keys(part.with_columns(task=pl.lit(data.task))).select(
            "words", pl.col("task", "language", "query", "key").name.prefix("other_")
        )
        parts.append(held_out.join(other, on="words", how="inner", maintain_order="left_right"))
    return pl.concat(parts).with_columns(same=pl.col("key") == pl.col("other_key"))
