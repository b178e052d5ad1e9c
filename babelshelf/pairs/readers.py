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
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
from pyarrow import csv

from babelshelf.errors import InputError

if TYPE_CHECKING:
    from babelshelf.params.prepare import FileParams

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
    with _explained(path, settings):
        if settings.format == "csv":
            return _read_csv(path, settings, wanted, few=few)
        if settings.format == "jsonl":
            return _read_jsonl(path, settings, wanted, few=few)
        return _read_parquet(path, wanted, few=few)


def column_names(path: Path, settings: FileParams) -> list[str]:
    """Names of the columns, or the keys of the first lines of JSON; raise InputError as `read_file` does."""
    with _explained(path, settings):
        if settings.format == "csv":
            return _names_csv(path, settings)
        if settings.format == "jsonl":
            return _keys(_lines(path, settings, few=True))
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

    def frame(self) -> pl.DataFrame:
        """Columns `number`, `lines`, `record` and `problem`."""
        schema = {"number": pl.Int64, "lines": pl.Int64, "record": pl.String}
        return pl.DataFrame(self.found, schema=schema, orient="row").with_columns(problem=pl.lit(RAGGED))


def _names_csv(path: Path, settings: FileParams) -> list[str]:
    with _open_csv(path, settings, _Ragged(), None) as reader:
        names: list[str] = reader.schema.names
    return names


def _read_csv(path: Path, settings: FileParams, wanted: Mapping[str, str], *, few: bool) -> pl.DataFrame:
    names = _names_csv(path, settings)
    _check_columns(path, wanted, names)
    ragged = _Ragged()
    with _open_csv(path, settings, ragged, list(dict.fromkeys(names))) as reader:
        rows = pl.concat([_of_batch(batch, wanted) for batch in _batches(reader, few=few)])
    header = 1 + sum(name.count("\n") for name in names)
    return _numbered(rows, ragged.frame(), records=1, lines=header)


