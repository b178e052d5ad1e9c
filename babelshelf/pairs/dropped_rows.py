"""Why rows of a file are left out, how many there are of each reason, and the table of the bad ones for the user."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import polars as pl
import polars.selectors as cs

from babelshelf.pairs.readers import BROKEN, ENCODING, NOT_JSON, RAGGED

if TYPE_CHECKING:
    from babelshelf.pairs.params import FilesParams

LONGEST_VALUE = 200  # characters of a value that a message or the table of dropped shows
TOO_LONG = "long_query"

# Why a bad row is bad: what is wrong with the value, and the fix. Names of columns are put in for {braces}.
PROBLEMS = {
    RAGGED: ("", "another number of cells than the header", "quote cells that hold the delimiter"),
    NOT_JSON: ("", "no JSON object", "write one object a line"),
    ENCODING: ("", "bytes that are not in the encoding", "save the file as UTF-8, or set encoding to what it is in"),
    "empty_query": ("query", "no letter or digit", "write the query, or take the row out"),
    "empty_candidate": ("candidate", "no letter or digit", "write the candidate, or take the row out"),
    "bad_label": ("label", "no label", "correct it, or add it to labels.positive or labels.negative"),
    "unknown_language": ("language", "no known language", "write a code of ISO 639-1 such as de, or a tag as pt-BR"),
    "bad_split": ("split", "no split", "correct it, or add it to prepare.files.split.names"),
    "empty_id": ("id", "no id", "write one, or set columns.id to none"),
    TOO_LONG: ("query", "longer than the model's prompt can hold", "shorten the query"),
    "duplicate_id": ("id", "an id that another row has", "make ids unique, or set columns.id to none"),
}
MISSING_CANDIDATE, MISSING_LABEL = "missing_candidate", "missing_label"

DROPPED_SCHEMA = pl.Schema(
    {
        "task": pl.String,
        "file": pl.String,
        "row": pl.Int64,
        "line": pl.Int64,
        "reason": pl.String,
        "column": pl.String,
        "value": pl.String,
        "fix": pl.String,
    }
)


def bad_rows(rows: pl.DataFrame, settings: FilesParams) -> pl.DataFrame:
    """The bad rows as the user gets them, `DROPPED_SCHEMA`, in the order of the files."""
    bad = rows.filter(pl.col("drop").is_in(list(PROBLEMS))).with_columns(cs.categorical().cast(pl.String))
    columns = {problem: role for problem, (role, _, _) in PROBLEMS.items() if role}
    names = [
        {"task": task, "role": role, "column": " + ".join(columns)}
        for task in settings.tasks
        for role, columns in getattr(settings, task).columns.names().items()
    ]
    fixes = [
        {"task": task, "drop": problem, "fix": getattr(settings, task).hints.rows.get(problem, fix)}
        for task in settings.tasks
        for problem, (_, _, fix) in PROBLEMS.items()
    ]
    return (
        bad.with_columns(role=pl.col("drop").replace_strict(columns, default=None, return_dtype=pl.String))
        .join(pl.DataFrame(names), on=["task", "role"], how="left", maintain_order="left")
        .join(pl.DataFrame(fixes), on=["task", "drop"], how="left", maintain_order="left")
        .with_columns(
            reason="drop",
            value=pl.col("value").str.replace_all(BROKEN, "\ufffd", literal=True).str.slice(0, LONGEST_VALUE),
        )
        .select(DROPPED_SCHEMA.names())
        .cast(dict(DROPPED_SCHEMA))  # type: ignore[arg-type]
    )


def described(dropped: pl.DataFrame, most: int) -> list[str]:
    """Lines about the bad rows, with file, row, column, value and the fix; rows with the same problem share one.

    Args:
        dropped: as `bad_rows` gives them.
        most: lines at most.
    """
    same = ["task", "file", "reason", "column", "value"]
    grouped = dropped.with_columns(count=pl.len().over(same)).unique(same, keep="first", maintain_order=True)
    lines = []
    for bad in grouped.head(most).iter_rows(named=True):
        where = f"{bad['file']}, row {bad['row']}" + (f" (line {bad['line']})" if bad["line"] is not None else "")
        column = f", column {bad['column']!r}" if bad["column"] else ""
        more = f"; {bad['count'] - 1:,} more such rows" if bad["count"] > 1 else ""
        lines.append(f"{where}{column}: {bad['value']!r}: {PROBLEMS[bad['reason']][1]}: {bad['fix']}{more}")
    return lines


def counted(rows: pl.DataFrame) -> Mapping[str, int]:
    """How many rows have each reason in `drop`, sorted by it."""
    return dict(rows.drop_nulls("drop").group_by("drop").len().sort("drop").iter_rows())
