"""Read one file of labelled pairs as texts, record by record, without losing one: what can't be read is a row too.

CSV goes through pyarrow's parser, as polars' has no way to say which records are ragged; all else is polars. Bytes that
are not in the file's encoding become `BROKEN`, so that they can be found in the row and column where they are.
"""

from __future__ import annotations

import codecs
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
from pyarrow import csv

from babelshelf.core.errors import InputError

if TYPE_CHECKING:
    from babelshelf.pairs.params import FileParams

BLOCK = 1 << 24  # bytes; no record is longer
BROKEN = "\U0010ffff"  # a code point that is no character
UNIT = "\x1f"  # in no line of JSON, where control characters are escaped
SHOWN = 200  # characters of a record that cannot be parsed
FEW = 10_000  # rows of Parquet
FEW_BATCHES = 2  # the last record of a file can be a batch of its own
SAMPLED = 1000  # lines of JSON that are looked into for names of keys
PARQUET = b"PAR1"
MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
OTHER = {
    b"PK\x03\x04": "a zip archive or an Excel workbook: unpack it, or save the sheet as CSV",
    b"BZh": "bzip2: pack it with gzip or zstd",
    b"\xfd7zXZ": "xz: pack it with gzip or zstd",
}

Blocks = Iterator[pl.DataFrame]
RAGGED, NOT_JSON, ENCODING = "ragged", "not_json", "encoding"

codecs.register_error("babelshelf", lambda error: (BROKEN, getattr(error, "end", 0)))


def read_file(path: Path, settings: FileParams, wanted: Mapping[str, str], *, few: bool = False) -> pl.DataFrame:
    """All records of a file.

    Args:
        path: the file, packed with gzip or zstd or not.
        settings: its format.
        wanted: `{name here: name of the column in the file}`.
        few: read the first block of the file alone, for a look at it.

    Returns:
        `row` (from 1), `line` (null in Parquet), `problem` (null, `ragged` or `not_json`), `record` (the text of such a
        record), and a column of texts for each of `wanted`, null where a value is missing or empty.

    Raises:
        InputError: the file can't be read as that format at all, or lacks columns.
    """
    return pl.concat(read_blocks(path, settings, wanted, few=few))


def read_blocks(path: Path, settings: FileParams, wanted: Mapping[str, str], *, few: bool = False) -> Blocks:
    """The records of a file as `read_file` has them, block by block, and at least one; it raises as that does."""
    reader = {"csv": _read_csv, "jsonl": _read_jsonl, "parquet": _read_parquet}[settings.format]
    with _explained(path, settings):
        yield from reader(path, settings, wanted, few=few)


def column_names(path: Path, settings: FileParams) -> list[str]:
    """Names of the columns, or the keys of the first lines of JSON; raise InputError as `read_file` does."""
    with _explained(path, settings):
        if settings.format == "csv":
            return _names_csv(path, settings)
        if settings.format == "jsonl":
            return _keys(pl.concat(_lines(path, settings, few=True)))
        return _parquet_schema(path).names()


def packed(path: Path, size: int) -> bytes:
    """The first `size` bytes of a file, unpacked; raise InputError if it can't be."""
    try:
        with path.open("rb") as stream:
            if stream.read(len(PARQUET)) == PARQUET:
                return PARQUET
        return bytes(_unpacked(path).read(size))
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error


# --- CSV, and any text by lines ---


@dataclass
class _Ragged:
    """Collects the records that have another number of cells than the header.

    Attributes:
        found: number of the record in the file, lines that it takes, and its text with why it is ragged.
    """

    found: list[tuple[int, int, str]] = field(default_factory=list)

    def __call__(self, row: Any) -> str:  # noqa: ANN401 - pyarrow's InvalidRow
        text = row.text or ""
        shown = f"{row.actual_columns} cells for {row.expected_columns} columns: {text[:SHOWN]}"
        self.found.append((row.number, 1 + text.count("\n"), shown))
        return "skip"

    def taken(self, count: int) -> pl.DataFrame:
        """The first `count`, which are forgotten: columns `number`, `lines`, `record` and `problem`."""
        taken, self.found = self.found[:count], self.found[count:]
        schema = {"number": pl.Int64, "lines": pl.Int64, "record": pl.String}
        return pl.DataFrame(taken, schema=schema, orient="row").with_columns(problem=pl.lit(RAGGED))


def _names_csv(path: Path, settings: FileParams) -> list[str]:
    with _open_csv(path, settings, _Ragged(), None) as reader:
        names: list[str] = reader.schema.names
    return names


def _read_csv(path: Path, settings: FileParams, wanted: Mapping[str, str], *, few: bool) -> Blocks:
    names = _names_csv(path, settings)
    _check_columns(path, settings, wanted, names)
    numbering = _Numbering(records=1, lines=1 + sum(name.count("\n") for name in names))
    with _open_csv(path, settings, numbering.ragged, list(dict.fromkeys(names))) as reader:
        for batch in _batches(reader, few=few):
            yield numbering.numbered(_of_batch(batch, wanted))
    yield numbering.last(dict.fromkeys(wanted, pl.String()))


