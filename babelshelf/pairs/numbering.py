"""Rows and lines of a text file: ragged records are put back to where they were, and all records are numbered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

SHOWN = 200  # characters of a record that cannot be parsed
RAGGED = "ragged"


@dataclass
class Ragged:
    """Collects the records that have another number of cells than the header.

    Attributes:
        delimiter: of the file.
        found: number of the record in the file, lines that it takes, and its text with why it is ragged.
        swallowed: texts of those whose lines are whole records.
    """

    delimiter: str
    found: list[tuple[int, int, str]] = field(default_factory=list)
    swallowed: list[str] = field(default_factory=list)

    def __call__(self, row: Any) -> str:  # noqa: ANN401 - pyarrow's InvalidRow
        """Keep a record, and go on."""
        text = row.text or ""
        lines = text.rstrip("\r\n").split("\n")
        shown = f"{row.actual_columns} cells for {row.expected_columns} columns: {text[:SHOWN]}"
        self.found.append((row.number, len(lines), shown))
        whole = sum(line.count(self.delimiter) == row.expected_columns - 1 for line in lines)
        if len(lines) > 1 and whole >= len(lines) / 2:
            self.swallowed.append(text[:SHOWN])
        return "skip"

    def taken(self, count: int) -> pl.DataFrame:
        """The first `count`, which are forgotten: columns `number`, `lines`, `record` and `problem`."""
        taken, self.found = self.found[:count], self.found[count:]
        schema = {"number": pl.Int64, "lines": pl.Int64, "record": pl.String}
        return pl.DataFrame(taken, schema=schema, orient="row").with_columns(problem=pl.lit(RAGGED))


@dataclass
class Numbering:
    """Puts ragged records back to where they were, numbers all, and leaves out blank lines, block by block.

    Attributes:
        records: number of records before the next one, blank lines and a header among them.
        lines: number of lines before the next record.
        ragged: collects the ragged records of the blocks to come.
        rows: number of records before the next one that are not blank.
    """

    records: int
    lines: int
    ragged: Ragged
    rows: int = 0

    def numbered(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows of a block, which have `lines` and `blank`, and the ragged ones before its last row."""
        before = 0
        for number, _, _ in self.ragged.found:
            if number - self.records - 1 - before >= rows.height:
                break
            before += 1
        return self._placed(rows, self.ragged.taken(before))

    def last(self, texts: Mapping[str, pl.DataType]) -> pl.DataFrame:
        """The ragged records after the last row."""
        none = pl.DataFrame(schema={"lines": pl.Int64, "blank": pl.Boolean, **texts})
        return self._placed(none, self.ragged.taken(len(self.ragged.found)))

    def _placed(self, rows: pl.DataFrame, ragged: pl.DataFrame) -> pl.DataFrame:
        last = self.records + rows.height + ragged.height
        numbers = pl.DataFrame({"number": pl.int_range(self.records + 1, last + 1, eager=True)})
        own = numbers.join(ragged.select("number"), on="number", how="anti", maintain_order="left")
        every = pl.concat([rows.with_columns(own["number"]), ragged], how="diagonal").sort("number")
        line = self.lines + 1 + pl.col("lines").cum_sum() - pl.col("lines")
        placed = every.with_columns(line=line).filter(~pl.col("blank").fill_null(value=False))
        numbered = placed.with_columns(row=self.rows + pl.int_range(1, pl.len() + 1)).drop("number", "lines", "blank")
        self.records, self.lines = last, self.lines + int(every["lines"].sum())
        self.rows += placed.height
        return numbered
