"""Read CSV, and any text by delimiters, through pyarrow's parser: polars' has no way to say which records are ragged.

No record may be lost: the lines of all records are the lines of the file, quotes open and close whole cells, and no
cell holds whole records. Else the file is refused, as its dialect is another one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
from pyarrow import csv

from babelshelf.core.errors import InputError
from babelshelf.pairs import text_stream
from babelshelf.pairs.numbering import Numbering, Ragged
from babelshelf.pairs.text_stream import ESCAPED_BREAK, PLAIN, Dialect, TextStream, first_bad_line

if TYPE_CHECKING:
    from babelshelf.pairs.params import FileParams

FEW_VALUES = 50  # of a column such as labels or languages
FEW_BATCHES = 2  # the last record of a file can be a batch of its own

Blocks = Iterator[pl.DataFrame]


def dialect_of(settings: FileParams) -> Dialect:
    """How cells are told apart."""
    return Dialect(settings.delimiter, settings.quote, settings.escape)


def csv_names(path: Path, settings: FileParams) -> list[str]:
    """Names of the columns, "" where the header has none."""
    dialect = dialect_of(settings)
    with _open(_stream(path, settings), dialect, Ragged(dialect.byte), settings) as reader:
        names: list[str] = reader.schema.names
    return (
        pl.select(dialect.restored(pl.lit(pl.Series(names, dtype=pl.String)))).to_series().str.strip_chars().to_list()
    )


def read_csv(path: Path, settings: FileParams, wanted: Mapping[str, int], names: Sequence[str], *, few: bool) -> Blocks:
    """The records in blocks; `wanted` has the place of each column."""
    dialect, stream = dialect_of(settings), _stream(path, settings)
    header = 0 if settings.header else 1
    lines = settings.skip_lines + header + sum(name.count("\n") for name in names)
    numbering = Numbering(records=settings.skip_lines + header, lines=lines, ragged=Ragged(dialect.byte))
    with _open(stream, dialect, numbering.ragged, settings, columns=len(names)) as reader:
        for batch in batches(reader, few=few):
            table = pl.DataFrame(pl.from_arrow(batch))
            yield numbering.numbered(select(table, stream, dialect, wanted))
            _check_whole(path, settings, table, numbering)
    yield numbering.last(dict.fromkeys(wanted, pl.String()))
    if not few:
        check_tally(path, stream, numbering, settings.hints.quote)
    if stream.quotes and not few and not stream.quotes.close():
        line = first_bad_line(path, settings.encoding, dialect)
        if line is not None:
            raise InputError(
                f"{path}, line {line}: text after a closing quote, or no closing quote: {settings.hints.quote}"
            )


def read_lines(path: Path, settings: FileParams, *, few: bool) -> Blocks:
    """Columns `row`, `line`, `record` and `problem` of all lines that are not blank, or of a `few`, by block."""
    numbering = Numbering(records=0, lines=0, ragged=Ragged(PLAIN.byte))
    stream = TextStream(path, settings.encoding, PLAIN, settings.hints.parquet)
    with csv.open_csv(
        stream,
        read_options=csv.ReadOptions(use_threads=False, block_size=text_stream.BLOCK, column_names=["record"]),
        parse_options=csv.ParseOptions(
            delimiter=PLAIN.byte, quote_char=False, ignore_empty_lines=False, invalid_row_handler=numbering.ragged
        ),
        convert_options=csv.ConvertOptions(column_types={"record": pa.large_string()}, check_utf8=False),
    ) as reader:
        for batch in batches(reader, few=few):
            yield numbering.numbered(select(pl.DataFrame(pl.from_arrow(batch)), stream, PLAIN, {"record": 0}))
    yield numbering.last({"record": pl.String()})
    if not few:
        check_tally(path, stream, numbering, settings.hints.form)


def check_tally(path: Path, stream: TextStream, numbering: Numbering, fix: str) -> None:
    """Raise InputError where the lines of the records are not all lines of the file."""
    if stream.lines != numbering.lines:
        raise InputError(
            f"{path}: {stream.lines:,} lines, but {numbering.lines:,} in the records that were read: {fix}"
        )


def _stream(path: Path, settings: FileParams) -> TextStream:
    return TextStream(path, settings.encoding, dialect_of(settings), settings.hints.parquet)


def _open(
    stream: TextStream, dialect: Dialect, ragged: Ragged, settings: FileParams, columns: int = 0
) -> csv.CSVStreamingReader:
    """A reader of all columns as texts, named by their places; without `columns`, by their names, of any type."""
    places = [str(place) for place in range(columns)]
    return csv.open_csv(
        stream,
        read_options=csv.ReadOptions(
            use_threads=False,
            block_size=text_stream.BLOCK,
            skip_rows=settings.skip_lines,
            column_names=places or settings.header or None,
            skip_rows_after_names=1 if columns and not settings.header else 0,
        ),
        parse_options=csv.ParseOptions(
            delimiter=dialect.byte,
            quote_char=dialect.quote or False,
            newlines_in_values=bool(dialect.quote),
            ignore_empty_lines=False,
            invalid_row_handler=ragged,
        ),
        convert_options=csv.ConvertOptions(column_types=dict.fromkeys(places, pa.large_string()), check_utf8=False),
    )


def batches(reader: csv.CSVStreamingReader, *, few: bool) -> Iterator[pa.RecordBatch]:
    """All batches, or a `few`, after an empty one, so that the schema is always known."""
    yield pa.RecordBatch.from_arrays([pa.array([], column.type) for column in reader.schema], schema=reader.schema)
    yield from islice(reader, FEW_BATCHES if few else None)


def select(table: pl.DataFrame, stream: TextStream, dialect: Dialect, wanted: Mapping[str, int]) -> pl.DataFrame:
    """The wanted columns, how many `lines` each record takes, and whether it is `blank`; all columns count for that."""
    breaks = "|".join(["\r\n|\r|\n"] if stream.has_returns else ["\n"])
    if dialect.escape:
        breaks += f"|{ESCAPED_BREAK}"
    ends = pl.sum_horizontal(pl.all().str.count_matches(breaks, literal=breaks == "\n")).cast(pl.Int64)
    cells = {role: pl.nth(place) for role, place in wanted.items()}
    if dialect.is_rewritten:
        cells = {role: dialect.restored(cell) for role, cell in cells.items()}
    return table.select(lines=ends + 1, blank=pl.all_horizontal(pl.all() == ""), **cells)


def _check_whole(path: Path, settings: FileParams, table: pl.DataFrame, numbering: Numbering) -> None:
    """Raise InputError where the lines of one record are whole records, which a quote has swallowed."""
    if not settings.quote or table.width < 2:
        return
    swallowed = [*_swallowed(table, dialect_of(settings).byte), *numbering.ragged.swallowed]
    if swallowed:
        shown = swallowed[0][:200]
        raise InputError(f"{path}: a quoted cell holds whole records, {shown!r}: {settings.hints.quote}")


def _swallowed(table: pl.DataFrame, mark: str) -> Iterator[str]:
    """Records in which a cell holds the end of a record and the start of another one, and maybe whole ones between.

    The lines of such a cell have as many delimiters as the columns ask for. So may those of a text of several lines:
    in a column of few different values, such as labels, the records must have values that others have too.
    """
    last = table.width - 1
    known = {
        place: values
        for place, name in enumerate(table.columns)
        if len(values := set(table[name].unique())) <= min(FEW_VALUES, table.height / 2)
    }
    for place, name in enumerate(table.columns):
        marks = pl.col(name).str.split("\n").list.eval(pl.element().str.count_matches(mark, literal=True))
        between = marks.list.slice(1, marks.list.len() - 2).list.eval(pl.element() == last).list.all()
        fits = (marks.list.first() == last - place) & (marks.list.last() == place) & between
        several = table.filter(pl.col(name).str.contains("\n", literal=True))
        others = [(column, values) for column, values in known.items() if column != place]
        for record in several.filter(fits).iter_rows():
            first, *_, end = record[place].split("\n")
            records = (*record[:place], *first.split(mark)), (*end.split(mark), *record[place + 1 :])
            if all(cells[column].strip() in values for cells in records for column, values in others):
                yield mark.join(record)
