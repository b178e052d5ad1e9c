"""Where the header of a CSV file is, and whether it is one: lines above it, or a first row of data."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import polars as pl

from babelshelf.core.errors import InputError
from babelshelf.pairs.column_names import SYNONYMS, plain
from babelshelf.pairs.parse import Parse

MOST_SKIPPED = 20  # lines above a header
FEW_FIT = 0.5  # of the records: with fewer of one width, the delimiter is another one
FEW_VALUES = 50  # of a column of classes


def lines_above(records: Sequence[Sequence[str]], width: int) -> int:
    """How many records are above the header: blank ones, and titles, which are one cell."""
    named = next((n for n, record in enumerate(records[:MOST_SKIPPED]) if are_names(record)), None)
    if named is not None and len(records[named]) == width and all(len(record) != width for record in records[:named]):
        return named
    skipped = 0
    for record in records[:MOST_SKIPPED]:
        cells = sum(cell.strip() != "" for cell in record)
        is_title = cells <= 1 and (len(record) != width or width > 2)
        is_mark = len(record) == 2 and record[0].strip('"').lower() == "sep=" and not record[1]  # Excel's sep=;
        if not (is_title or is_mark):
            break
        skipped += 1
    return skipped if skipped < len(records) else 0


def check_given_names(path: Path, first: Sequence[str], names: Sequence[str]) -> None:
    """Raise InputError where the first row has names of columns, though the user said that the file has no header."""
    if are_names(first) or [plain(cell) for cell in first] == [plain(name) for name in names]:
        shown = ", ".join(first)
        raise InputError(f"{path}: --header is for files without one, and this has {shown}: leave --header out")


def check_header(path: Path, parse: Parse) -> None:
    """Raise InputError where the header is data, or where all rows have other numbers of cells."""
    rows = parse.rows
    if len(parse.header) != parse.width and parse.share < FEW_FIT:
        raise InputError(
            f"{path}: no delimiter fits: tab, comma, semicolon, bar, tilde, \\x01 and :: are known; for example "
            f"{parse.dialect.delimiter.join(parse.header)[:100]!r}: write the file with one of them"
        )
    if len(parse.header) != parse.width:
        record = next((record for record in parse.records[parse.skipped + 1 :] if len(record) == parse.width), [])
        shown = parse.dialect.delimiter.join(record)[:200]
        ends = "; each row ends with a delimiter: take it away, or add one to the header" if not record[-1:][0] else ""
        raise InputError(
            f"{path}: the header has {len(parse.header)} names, but {parse.share:.0%} of the rows have {parse.width} "
            f"cells; the first bad row: {shown!r}{ends}"
        )
    for place, name in enumerate(parse.header):
        values = pl.Series([row[place].strip() for row in rows], dtype=pl.String)
        if name.strip() and _is_data(name.strip(), values, place, parse.header):
            count = parse.width
            names = ",".join(["query", "candidate", "label", "language", "id"][:count])
            raise InputError(
                f"{path}: the first row looks like data and not like names of columns: {name.strip()!r} is a value of "
                f"column {place + 1}, as in {parse.dialect.delimiter.join(rows[0])[:100]!r}: if there is no header, "
                f"say --header with the names of all {count} columns, such as --header {names}"
            )


def _is_data(name: str, values: pl.Series, place: int, header: Sequence[str]) -> bool:
    if [cell.strip() for cell in header] == [str(number) for number in range(len(header))]:
        return False  # as pandas names columns without names
    numbers = values.cast(pl.Float64, strict=False)
    is_number = pl.Series([name]).cast(pl.Float64, strict=False).is_not_null().all()
    if is_number and len(values) and numbers.is_not_null().mean() > 0.9:  # type: ignore[operator]
        return True
    few = values.n_unique() <= min(FEW_VALUES, max(len(values) / 2, 1))
    return few and values.is_in([name]).any()


@cache
def _known_names() -> frozenset[str]:
    return frozenset(plain(name) for names in SYNONYMS.values() for name in names)


def are_names(record: Sequence[str]) -> bool:
    """Whether a record has two cells at least that are usual names of columns."""
    return sum(plain(cell) in _known_names() for cell in record) >= 2
