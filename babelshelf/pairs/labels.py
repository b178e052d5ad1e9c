"""Read labels: relevant, irrelevant or neither, as the params say, and what counts as no label."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from babelshelf.pairs.params import FileParams

# Of labels, in lower case, unless labels.positive or labels.negative has the word: as programs write a missing value.
MISSING_WORDS = ["null", "nan", "-nan", "n/a", "na", "none", "nil", "\\n", "#n/a", "#na", "<na>", "(null)", "<null>"]
MISSING_WORDS += ["pd.na", "nat", "n.a.", "#value!", "#ref!", "undefined", "missing", "-", "--", "?", "."]
MISSING_WORDS += ["unlabeled", "unlabelled", "unjudged", "not judged", "no label", "pending", "tbd", "todo"]


def read_labels(labels: pl.Series, own: FileParams) -> pl.Series:
    """0 or 1, null where a label says neither."""
    values = labels.to_frame("value").with_columns(number=label_numbers(labels))
    if own.labels.positive_from != "none":
        finite = pl.col("number").is_finite()
        return values.select(
            pl.when(finite).then(pl.col("number") >= own.labels.positive_from).cast(pl.Int8)
        ).to_series()
    known = dict.fromkeys(label_keys(own.labels.negative), 0) | dict.fromkeys(label_keys(own.labels.positive), 1)
    return label_keys(labels).replace_strict(known, default=None, return_dtype=pl.Int8)


def label_keys(labels: Iterable[str | None]) -> pl.Series:
    """What labels are compared by: without case and space around them, and 1.0 and 1,0 are 1."""
    texts = pl.Series(values=labels, dtype=pl.String)
    return texts.str.strip_chars().str.to_lowercase().str.replace(r"^([+-]?\d+)(?:\.0+|,0{1,2})$", "$1")


def label_numbers(labels: pl.Series) -> pl.Series:
    """The numbers that labels are, with a decimal point or a decimal comma (0,5); null where they are none."""
    return labels.str.replace(r"^\s*([+-]?\d+),(\d{1,2})\s*$", "$1.$2").cast(pl.Float64, strict=False)