def _open_csv(path: Path, settings: FileParams, ragged: _Ragged, columns: list[str] | None) -> csv.CSVStreamingReader:
    """A reader of the columns as texts; of a first block of all columns, as anything, where `columns` is None."""
    return csv.open_csv(
        _Utf8(_unpacked(path, settings.mends.parquet), settings.encoding),
        read_options=csv.ReadOptions(use_threads=False, block_size=BLOCK),
        parse_options=csv.ParseOptions(
            delimiter=settings.delimiter,
            quote_char=settings.quote or False,
            newlines_in_values=bool(settings.quote),
            ignore_empty_lines=False,
            invalid_row_handler=ragged,
        ),
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(columns or [], pa.large_string()), include_columns=columns, check_utf8=False
        ),
    )


def _batches(reader: csv.CSVStreamingReader, *, few: bool) -> Iterator[pa.RecordBatch]:
    """All batches, or a `few`, and an empty one, so that there is one."""
    yield pa.RecordBatch.from_arrays([pa.array([], column.type) for column in reader.schema], schema=reader.schema)
    yield from islice(reader, FEW_BATCHES if few else None)


def _of_batch(batch: pa.RecordBatch, wanted: Mapping[str, str]) -> pl.DataFrame:
    """The wanted columns, how many `lines` each record takes, and whether it is `blank`; all columns count for that."""
    table = pl.DataFrame(pl.from_arrow(batch))
    ends = pl.sum_horizontal(pl.all().str.count_matches("\n", literal=True)).cast(pl.Int64)
    texts = {role: pl.col(name) for role, name in wanted.items()}
    return table.select(lines=ends + 1, blank=pl.all_horizontal(pl.all() == ""), **texts)


@dataclass
class _Numbering:
    """Puts ragged records back to where they were, numbers all, and leaves out blank lines, block by block.

    Attributes:
        records: number of records before the next one, blank lines and a header among them.
        lines: number of lines before the next record.
        rows: number of records before the next one that are not blank.
        ragged: collects the ragged records of the blocks to come.
    """

    records: int
    lines: int
    rows: int = 0
    ragged: _Ragged = field(default_factory=_Ragged)

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


# --- JSON lines ---


def _read_jsonl(path: Path, settings: FileParams, wanted: Mapping[str, str], *, few: bool) -> Blocks:
    paths = {role: _json_path(name) for role, name in wanted.items()}
    first = pl.DataFrame(schema={"record": pl.String})  # lines that are looked into for names of keys
    found: set[str] = set()  # names that some line has
    for lines in _lines(path, settings, few=few):
        if first.is_empty() and lines.height and (lines["record"][0] or "").lstrip().startswith("["):
            raise InputError(f"{path}: a JSON array: write one object a line, as `jq -c '.[]' FILE` does")
        first = pl.concat([first, lines.select("record").head(SAMPLED - first.height)])
        rows = _of_objects(lines, paths)
        found |= {name for role, name in wanted.items() if rows[role].null_count() < rows.height}
        yield rows
    names = _keys(first)
    if names or first.is_empty():
        _check_columns(path, settings, wanted, list(dict.fromkeys([*names, *sorted(found)])))


def _of_objects(lines: pl.DataFrame, paths: Mapping[str, str]) -> pl.DataFrame:
    """The values of lines of JSON; one that is no object has a problem and its record.

    A path finds something in sound JSON alone, so only where none does the line has to be looked at once more.
    """
    record = pl.col("record")
    read = lines.with_columns(**{role: record.str.json_path_match(path) for role, path in paths.items()})
    nothing = pl.all_horizontal(pl.col(role).is_null() for role in paths)
    empty = read.filter(nothing)["record"]
    objects = empty.filter(empty.str.json_path_match("$").is_not_null()).unique()
    whole = record.str.strip_chars_start().str.starts_with("{") & (~nothing | record.is_in(objects.implode()))
    sound = whole.fill_null(value=False) & pl.col("problem").is_null()
    return read.select(
        "row",
        "line",
        *(pl.when(sound).then(pl.col(role)).alias(role) for role in paths),
        problem=pl.when(~sound).then(pl.lit(NOT_JSON)),
        record=pl.when(~sound).then(record.str.slice(0, SHOWN)),
    )


def _lines(path: Path, settings: FileParams, *, few: bool) -> Blocks:
    """Columns `row`, `line`, `record` and `problem` of all lines that are not blank, or of a `few` of them, by block.

    A line that holds `UNIT` has the problem `ragged`.
    """
    numbering = _Numbering(records=0, lines=0)
    with csv.open_csv(
        _Utf8(_unpacked(path, settings.mends.parquet), settings.encoding),
        read_options=csv.ReadOptions(use_threads=False, block_size=BLOCK, column_names=["record"]),
        parse_options=csv.ParseOptions(
            delimiter=UNIT, quote_char=False, ignore_empty_lines=False, invalid_row_handler=numbering.ragged
        ),
        convert_options=csv.ConvertOptions(column_types={"record": pa.large_string()}, check_utf8=False),
    ) as reader:
        for batch in _batches(reader, few=few):
            yield numbering.numbered(_of_batch(batch, {"record": "record"}))
    yield numbering.last({"record": pl.String()})


