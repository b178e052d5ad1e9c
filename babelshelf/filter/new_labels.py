"""Rows without a label that people have labelled: new rows of train, or of dev in the languages that the params name.

`prepare` keeps rows without a label apart, as rows to predict. In a language without labels, a few hundred of them are
what a threshold of its own can be tuned on, or the first training rows.

A query is in one split only, in whatever language. So a row whose query is in dev or test of the source is left out,
and so is a new row of dev whose query is in train; of the new rows, those of dev come first.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import polars as pl

from babelshelf.core.rows import ROW_SCHEMA
from babelshelf.tables.prediction_sets import SCORABLE
from babelshelf.tables.reviews import PAIR
from babelshelf.text.keys import keys


@dataclass(frozen=True)
class NewRows:
    """Newly labelled rows, `ROW_SCHEMA`.

    Attributes:
        train: for the training set.
        dev: for dev.
        counts: `labelled` by people, and of these in `train`, in `dev`, and `left_out` for their query.
    """

    train: pl.DataFrame
    dev: pl.DataFrame
    counts: dict[str, int]


def newly_labelled(
    unlabelled: pl.DataFrame,
    agreed: pl.DataFrame,
    rows: pl.DataFrame,
    held_out: pl.Series,
    dev_languages: Collection[str],
) -> NewRows:
    """The rows that people agree on, by split.

    Args:
        unlabelled: rows to predict, `tables.prediction_sets.UNLABELLED_SCHEMA`.
        agreed: what people agree on, of `tables.reviews.agreed`.
        rows: the training set, `ROW_SCHEMA`: a pair that it has already is not new.
        held_out: keys of the queries of dev and test (`text.keys`).
        dev_languages: whose rows go to dev.
    """
    named = agreed.drop_nulls("label").select(*PAIR, "label")
    new = (
        unlabelled.filter(SCORABLE)
        .drop("label")
        .unique(PAIR, keep="first", maintain_order=True)
        .join(named, on=PAIR, how="inner", maintain_order="left")
        .join(rows, on=PAIR, how="anti", maintain_order="left")
        .select(ROW_SCHEMA.names())
    )
    keyed = new.with_columns(keys(new["query"]).alias("key"))
    apart = keyed.filter(~pl.col("key").is_in(held_out.implode()))
    for_dev = pl.col("language").is_in(list(dev_languages))
    dev = _without(apart.filter(for_dev), rows["group"], keys(rows["query"].unique()))
    train = _without(apart.filter(~for_dev), dev["group"], dev["key"])
    counts = {"labelled": new.height, "train": train.height, "dev": dev.height}
    left_out = new.height - train.height - dev.height
    return NewRows(train.drop("key"), dev.drop("key"), counts | {"left_out": left_out})


def _without(keyed: pl.DataFrame, groups: pl.Series, other_keys: pl.Series) -> pl.DataFrame:
    """The rows whose query is not among others, by group and by key."""
    return keyed.filter(~pl.col("group").is_in(groups.implode()), ~pl.col("key").is_in(other_keys.implode()))
