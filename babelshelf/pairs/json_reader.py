"""Read JSON: an object a line, or an array of objects, pretty-printed or not, or one object that holds such an array.

A value is a text, a number, true, false or null. A list of texts is the levels of a candidate's path; any other list,
and an object, is an error that names the key. Values of other keys may be anything, NaN too, which JSON has not.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from babelshelf.core.errors import InputError
from babelshelf.core.rows import LEVEL
from babelshelf.pairs.csv_reader import Blocks, read_lines
from babelshelf.pairs.numbering import SHOWN
from babelshelf.pairs.text_stream import TextStream

if TYPE_CHECKING:
    from babelshelf.pairs.params import FileParams

SAMPLED = 1000  # records that are looked into for names of keys
NOT_JSON = "not_json"
CHUNK = 1 << 20  # bytes of an array that are decoded at a time
ROWS = 1 << 16  # of a block of an array
FEW_ROWS = 10_000
FEW_KEYS = 10  # in a message


def json_keys(path: Path, settings: FileParams) -> list[str]:
    """Keys of the first records, as they come."""
    return _keys(pl.concat(_records(path, settings, few=True)))


def read_json(path: Path, settings: FileParams, wanted: Mapping[str, str], *, few: bool) -> Iterator[pl.DataFrame]:
    """The records in blocks, as texts; at the end it raises KeyError with all keys where one of `wanted` is in none."""
    paths = {role: _json_path(name) for role, name in wanted.items()}
    first = pl.DataFrame(schema={"record": pl.String})  # records that are looked into for names of keys
    found: set[str] = set()  # keys that some record has
    for records in _records(path, settings, few=few):
        if settings.format == "jsonl" and first.is_empty() and str(records["record"].first()).lstrip()[:1] == "[":
            raise InputError(f"{path}: a JSON array: {settings.hints.array}")
        first = pl.concat([first, records.select("record").head(SAMPLED - first.height)])
        rows = _of_objects(path, records, paths, wanted)
        found |= {name for role, name in wanted.items() if rows[role].null_count() < rows.height}
        yield rows
    names = list(dict.fromkeys([*_keys(first), *sorted(found)]))
    if (names or first.is_empty()) and not set(wanted.values()) <= set(names):
        raise KeyError(names)


def _records(path: Path, settings: FileParams, *, few: bool) -> Blocks:
    """Columns `row`, `line` (null in an array), `record` and `problem` of all records, or of a `few`, by block."""
    return read_lines(path, settings, few=few) if settings.format == "jsonl" else _read_array(path, settings, few=few)


def _of_objects(path: Path, records: pl.DataFrame, paths: Mapping[str, str], wanted: Mapping[str, str]) -> pl.DataFrame:
    """The values of records; one that is no object has a problem and its record.

    A JSON path finds something in sound JSON alone, so only where none does the record has to be looked at once more.
    """
    record = pl.col("record")
    read = records.with_columns(**{role: record.str.json_path_match(path) for role, path in paths.items()})
    nothing = pl.all_horizontal(pl.col(role).is_null() for role in paths) if paths else pl.lit(value=True)
    empty = read.filter(nothing)["record"]
    objects = empty.filter(empty.str.json_path_match("$").is_not_null()).unique()
    whole = record.str.strip_chars_start().str.starts_with("{") & (~nothing | record.is_in(objects.implode()))
    read = read.with_columns(sound=whole.fill_null(value=False) & pl.col("problem").is_null())
    read = _with_nested(path, _with_constants(read, wanted), wanted)
    return read.select(
        "row",
        "line",
        *(pl.when("sound").then(pl.col(role)).alias(role) for role in paths),
        problem=pl.when(~pl.col("sound")).then(pl.lit(NOT_JSON)),
        record=pl.when(~pl.col("sound")).then(record.str.slice(0, SHOWN)),
    )


def _with_constants(read: pl.DataFrame, wanted: Mapping[str, str]) -> pl.DataFrame:
    """The values of objects that hold NaN or Infinity, which JSON does not know; each is a missing value."""
    odd = ~pl.col("sound") & pl.col("problem").is_null() & pl.col("record").str.contains("NaN|Infinity")
    found = []
    for row, record in read.filter(odd).select("row", "record").iter_rows():
        value = _loads(record)
        if isinstance(value, dict):
            found.append({"row": row, "sound": True} | {role: _text(value.get(name)) for role, name in wanted.items()})
    if not found:
        return read
    schema: dict[str, Any] = {"row": read.schema["row"], "sound": pl.Boolean} | dict.fromkeys(wanted, pl.String())
    return read.update(pl.DataFrame(found, schema=schema), on="row")


def _with_nested(path: Path, read: pl.DataFrame, wanted: Mapping[str, str]) -> pl.DataFrame:
    """A list of texts joined as the levels of a path; raise InputError with the key of any other list, or an object."""
    for role, name in wanted.items():
        looks_nested = (pl.col(role).str.slice(0, 1).is_in(["[", "{"]) & pl.col("sound")).fill_null(value=False)
        joined = []
        for row, line, record in read.filter(looks_nested).select("row", "line", "record").iter_rows():
            value = (_loads(record) or {}).get(name)
            if isinstance(value, list | dict):
                where = f"{path}, row {row}" + (f" (line {line})" if line is not None else "")
                joined.append({"row": row, role: joined_levels(value, role, where, name)})
        if joined:
            schema = {"row": read.schema["row"], role: pl.String()}
            read = read.update(pl.DataFrame(joined, schema=schema), on="row")
    return read


def joined_levels(value: Any, role: str, where: str, name: str) -> str:  # noqa: ANN401 - whatever JSON holds
    """The text of a list of levels; raise InputError where it is none, or of no candidate."""
    is_path = role.isdecimal() or role.startswith(("candidate", "kept."))  # a number: of a sample of all columns
    if isinstance(value, list) and all(type(level) is str for level in value) and is_path:
        return LEVEL.join(level.strip() for level in value if level.strip())
    if role.isdecimal():
        return json.dumps(value, ensure_ascii=False)
    what = "an object" if isinstance(value, dict) else "a list"
    shown = json.dumps(value, ensure_ascii=False)[:SHOWN]
    only = "; a candidate may be a list of texts, the levels of its path" if isinstance(value, list) else ""
    raise InputError(f"{where}: the key {name!r} holds {what}, {shown}: write its text under a key of its own{only}")


def _loads(record: str) -> Any:  # noqa: ANN401 - whatever JSON holds
    try:
        return json.loads(record, parse_constant=lambda _: None, parse_int=_Number, parse_float=_Number)
    except (ValueError, RecursionError):
        return None


class _Number(str):
    """A number as it is written: no digit of it changes."""

    __slots__ = ()


def _text(value: Any) -> str | None:  # noqa: ANN401 - whatever JSON holds
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _keys(records: pl.DataFrame) -> list[str]:
    """Keys of the first records, as they come."""
    found: dict[str, None] = {}
    for record in records["record"].head(SAMPLED):
        value = _loads(record or "")
        if isinstance(value, dict):
            found |= dict.fromkeys(value)
    return list(found)


def _shown(keys: Collection[str]) -> str:
    """The first keys, for a message."""
    return ", ".join(islice(keys, FEW_KEYS)) + (", ..." if len(keys) > FEW_KEYS else "")


def is_by_column(value: Mapping[str, Any]) -> bool:
    """Whether an object holds columns: each value a list, or an object, of as many cells; or names apart from rows."""
    sizes = {len(part) if isinstance(part, list | dict) else 0 for part in value.values()}
    return (len(value) > 1 and len(sizes) == 1 and min(sizes) > 1) or {"columns", "data"} <= value.keys()


def _json_path(name: str) -> str:
    if "\\" in name:  # which polars' JSON paths cannot name
        raise InputError(f"the key {name!r} holds a backslash: rename it")
    escaped = name.replace('"', '\\"')
    return f'$["{escaped}"]'


# --- arrays ---


def _read_array(path: Path, settings: FileParams, *, few: bool) -> Blocks:
    """The elements of an array, or the objects of a file, in blocks."""
    elements = Elements(path, TextStream(path, settings.encoding, parquet=settings.hints.parquet))
    schema = {"row": pl.Int64, "line": pl.Int64, "record": pl.String, "problem": pl.String}
    yield pl.DataFrame(schema=schema)
    before, rows = 0, iter(elements)
    while block := list(islice(rows, FEW_ROWS if few else ROWS)):
        numbers = range(before + 1, before + 1 + len(block))
        nulls = [None] * len(block)
        yield pl.DataFrame({"row": numbers, "line": nulls, "record": block, "problem": nulls}, schema=schema)
        before += len(block)
        if few:
            return


class Elements:
    """The JSON texts of the elements of an array, or of the one list in an object, or of objects one after another."""

    def __init__(self, path: Path, stream: TextStream) -> None:
        self._path, self._stream = path, stream
        self._decode = json.JSONDecoder(parse_constant=lambda _: None).raw_decode
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._text, self._ended, self._lines = "", False, 0

    def __iter__(self) -> Iterator[str]:
        """The elements, read as they are asked for; raise InputError where the file is no such JSON."""
        start = self._peek()
        if start == "[":
            self._skip()
            yield from self._list()
        elif start == "{":
            yield from self._objects()
        elif start:
            raise self._error("neither an array nor an object")
        if rest := self._peek():
            raise self._error(f"{rest!r} after the end")

    def _list(self) -> Iterator[str]:
        while (mark := self._peek()) != "]":
            if not mark:
                raise self._error("the array does not end: is it all of the file?")
            yield self._value()
            if self._peek() == ",":
                self._skip()
            elif self._peek() not in {"]", ""}:
                raise self._error("no comma between two elements")
        self._skip()

    def _objects(self) -> Iterator[str]:
        """Objects one after another, with commas or not; or the elements of the one list in the one object."""
        first = self._value()
        rest = self._peek()
        if rest:
            yield first
            while mark := self._peek():
                if mark == ",":
                    self._skip()
                if self._peek():
                    yield self._value()
            return
        value: dict[str, Any] = json.loads(first, parse_constant=lambda _: None)
        lists = {
            key: part for key, part in value.items() if isinstance(part, list) and part and isinstance(part[0], dict)
        }
        if len(lists) > 1 or (
            not lists and (is_by_column(value) or any(isinstance(part, dict) for part in value.values()))
        ):
            raise InputError(
                f"{self._path}: a JSON object with the keys {_shown(value)}: write the rows as one array, or one "
                "object a line (pandas: df.to_json(orient='records', lines=True))"
            )
        if not lists:
            yield first
        for elements in lists.values():
            yield from (json.dumps(element, ensure_ascii=False) for element in elements)

    def _value(self) -> str:
        """The text of the next value, which is taken."""
        while True:
            try:
                value, end = self._decode(self._text)
            except (ValueError, RecursionError) as error:
                if self._ended:
                    raise self._error("no JSON") from error
            else:
                if end < len(self._text) or self._ended or isinstance(value, dict | list | str):
                    text, self._text = self._text[:end], self._text[end:]
                    self._lines += text.count("\n")
                    return text
            self._more(max(CHUNK, len(self._text)))

    def _peek(self) -> str:
        """The next character that is no space, "" at the end."""
        while True:
            rest = self._text.lstrip()
            self._lines += self._text.count("\n") - rest.count("\n")
            self._text = rest
            if rest or self._ended:
                return rest[:1]
            self._more(CHUNK)

    def _skip(self) -> None:
        self._text = self._text[1:]

    def _more(self, size: int) -> None:
        raw = self._stream.read(size)
        self._ended = not raw
        self._text += self._utf8.decode(raw, final=self._ended)

    def _error(self, what: str) -> InputError:
        return InputError(
            f"{self._path}, line {self._lines + 1}: {what}, {self._text[:60]!r}: write an array of objects, or one "
            "object a line"
        )
