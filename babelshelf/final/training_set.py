"""The training set of the last fit before a submission: that of the recipe, and the labelled rows of dev and test.

`prepare` cuts dev and test out of the labelled rows, a quarter of them by default. Once the threshold is chosen and the
recipe is measured, they are training data that a submission would lack. Only the stage `predict_final` reads a model
that was fitted on this set: what it scores on dev and test measures nothing, so `score` refuses it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from babelshelf.core.errors import InputError


@dataclass(frozen=True)
class FinalTrainingSet:
    """The set and its counts.

    Attributes:
        rows: `rows.ROW_SCHEMA`.
        counts: rows by where they come from: `train`, `dev`, `test`, and `all`.
    """

    rows: pl.DataFrame
    counts: dict[str, int]


def with_held_out(train: pl.DataFrame, held_out: Mapping[str, pl.DataFrame]) -> FinalTrainingSet:
    """Add the labelled rows of dev and test to a training set.

    Args:
        train: the training set of the recipe, `rows.ROW_SCHEMA`.
        held_out: the rows of `dev` and `test`; those without a label are left out.

    Raises:
        InputError: neither dev nor test has a labelled row, or an id of theirs is in the training set.
    """
    labelled = {split: rows.filter(pl.col("label").is_not_null()) for split, rows in held_out.items()}
    added = pl.concat(labelled.values())
    if added.is_empty():
        raise InputError("neither dev nor test has a labelled row: run the stage predict")
    both = added.join(train, on="id", how="semi")
    if both.height:
        raise InputError(f"id {both['id'][0]!r} is in train and held out ({both.height} such rows): run prepare again")
    counts = {"train": train.height} | {split: rows.height for split, rows in labelled.items()}
    return FinalTrainingSet(pl.concat([train, added]), counts | {"all": train.height + added.height})
