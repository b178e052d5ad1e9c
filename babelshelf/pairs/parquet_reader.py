"""Read Parquet: texts, numbers and booleans, binary columns that hold UTF-8, and lists of texts as levels of a path."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from pathlib import Path

import polars as pl

from babelshelf.core.errors import InputError
from babelshelf.core.rows import LEVEL
from babelshelf.pairs.csv_reader import Blocks
from babelshelf.pairs.text_stream import packing

FEW = 10_000  # rows


def parquet_schema(path: Path) -> pl.Schema:
    """The columns and their types."""
    kind = packing(path)
    if kind is not None:
        raise InputError(f"{path}: a Parquet file that is packed with {kind} once more: unpack it")
    return pl.Schema(pl.read_parquet_schema(path))


def read_parquet(path: Path, schema: pl.Schema, wanted: Mapping[str, str], *, few: bool) -> Blocks:
    """The records in blocks, as texts."""
    texts = {role: _as_text(path, role, name, schema[name]) for role, name in wanted.items()}
    scan = pl.scan_parquet(path, glob=False, hive_partitioning=False)
    scan = (scan.head(FEW) if few else scan).select(pl.len().alias("") if not texts else pl.lit("").alias(""), **texts)
    blocks = scan.drop("").collect_batches(maintain_order=True, engine="streaming")
    none, before = pl.lit(None, pl.String), 0
    for rows in chain([pl.DataFrame(schema=dict.fromkeys(wanted, pl.String()))], blocks):  # one at least
        numbers = before + pl.int_range(1, pl.len() + 1)
        yield rows.with_columns(row=numbers, line=pl.lit(None, pl.Int64), problem=none, record=none)
        before += rows.height


def _as_text(path: Path, role: str, name: str, kind: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if isinstance(kind, pl.Binary):
        return column.map_batches(_decoded, return_dtype=pl.String())
    is_path = role.isdecimal() or role.startswith(("candidate", "kept."))  # a number: of a sample of all columns
    if isinstance(kind, pl.List) and kind.inner in {pl.String(), pl.Categorical()} and is_path:
        levels = column.cast(pl.List(pl.String)).list.eval(pl.element().str.strip_chars())
        return levels.list.eval(pl.element().filter(pl.element() != "")).list.join(LEVEL)
    if kind.is_nested() or kind == pl.Object:
        if role.isdecimal():
            return pl.lit(None, pl.String)
        raise InputError(
            f"{path}: the column {name!r} is of the type {kind}: store texts or numbers"
            + ("; a candidate may be a list of texts, the levels of its path" if isinstance(kind, pl.List) else "")
        )
    return (column.fill_nan(None) if kind.is_float() else column).cast(pl.String)


def _decoded(values: pl.Series) -> pl.Series:
    """Bytes as UTF-8; what is not UTF-8 becomes `BROKEN`."""
    try:
        return values.cast(pl.String)
    except pl.exceptions.ComputeError:
        texts = [None if value is None else value.decode("utf-8", errors="babelshelf") for value in values]
        return pl.Series(values.name, texts, dtype=pl.String)
