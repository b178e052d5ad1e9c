"""Format numbers and examples for the tables of a report."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from babelshelf.page.document import Table

NONE = "–"
EXAMPLES = 10  # of each kind
LONGEST = 160  # characters of a text
SEED = 0  # fixed, so that the same data gives the same examples


def share(value: float | None) -> str:
    """Like `percent`, or `NONE` for None."""
    return NONE if value is None else percent(value)


def percent(value: float, digits: int = 1) -> str:
    """A share in per cent, without the sign."""
    return f"{100 * value:.{digits}f}"


def examples_of(caption: str, rows: pl.DataFrame, columns: Mapping[str, str]) -> Table:
    """A table of up to `EXAMPLES` random rows, in their order; `columns` maps names to headings, numbers last."""
    chosen = rows.with_row_index("place").sample(min(EXAMPLES, rows.height), seed=SEED).sort("place")
    cells = [[cell(value) for value in row] for row in chosen.select(columns.keys()).iter_rows()]
    numbers = sum(rows.schema[name].is_numeric() for name in columns)
    total = f"{chosen.height} of {rows.height:,}"
    return Table(f"{caption} ({total})", list(columns.values()), cells, text_columns=len(columns) - numbers)


def cell(value: object) -> str:
    """Format a value of an example; long texts are shortened."""
    if isinstance(value, float):
        return f"{value:.3f}"
    text = "" if value is None else str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"