def _keys(lines: pl.DataFrame) -> list[str]:
    """Keys of the first lines, as they come."""
    found: dict[str, None] = {}
    for line in lines["record"].head(SAMPLED):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            found |= dict.fromkeys(value)
    return list(found)


def _json_path(name: str) -> str:
    if "\\" in name:  # which polars' JSON paths cannot name
        raise InputError(f"the key {name!r} holds a backslash: rename it")
    escaped = name.replace('"', '\\"')
    return f'$["{escaped}"]'


# --- Parquet ---


def _parquet_schema(path: Path) -> pl.Schema:
    kind = _kind(path)
    if kind is not None:
        raise InputError(f"{path}: a Parquet file that is packed with {kind} once more: unpack it")
    return pl.Schema(pl.read_parquet_schema(path))


def _read_parquet(path: Path, settings: FileParams, wanted: Mapping[str, str], *, few: bool) -> Blocks:
    schema = _parquet_schema(path)
    _check_columns(path, settings, wanted, list(schema))
    for name in wanted.values():
        if schema[name].is_nested() or schema[name] in {pl.Binary, pl.Object}:
            raise InputError(f"{path}: the column {name!r} is of the type {schema[name]}: store texts or numbers")
    texts = {role: pl.col(name).cast(pl.String) for role, name in wanted.items()}
    scan = pl.scan_parquet(path, glob=False)
    blocks = (scan.head(FEW) if few else scan).select(**texts).collect_batches(maintain_order=True, engine="streaming")
    none, before = pl.lit(None, pl.String), 0
    for rows in chain([pl.DataFrame(schema=dict.fromkeys(wanted, pl.String()))], blocks):  # one at least
        numbers = before + pl.int_range(1, pl.len() + 1)
        yield rows.with_columns(row=numbers, line=pl.lit(None, pl.Int64), problem=none, record=none)
        before += rows.height


# --- what all formats need ---


def _check_columns(path: Path, settings: FileParams, wanted: Mapping[str, str], names: Sequence[str]) -> None:
    problems = []
    for role, name in wanted.items():
        if list(names).count(name) > 1:
            problems.append(f"{path}: {names.count(name)} columns are called {name!r}: rename all but one")
        elif name not in names:
            near = get_close_matches(name, names, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}? " if near else ""
            where = settings.mends.column.format(role=role)
            problems.append(f"{path}: {where}no column {name!r}; {hint}The columns are {', '.join(names)}")
    if problems:
        raise InputError("\n".join(problems))


class _Utf8(io.RawIOBase):
    """The bytes of a text in any encoding as UTF-8; what is not in that encoding becomes `BROKEN`."""

    def __init__(self, raw: pa.NativeFile, encoding: str) -> None:
        plain = codecs.lookup(encoding).name
        decoder = codecs.getincrementaldecoder("utf-8-sig" if plain == "utf-8" else encoding)
        self._raw, self._decoder, self._left = raw, decoder("babelshelf"), b""

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int = -1) -> bytes:
        """`size` bytes, fewer only at the end: the parser takes what it is given for a whole block."""
        parts, held = [self._left], len(self._left)
        while size < 0 or held < size:
            raw = self._raw.read(BLOCK if size < 0 else size - held)
            parts.append(self._decoder.decode(raw, final=not raw).encode("utf-8"))
            held += len(parts[-1])
            if not raw:
                break
        whole = b"".join(parts)
        given, self._left = (whole, b"") if size < 0 else (whole[:size], whole[size:])
        return given


def _kind(path: Path) -> str | None:
    """How a file is packed; raise InputError if it is of a kind that is not read."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    with path.open("rb") as stream:
        start = stream.read(6)
    for magic, what in OTHER.items():
        if start.startswith(magic):
            raise InputError(f"{path}: this is {what}")
    return next((kind for magic, kind in MAGIC.items() if start.startswith(magic)), None)


def _unpacked(path: Path, mend: str = "") -> pa.NativeFile:
    """The bytes of a text file; raise InputError where it is Parquet, with `mend`."""
    kind = _kind(path)
    stream = pa.OSFile(str(path))
    if stream.read(len(PARQUET)) == PARQUET:
        raise InputError(f"{path}: a Parquet file: {mend}")
    stream.seek(0)
    return stream if kind is None else pa.CompressedInputStream(stream, kind)


@contextmanager
def _explained(path: Path, settings: FileParams) -> Iterator[None]:
    """Make an InputError of whatever a parser says of a file that it cannot read."""
    try:
        yield
    except (pa.ArrowException, pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise InputError(f"{path}: cannot be read as {settings.format}: {reason}; {_mend(reason, settings)}") from error


def _mend(reason: str, settings: FileParams) -> str:
    if "straddling" in reason or "out of sync" in reason:
        return f"a quote that is opened is never closed: {settings.mends.quote}"
    if "Empty" in reason:
        return "give a file with rows"
    return settings.mends.form
