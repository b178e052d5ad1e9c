"""What each column of a table looks like, over all rows of all its files: the evidence for guesses.

Files are read block by block, so memory does not grow with the rows: of a column with many different values only shares
and a sample are kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from babelshelf.core.errors import InputError
from babelshelf.pairs.formats import as_params
from babelshelf.pairs.readers import column_names, read_blocks

MAX_VALUES = 2_000  # different values of a column that are counted; with more it is no label, language or split
SAMPLED = 10_000  # rows that are kept, evenly over all

# Ids: a number, a number behind a few letters (`q-123`), numbers with marks between them (`A01.02`), a hash, a UUID,
# an ASIN; or 6 and more capitals and digits.
ID = (
    r"^(?:[A-Za-z_]{0,4}[-_:#]?\d+(?:[.\-/_]\d+)*|(?i:[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12})|(?i:[0-9a-f]{16,})"
    r"|(?:[A-Z]+-?\d|\d+-?[A-Z])[A-Z0-9-]{4,}|[\p{L}_]+[-_:#]\d+)$"
)
LOCATION = r"(?i)^(?:[a-z][a-z0-9+.-]*://|www\.|[a-z]:\\|\.{0,2}/)\S+$|^\S+\.(?:jpe?g|png|gif|webp|svg|html?|php|pdf)$"
OBJECT = r"""^\s*\[?\s*\{\s*["'][^"']*["']\s*:"""  # of JSON or Python, as a text
URL = r"(?i)^(?:[a-z][a-z0-9+.-]*://|www\.)\S+$"
PATTERNS = {
    "letters": r"[\p{L}\p{M}]{2}",  # combining marks carry the vowels of many scripts
    "words": r"\S\s+\S",
    "ids": ID,
    "locations": LOCATION,  # URLs and paths of files
    "urls": URL,
    "objects": OBJECT,
    "numbers": r"^\s*[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d+)?\s*$",
}


@dataclass(frozen=True)
class ColumnProfile:
    """A column over all rows.

    Attributes:
        name: as in the file.
        rows: of the table.
        present: rows that have a value.
        counts: columns `value` and `count`, the most frequent first; None where there are more than `MAX_VALUES`.
        shares: of the rows with a value, those that a pattern of `PATTERNS` describes.
        characters: mean length of a value.
        sample: some values, in the order of the rows, null where there is none.
    """

    name: str
    rows: int
    present: int
    counts: pl.DataFrame | None
    shares: Mapping[str, float]
    characters: float
    sample: pl.Series

    @property
    def values(self) -> list[str]:
        """The different values, the most frequent first; of a column that has many, those of the sample."""
        if self.counts is None:
            return list(self.sample.drop_nulls().unique(maintain_order=True))
        return list(self.counts["value"])

    @property
    def is_unique(self) -> bool:
        """Whether each row of the sample has a value of its own."""
        return self.present == self.rows and self.sample.n_unique() == len(self.sample)


@dataclass
class _Column:
    """Collects a `ColumnProfile`, block by block."""

    present: int = 0
    characters: int = 0
    matches: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PATTERNS, 0))
    counts: pl.DataFrame | None = field(
        default_factory=lambda: pl.DataFrame(schema={"value": pl.String, "count": pl.UInt32})
    )

    def add(self, values: pl.Series) -> None:
        counts = values.drop_nulls().alias("value").value_counts(name="count")
        value = pl.col("value")
        found = counts.select(
            pl.col("count").sum().alias("present"),
            (value.str.len_chars() * pl.col("count")).sum().alias("characters"),
            *((value.str.contains(pattern) * pl.col("count")).sum().alias(name) for name, pattern in PATTERNS.items()),
        ).row(0, named=True)
        self.present += found["present"]
        self.characters += found["characters"]
        for name in PATTERNS:
            self.matches[name] += found[name]
        if self.counts is not None:
            merged = summed([self.counts, counts])
            self.counts = merged if merged.height <= MAX_VALUES else None


def read_profiles(files: Sequence[Path], how: Mapping[str, Any]) -> tuple[list[ColumnProfile], pl.DataFrame]:
    """Profiles of all columns, and a sample of the rows as texts, null where a value is missing.

    Args:
        files: with the same columns; of columns with the same name, the first counts.
        how: how they are written, of `FileParams`.

    Raises:
        InputError: a file can't be read, has no columns, or lacks one that the first has.
    """
    settings = as_params(how, {})
    names = list(dict.fromkeys(column_names(files[0], settings)))
    if not names:
        raise InputError(f"{files[0]}: no columns found: is it CSV, JSON lines or Parquet?")
    wanted = {str(number): name for number, name in enumerate(names)}
    columns = {name: _Column() for name in names}
    rows, every, sample = 0, 1, pl.DataFrame(schema=dict.fromkeys(names, pl.String))
    for file in files:
        for block in read_blocks(file, settings, wanted):
            texts = block.select(list(wanted)).rename(wanted).with_columns(pl.all().replace("", None))
            for name, column in columns.items():
                column.add(texts[name])
            sample = pl.concat([sample, _compact(texts[(-rows) % every :: every])])
            rows += texts.height
            while sample.height > 2 * SAMPLED:
                sample, every = _compact(sample[::2]), 2 * every
    return [_profile(name, rows, column, sample[name]) for name, column in columns.items()], sample


def value_counts(
    files: Sequence[Path], how: Mapping[str, Any], names: Sequence[str], most: int | None = None
) -> dict[str, pl.DataFrame]:
    """Columns `value` (different values) and `count` (their rows), the most frequent first, of each named column.

    Args:
        files: with the same columns.
        how: how they are written, of `FileParams`.
        names: of the columns.
        most: different values from which on no further ones are counted, so that memory does not grow with the rows.
    """
    counts = {name: pl.DataFrame(schema={"value": pl.String, "count": pl.UInt32}) for name in names}
    wanted = {str(number): name for number, name in enumerate(names)}
    for file in files:
        for block in read_blocks(file, as_params(how, {}), wanted):
            for number, name in wanted.items():
                found = block[number].drop_nulls().alias("value").value_counts(name="count")
                if most is not None and counts[name].height >= most:
                    found = found.join(counts[name], on="value", how="semi")
                counts[name] = summed([counts[name], found])
    return counts


def summed(counts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The sum of some tables of `value` and `count`, the most frequent first."""
    total = pl.concat(counts).group_by("value").agg(pl.col("count").sum())
    return total.sort("count", "value", descending=[True, False])


def _compact(table: pl.DataFrame) -> pl.DataFrame:
    """A copy: the texts of a slice or selection are views of the whole block that they were read with."""
    return pl.DataFrame([pl.Series(column.name, column.to_list(), pl.String) for column in table])


def _profile(name: str, rows: int, column: _Column, sample: pl.Series) -> ColumnProfile:
    present = max(column.present, 1)
    shares = {pattern: count / present for pattern, count in column.matches.items()}
    counts = None if column.counts is None else column.counts.filter(pl.col("value") != "")
    return ColumnProfile(name, rows, column.present, counts, shares, column.characters / present, sample)
