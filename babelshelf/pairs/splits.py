"""Pairs that are there more than once, and who is in train, dev and test: rows of one query are in one split.

Rows of one query (`text.key`, so whatever its case, in all languages and tasks) are a group. Where the files say no
split, groups are cut here. They are put in order by language, then class, then size, and each gets the next number of a
golden-ratio sequence, which fills [0, 1) evenly over any stretch of the order: the lowest numbers are test, those above
dev. So each language and class has its share in each split, to within a group or two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from babelshelf.core.errors import InputError
from babelshelf.core.rows import HELD_OUT
from babelshelf.pairs.rows import CODED

if TYPE_CHECKING:
    from babelshelf.pairs.params import FilesParams, SplitParams

GOLDEN = (5**0.5 - 1) / 2
CONFLICT, DUPLICATE, LEAK, HOLDOUT = "conflict", "duplicate", "leak", "holdout_language"
PAIR = ["task", "language", "query", "candidate"]
RANK = {"train": 0, "dev": 1, "test": 2}  # where rows of a group disagree, the last one wins: a leak is out of train
KEPT = pl.col("drop").is_null()


def assign_splits(rows: pl.DataFrame, settings: FilesParams, seed: int) -> pl.DataFrame:
    """Drop what is there twice, and give each row that is kept its `split`.

    Args:
        rows: of all tasks, as `rows.read_task` gives them, with a number in `order`; where they come from several
            sources, with `with_needs` of each.
        settings: of the source.
        seed: which groups are in which split depends on it, and on the rows.

    Returns:
        The rows with `split`, and `drop` where a pair has both labels, is a duplicate, leaks, or is of a held-out
        language.

    Raises:
        InputError: a query is in two of the splits that the files give, and `leaks` is `error`; duplicates count too.
    """
    held_out = pl.col("language").is_in(settings.split.holdout_languages)
    rows = rows if "needs_dev" in rows.columns else with_needs(rows)
    rows = _with_given(_drop(rows, held_out & (pl.col("given") == "train"), HOLDOUT))
    rows = _without_leaks(rows, settings.split.leaks)  # first: what is twice in a split must not hide what is in two
    unique = _deduplicated(_agreed(rows, settings.conflicts))
    groups = _groups(unique, settings.split)
    split = pl.coalesce("fixed", _cut(groups, settings.split, seed))
    joined = unique.join(groups.select("key", split=split), on="key", how="left", maintain_order="left")
    # what is cut here joins its group in train, if the files of another task have it there
    return _drop(joined, held_out & (pl.col("split") == "train"), HOLDOUT)


def with_needs(rows: pl.DataFrame) -> pl.DataFrame:
    """Columns `needs_dev` and `needs_test`: whether the files of a row's task have no such split."""
    return rows.with_columns(
        (~(KEPT & (pl.col("given") == split)).any().over("task")).alias(f"needs_{split}") for split in HELD_OUT
    )


def both_labels(rows: pl.DataFrame) -> int:
    """How many pairs have both labels, among the rows that are kept."""
    label = pl.col("label")
    labels = rows.select("drop", "label", *PAIR).filter(KEPT).group_by(PAIR).agg(both=label.min() != label.max())
    return int(labels["both"].sum())


def _agreed(rows: pl.DataFrame, policy: str) -> pl.DataFrame:
    """Settle the pairs that have both labels; where both are as frequent, there is no majority and all rows go."""
    if policy == "keep":
        return rows
    share = pl.when(KEPT).then(pl.col("label")).mean().over(PAIR)
    wrong = (share > 0) & (share < 1)
    if policy == "majority":
        wrong &= (share - pl.col("label")).abs() >= 0.5
    return _drop(rows, wrong, CONFLICT)


def _deduplicated(rows: pl.DataFrame) -> pl.DataFrame:
    """Of kept rows with the same pair and label, the first."""
    first = pl.col("order").min().over([*PAIR, "label", "drop"])
    return _drop(rows, pl.col("order") > first, DUPLICATE)


