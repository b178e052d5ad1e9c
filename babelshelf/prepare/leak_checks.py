"""What must hold of a marketplace before any of it is written, the train/test leak check above all.

Every check looks at all tasks together: a query that is in train for one task must not be in dev or test of the other.
"""

from __future__ import annotations

import polars as pl

from babelshelf.core.errors import InputError
from babelshelf.core.languages import is_code
from babelshelf.core.rows import check_rows
from babelshelf.prepare.marketplace import Marketplace
from babelshelf.tables.prediction_sets import check_unlabelled
from babelshelf.text.keys import each_once, keys

SHOWN = 20  # offenders that a message names


def check(marketplace: Marketplace) -> None:
    """Check all that later stages rely on.

    Raises:
        InputError: a row breaks the data contract (`core.rows.check_rows`,
            `tables.prediction_sets.check_unlabelled`), an id is there twice, a language is unknown, a train row has no
            label or a candidate that is not for training, a group is in two splits, a query of dev or test is in train
            or in the unlabelled texts; the message names the first offenders.
    """
    for task, data in marketplace.tasks.items():
        for split, table in (("train", data.train), ("dev", data.dev), ("test", data.test)):
            check_rows(table, f"{task} {split}")
        check_unlabelled(data.unlabelled, f"{task} unlabelled")
    rows = all_rows(marketplace)
    _refuse("ids that are there twice", rows.filter(pl.col("id").is_duplicated())["id"])
    unknown = [language for language in rows["language"].unique() if not is_code(language)]
    _refuse("rows with a language code that ISO 639-1 has not", rows.filter(pl.col("language").is_in(unknown))["id"])
    unlabelled = rows.filter((pl.col("split") == "train") & pl.col("label").is_null())
    _refuse("train rows without a label", unlabelled["id"])
    _check_candidates(marketplace)
    _check_groups(rows)
    _check_queries(rows)
    _check_texts(marketplace, rows)


def all_rows(marketplace: Marketplace) -> pl.DataFrame:
    """Rows of all tasks and splits, with `split` (train, dev or test) and `key` (`text.key` of the query)."""
    parts = [
        table.with_columns(split=pl.lit(split))
        for data in marketplace.tasks.values()
        for split, table in (("train", data.train), ("dev", data.dev), ("test", data.test))
    ]
    rows = pl.concat(parts)
    return rows.with_columns(each_once(rows["query"], keys).alias("key"))


def held_out_keys(marketplace: Marketplace) -> pl.DataFrame:
    """Column `key`: all queries of dev and test as they are compared, unique, sorted; none may get into training."""
    tables = [table.select("query") for data in marketplace.tasks.values() for table in (data.dev, data.test)]
    return keys(pl.concat(tables)["query"].unique()).to_frame().unique().sort("key")


def _check_candidates(marketplace: Marketplace) -> None:
    for task, data in marketplace.tasks.items():
        usable = data.candidates.filter("in_train")
        wrong = data.train.join(usable, on="candidate", how="anti", maintain_order="left")
        _refuse(f"{task} train rows whose candidate the catalogue keeps out of train", wrong["id"])


def _check_groups(rows: pl.DataFrame) -> None:
    """A group is a query in all its languages; half of it in train would give the other half away."""
    splits = rows.select("group", "split").unique()
    torn = splits.filter(splits["group"].is_duplicated())["group"]
    _refuse(
        "rows of a group that is in several splits (a train/test leak)",
        rows.filter(pl.col("group").is_in(torn.implode()))["id"],
    )


def _check_queries(rows: pl.DataFrame) -> None:
    needed = rows.select("id", "split", "key")  # the rest would be copied
    train = needed.filter(pl.col("split") == "train")
    held_out = needed.filter(pl.col("split") != "train")
    leaked = held_out.join(train, on="key", how="semi", maintain_order="left")
    _refuse("dev or test rows whose query is also in train (a train/test leak)", leaked["id"])


def _check_texts(marketplace: Marketplace, rows: pl.DataFrame) -> None:
    """No text to pre-train on is a held-out query, unless a candidate of the catalogue just reads the same."""
    sold = pl.concat([data.candidates.select("candidate") for data in marketplace.tasks.values()])
    allowed = keys(sold["candidate"]).to_frame()
    asked = rows.select("split", "key").filter(pl.col("split") != "train")
    held_out = asked.select("key").unique().join(allowed, on="key", how="anti")
    texts = marketplace.texts.with_columns(keys(marketplace.texts["text"]))
    leaked = texts.join(held_out, on="key", how="semi", maintain_order="left")
    _refuse("unlabelled texts that are queries of dev or test (a train/test leak)", leaked["text"])


def _refuse(what: str, offenders: pl.Series) -> None:
    if len(offenders):
        names = ", ".join(map(repr, offenders.unique(maintain_order=True).head(SHOWN)))
        raise InputError(f"{len(offenders)} {what}: {names}: correct the source's data")
