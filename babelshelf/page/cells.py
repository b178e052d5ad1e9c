"""How numbers and examples are written in a report's tables."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from babelshelf.page.document import Table

NONE = "–"
EXAMPLES = 10  # of each kind
LONGEST = 160  # characters of a text that are shown
SEED = 0  # the same examples of the same data each time


def share(value: float | None) -> str:
    """Like `percent`, of what may be unknown."""
    return NONE if value is None else percent(value)


def percent(value: float, digits: int = 1) -> str:
    """A share in per cent."""
    return f"{100 * value:.{digits}f}"


def examples_of(caption: str, rows: pl.DataFrame, columns: Mapping[str, str]) -> Table:
    """Some of the rows at random, in their order; `columns` has the headings by name, those of numbers last."""
    chosen = rows.with_row_index("place").sample(min(EXAMPLES, rows.height), seed=SEED).sort("place")
    cells = [[cell(value) for value in row] for row in chosen.select(columns.keys()).iter_rows()]
    numbers = sum(rows.schema[name].is_numeric() for name in columns)
    total = f"{chosen.height} of {rows.height:,}"
    return Table(f"{caption} ({total})", list(columns.values()), cells, text_columns=len(columns) - numbers)


def cell(value: object) -> str:
    """A value of an example."""
    if isinstance(value, float):
        return f"{value:.3f}"
    text = "" if value is None else str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"