def _open_csv(path: Path, settings: FileParams, ragged: _Ragged, columns: list[str] | None) -> csv.CSVStreamingReader:
    """A reader of the columns as texts; of a first block of all columns, as anything, where `columns` is None."""
    return csv.open_csv(
        _Utf8(_unpacked(path), settings.encoding),
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


def _numbered(rows: pl.DataFrame, ragged: pl.DataFrame, *, records: int, lines: int) -> pl.DataFrame:
    """Put the ragged records back to where they were, number all, and leave out blank lines.

    Args:
        rows: the others in their order, with `lines` and `blank`.
        ragged: as `_Ragged.frame` has it.
        records: number of records before them all.
        lines: number of lines before them all.
    """
    last = records + rows.height + ragged.height
    numbers = pl.DataFrame({"number": pl.int_range(records + 1, last + 1, eager=True)})
    own = numbers.join(ragged.select("number"), on="number", how="anti", maintain_order="left")
    return (
        pl.concat([rows.with_columns(own["number"]), ragged], how="diagonal")
        .sort("number")
        .with_columns(line=lines + 1 + pl.col("lines").cum_sum() - pl.col("lines"))
        .filter(~pl.col("blank").fill_null(value=False))
        .with_columns(row=pl.int_range(1, pl.len() + 1))
        .drop("number", "lines", "blank")
    )


# --- JSON lines ---


def _read_jsonl(path: Path, settings: FileParams, wanted: Mapping[str, str], *, few: bool) -> pl.DataFrame:
    lines = _lines(path, settings, few=few)
    if lines.height and (lines["record"][0] or "").lstrip().startswith("["):
        raise InputError(f"{path}: a JSON array: write one object a line, as `jq -c '.[]' FILE` does")
    record = pl.col("record")
    whole = record.str.strip_chars_start().str.starts_with("{") & record.str.json_path_match("$").is_not_null()
    sound = whole & pl.col("problem").is_null()
    texts = {role: record.str.json_path_match(_json_path(name)) for role, name in wanted.items()}
    rows = lines.select(
        "row",
        "line",
        problem=pl.when(~sound).then(pl.lit(NOT_JSON)),
        record=pl.when(~sound).then(record.str.slice(0, SHOWN)),
        **texts,
    )
    never = [name for role, name in wanted.items() if rows[role].is_null().all()]
    names = _keys(lines)
    if names or not rows.height:
        _check_columns(path, wanted, list(dict.fromkeys([*names, *(set(wanted.values()) - set(never))])))
    return rows


def _lines(path: Path, settings: FileParams, *, few: bool) -> pl.DataFrame:
    """Columns `row`, `line`, `record` and `problem` of all lines that are not blank, or of a `few` of them.

    A line that holds `UNIT` has the problem `ragged`.
    """
    ragged = _Ragged()
    with csv.open_csv(
        _Utf8(_unpacked(path), settings.encoding),
        read_options=csv.ReadOptions(use_threads=False, block_size=BLOCK, column_names=["record"]),
        parse_options=csv.ParseOptions(
            delimiter=UNIT, quote_char=False, ignore_empty_lines=False, invalid_row_handler=ragged
        ),
        convert_options=csv.ConvertOptions(column_types={"record": pa.large_string()}, check_utf8=False),
    ) as reader:
        rows = pl.concat([_of_batch(batch, {"record": "record"}) for batch in _batches(reader, few=few)])
    return _numbered(rows, ragged.frame(), records=0, lines=0)


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


def _read_parquet(path: Path, wanted: Mapping[str, str], *, few: bool) -> pl.DataFrame:
    schema = _parquet_schema(path)
    _check_columns(path, wanted, list(schema))
    for name in wanted.values():
        if schema[name].is_nested() or schema[name] in {pl.Binary, pl.Object}:
            raise InputError(f"{path}: the column {name!r} is of the type {schema[name]}: store texts or numbers")
    texts = {role: pl.col(name).cast(pl.String) for role, name in wanted.items()}
    scan = pl.scan_parquet(path, glob=False)
    rows = (scan.head(FEW) if few else scan).select(**texts).collect(engine="streaming")
    none = pl.lit(None, pl.String)
    return rows.with_columns(row=pl.int_range(1, pl.len() + 1), line=pl.lit(None, pl.Int64), problem=none, record=none)


# --- what all formats need ---


def _check_columns(path: Path, wanted: Mapping[str, str], names: Sequence[str]) -> None:
    problems = []
    for role, name in wanted.items():
        if list(names).count(name) > 1:
            problems.append(f"{path}: {names.count(name)} columns are called {name!r}: rename all but one")
        elif name not in names:
            near = get_close_matches(name, names, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}? " if near else ""
            problems.append(f"{path}: columns.{role}: no column {name!r}; {hint}The columns are {', '.join(names)}")
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
        """At most `size` bytes, none only at the end."""
        while not self._left:
            raw = self._raw.read(BLOCK if size < 0 else size)
            self._left = self._decoder.decode(raw, final=not raw).encode("utf-8")
            if not raw:
                break
        given, self._left = (self._left, b"") if size < 0 else (self._left[:size], self._left[size:])
        return given


def _kind(path: Path) -> str | None:
    """How a file is packed; raise InputError if it is of a kind that is not read."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; prepare.input names it")
    with path.open("rb") as stream:
        start = stream.read(6)
    for magic, what in OTHER.items():
        if start.startswith(magic):
            raise InputError(f"{path}: this is {what}")
    return next((kind for magic, kind in MAGIC.items() if start.startswith(magic)), None)


def _unpacked(path: Path) -> pa.NativeFile:
    kind = _kind(path)
    stream = pa.OSFile(str(path))
    if stream.read(len(PARQUET)) == PARQUET:
        raise InputError(f"{path}: a Parquet file: set prepare.files.<task>.format to parquet")
    stream.seek(0)
    return stream if kind is None else pa.CompressedInputStream(stream, kind)


@contextmanager
def _explained(path: Path, settings: FileParams) -> Iterator[None]:
    """Make an InputError of whatever a parser says of a file that it cannot read."""
    try:
        yield
    except (pa.ArrowException, pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise InputError(f"{path}: cannot be read as {settings.format}: {reason}; {_mend(reason)}") from error


def _mend(reason: str) -> str:
    if "straddling" in reason or "out of sync" in reason:
        return "a quote that is opened is never closed: mend it, or set prepare.files.<task>.quote to none"
    if "Empty" in reason:
        return "give a file with rows"
    return "write the file again, or correct prepare.files.<task>.format, delimiter and encoding"