def _with_given(rows: pl.DataFrame) -> pl.DataFrame:
    """`given` without the train rows that are free to go to a dev or test that their task lacks.

    A train row whose query the task's files have in dev or test too is not free: it leaks.
    """
    leaks = (KEPT & pl.col("given").is_in(HELD_OUT)).any().over("task", "key")
    is_open = (pl.col("given") == "train") & (pl.col("needs_dev") | pl.col("needs_test")) & ~leaks
    return rows.with_columns(given=pl.when(~is_open.fill_null(value=False)).then("given"))


def _without_leaks(rows: pl.DataFrame, policy: str) -> pl.DataFrame:
    """Each group with the one split that the files give it, in `fixed`, null where they give none."""
    rank = pl.col("given").replace_strict(RANK, return_dtype=pl.Int8)
    given = rows.filter(KEPT & pl.col("given").is_not_null())
    fixed = given.group_by("key").agg(fixed=pl.col("given").sort_by(rank).last())
    joined = rows.join(fixed, on="key", how="left", maintain_order="left")
    leaks = KEPT & (pl.col("given") != pl.col("fixed")).fill_null(value=False)
    found = joined.filter(leaks)
    if found.height and policy == "error":
        raise InputError(_leak_message(found))
    return _drop(joined, leaks, LEAK)


def _groups(rows: pl.DataFrame, settings: SplitParams) -> pl.DataFrame:
    """Columns `key`, `fixed` (the split by the files), `needs_dev`, `needs_test`, `held_out`, and what sorts them."""
    open_rows = pl.col("given").is_null()
    return (
        rows.filter(KEPT)
        .group_by("key")
        .agg(
            fixed=pl.col("fixed").first(),
            needs_dev=(pl.col("needs_dev") & open_rows).any(),
            needs_test=(pl.col("needs_test") & open_rows).any(),
            held_out=pl.col("language").is_in(settings.holdout_languages).any(),
            language=pl.col("language").mode().min(),
            positive=pl.col("label").mean().round(1),
            size=pl.len(),
        )
        .sort("key")
    )


def _cut(groups: pl.DataFrame, settings: SplitParams, seed: int) -> pl.Series:
    """The split of each group where it is cut here; one that is held out goes to dev and test, in their proportion."""
    rng = np.random.default_rng([seed, *b"files"])
    tie = pl.Series(rng.permutation(groups.height))
    order = groups.select(pl.arg_sort_by("held_out", "language", "positive", "size", tie)).to_series()
    position = np.empty(groups.height)
    position[order.to_numpy()] = (np.arange(groups.height) * GOLDEN + rng.random()) % 1
    test = pl.when("needs_test").then(settings.test_share).otherwise(0.0)
    dev = pl.when("needs_dev").then(settings.dev_share).otherwise(0.0)
    whole = pl.when("held_out").then(test + dev).otherwise(1.0)
    place = pl.lit(pl.Series(position)) * whole
    return groups.select(
        pl.when(place < test)
        .then(pl.lit("test", CODED))
        .when(place < test + dev)
        .then(pl.lit("dev", CODED))
        .otherwise(pl.lit("train", CODED))
    ).to_series()


def _drop(rows: pl.DataFrame, which: pl.Expr, reason: str) -> pl.DataFrame:
    """Mark rows that are kept so far."""
    return rows.with_columns(
        drop=pl.when(KEPT & which.fill_null(value=False)).then(pl.lit(reason, CODED)).otherwise("drop")
    )


def _leak_message(found: pl.DataFrame) -> str:
    lines = [
        f"{row['file']}, row {row['row']}: the query {row['query']!r} is in {row['given']}, and in {row['fixed']} too"
        for row in found.head(20).iter_rows(named=True)
    ]
    rest = f"{found.height} rows have a query that another split holds (a train/test leak); the first {len(lines)}:"
    fix = "take them out, or set split.leaks of the source to drop"
    return "\n".join([rest, *lines, fix])
