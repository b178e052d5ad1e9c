"""CSV for a spreadsheet: fill the column `decision` with yes, no or unsure (and `reviewer`, or give --name).

UTF-8 with a byte order mark, without which Excel takes another encoding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
from polars.exceptions import ComputeError

from babelshelf.commands.review.answers import decision_of
from babelshelf.commands.review.items import ReviewItem
from babelshelf.core.errors import InputError
from babelshelf.tables.reviews import PAIR, Decision

COLUMNS = (*PAIR, "label", "p_yes", "decision", "reviewer")
NEEDED = {*PAIR, "decision"}


def write(items: Sequence[ReviewItem], file: Path) -> None:
    """Write the rows; see `babelshelf.commands.review.formats`."""
    rows = [{name: getattr(item, name) for name in (*PAIR, "label", "p_yes")} for item in items]
    schema = dict.fromkeys(COLUMNS, pl.String) | {"label": pl.Int8, "p_yes": pl.Float64}
    pl.DataFrame(rows, schema=schema).write_csv(file, include_bom=True, float_precision=4)


def read(file: Path) -> Iterator[tuple[str, Decision]]:
    """The decisions of the rows whose column `decision` is filled; see `babelshelf.commands.review.formats`."""
    try:
        table = pl.read_csv(file, infer_schema=False)
    except ComputeError as error:
        raise InputError(f"{file}: not CSV in UTF-8: {error}") from error
    if missing := NEEDED - set(table.columns):
        raise InputError(f"{file}: no column {', '.join(sorted(missing))}: keep the columns of the exported file")
    for number, row in enumerate(table.iter_rows(named=True), 2):
        if row["decision"] and row["decision"].strip():
            texts = {name: row[name] or "" for name in PAIR}
            made = decision_of(texts, row["decision"], row.get("label"), None, f"{file}, row {number}")
            yield (row.get("reviewer") or "").strip(), made
