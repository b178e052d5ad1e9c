"""Queries that are in two splits, in any language and task: of dev and test, none may be in train.

`prepare` stops where one is; the report counts again, from the tables that were written.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import polars as pl

from babelshelf.data_report.tables import SPLITS, Finding, TaskData
from babelshelf.report.cells import examples_of
from babelshelf.report.document import Block, Table, Text

SHOWN = {
    "task": "Task", "language": "Language", "query": "Query",
    "other_task": "Other task", "other_language": "Other language", "other_query": "Query of the first split",
}  # fmt: skip


def shared(tasks: Sequence[TaskData]) -> Finding:
    """Queries that two splits share.

    `same` are equal but for case, width, punctuation and spaces (`text.key`): leaks, where one split is train.
    `reordered` have the same words in another order.
    """
    queries = pl.concat(
        data.rows.select(pl.lit(data.task).alias("task"), "split", "language", "query", "key").unique(
            ["split", "language", "key"], keep="first", maintain_order=True
        )
        for data in tasks
    ).with_columns(words=pl.col("key").str.split(" ").list.sort().list.join(" "))
    metrics: dict[str, Any] = {}
    rows, blocks = [], list[Block]()
    for first, second in combinations(SPLITS, 2):
        same = _common(queries, first, second, "key")
        reordered = _common(queries, first, second, "words").filter(pl.col("key") != pl.col("other_key"))
        found = {"same": same["key"].n_unique(), "reordered": reordered["key"].n_unique()}
        metrics[f"{first}_{second}"] = found
        of_second = queries.filter(pl.col("split") == second)["key"].n_unique()
        rows.append([f"{second}, in {first}", f"{of_second:,}", *(f"{n:,}" for n in found.values())])
        for name, pairs in (("same", same), ("reordered", reordered)):
            if pairs.height:
                caption = f"{first} and {second}: {name} queries"
                blocks.append(examples_of(caption, pairs.unique("key", keep="first", maintain_order=True), SHOWN))
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


def _common(queries: pl.DataFrame, first: str, second: str, by: str) -> pl.DataFrame:
    """Queries of the second split with one of the first that has the same `by`; those of the first are `other_*`."""
    other = queries.filter(pl.col("split") == first).select(
        pl.col(by).alias("by"), pl.col("task", "language", "query", "key").name.prefix("other_")
    )
    own = queries.filter(pl.col("split") == second).with_columns(by=by)
    return own.join(other, on="by", how="inner", maintain_order="left_right")
