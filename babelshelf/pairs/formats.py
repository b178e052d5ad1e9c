"""How a user's file of pairs is written, told from its name and bytes; for `babelshelf init` and `babelshelf score`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from babelshelf.core.errors import InputError
from babelshelf.core.params import section
from babelshelf.pairs.dialects import ESCAPED, detect_dialect
from babelshelf.pairs.encodings import detect_encoding, is_ascii
from babelshelf.pairs.folders import FORMATS, suffix
from babelshelf.pairs.guesses import Guess
from babelshelf.pairs.hints import DETECTED, Hints
from babelshelf.pairs.json_reader import is_by_column
from babelshelf.pairs.params import FileParams
from babelshelf.pairs.readers import read_sample
from babelshelf.pairs.text_stream import BLOCK, TextStream, head

START = 1 << 20  # bytes that are looked into for the format and the dialect
PROPOSED = Path("proposal")  # what messages call params that are in no file yet
PLAIN = {"delimiter": ",", "quote": '"', "escape": "", "skip_lines": 0, "header": [], "encoding": "utf-8"}
MARKS = {"\t": "tab", ",": "comma", ";": "semicolon", "|": "bar", "~": "tilde", "\x01": r"\x01"}


@dataclass(frozen=True)
class Detected:
    """How a file is written.

    Attributes:
        how: `format`, `delimiter`, `quote`, `escape`, `skip_lines`, `header` and `encoding`, as in params.yaml.
        guesses: what is not certain of that.
    """

    how: dict[str, Any]
    guesses: list[Guess]


def detect(
    file: Path,
    *,
    encoding: str = "",
    header: Sequence[str] = (),
    escape: str | None = None,
    quote: str | None = None,
    language: str = "",
) -> Detected:
    """How a file is written.

    Args:
        file: packed or not.
        encoding: as the user said it; "" where it is told from the bytes.
        header: names of the columns of a file that has no header, as the user said them.
        escape: a backslash, or "" for none, as the user said it; None where it is detected.
        quote: around cells, or "" for none, as `escape`.
        language: of all rows (ISO 639-1), as the user said it; it helps to tell the encoding.

    Raises:
        InputError: the file can't be unpacked, its encoding can't be told, or it has no header and `header` is empty.
    """
    how: dict[str, Any] = {"format": FORMATS.get(suffix(file), "csv"), **PLAIN}
    if head(file, START).startswith(b"PAR1"):
        return Detected(how | {"format": "parquet"}, [])
    how["encoding"], guesses = (_known(encoding), []) if encoding else detect_encoding(file, language)
    text, whole = _start(file, how["encoding"])
    begin = text.lstrip()
    if (begin.startswith(("{", "[{", "[\n", "[\r", "[ ", "[]")) and how["format"] != "csv") or _is_json(begin):
        how["format"] = _json_format(begin, whole=whole)
    elif how["format"] == "csv":
        later = "" if whole or escape is not None or ESCAPED.search(text) else _later_escapes(file, how["encoding"])
        said: dict[str, Any] = {"header": header, "escape": escape, "quote": quote}
        dialect, more = detect_dialect(file, text, whole=whole, later=later, **said)
        how, guesses = how | dialect, [*guesses, *more]
    _check_readable(file, how)
    return Detected(how, guesses)


def _check_readable(file: Path, how: Mapping[str, Any]) -> None:
    """Raise InputError with the first bad row where all of the first rows are bad."""
    rows = read_sample(file, as_params(how, {}))
    bad = rows.filter(pl.col("problem").is_not_null()).head(1)
    if rows.height and rows["problem"].null_count() == 0:
        for row, line, problem, record in bad.select("row", "line", "problem", "record").iter_rows():
            raise InputError(
                f"{file}: no row can be read as {form(how)}; the first, row {row} (line {line}): {problem}: {record!r}"
            )


def detect_all(
    files: Sequence[Path],
    *,
    encoding: str = "",
    header: Sequence[str] = (),
    escape: str | None = None,
    quote: str | None = None,
    language: str = "",
) -> Detected:
    """How several files are written; raise InputError as `detect` does, or where they are written in different ways."""
    said: dict[str, Any] = {"encoding": encoding, "header": header, "escape": escape, "quote": quote}
    first = detect(files[0], **said, language=language)
    how, guesses = first.how, list(first.guesses)
    for file in files[1:]:
        other = detect(file, **said, language=language)
        guesses += other.guesses
        for key, value in other.how.items():
            if how[key] == value or (key == "format" and file.stat().st_size == 0):
                continue
            if key == "encoding" and is_ascii(file):
                continue
            if (key == "encoding" and is_ascii(files[0])) or (key == "quote" and not _has(files[0], how["quote"])):
                how[key] = value
            elif key == "escape" and not (_has(files[0], "\\") and _has(file, "\\")):
                how[key] = "\\"  # the file that has backslashes says it
            elif key != "quote" or _has(file, value):
                raise InputError(
                    f"{file}: {key} is {value!r}, but {how[key]!r} in {files[0]}: write both files in the same way, or "
                    "give a pattern that matches one of them"
                )
    return Detected(how, guesses)


def _has(file: Path, quote: str) -> bool:
    """Whether a file has a quote; no quotes at all are said of files that have some."""
    return not quote or quote.encode() in head(file, START)


def _known(encoding: str) -> str:
    try:
        "".encode(encoding)
    except (LookupError, ValueError) as error:
        raise InputError(f"--encoding: Python knows no encoding {encoding!r}; cp1252 and gb18030 are two") from error
    return encoding


def _start(file: Path, encoding: str) -> tuple[str, bool]:
    """The first characters of a file, and whether they are all."""
    raw = TextStream(file, encoding).read(START + 1)
    return raw[:START].decode("utf-8", errors="ignore"), len(raw) <= START


def _later_escapes(file: Path, encoding: str) -> str:
    """Lines after the start of a file that may have an escape, the first ones."""
    stream = TextStream(file, encoding)
    stream.read(START)
    while block := stream.read(BLOCK).decode("utf-8", errors="ignore"):
        if ESCAPED.search(block):
            lines = re.split(r"\r\n|\r|\n", block)
            whole = lines[1:-1] or lines  # the first and the last may be cut
            return "".join(f"{line}\n" for line in whole if ESCAPED.search(line))[:START]
    return ""


def _is_json(begin: str) -> bool:
    """Whether a text begins with an object, or an array of objects, and not with a CSV cell that has a bracket."""
    if begin.startswith("{"):
        return True
    rest = begin[1:].lstrip()
    return begin.startswith("[") and (rest.startswith(("{", "]")) or not rest)


def _json_format(begin: str, *, whole: bool) -> str:
    """`jsonl` where the first line is an object of its own, `json` where it is an array, or part of something."""
    first, _, rest = begin.partition("\n")
    try:
        value = json.loads(first)
    except (ValueError, RecursionError):
        broken = first.rstrip().endswith("}") and rest.lstrip().startswith("{")
        return "jsonl" if broken else "json"
    if not isinstance(value, dict):
        return "json"
    alone = whole and not rest.strip()
    if alone and is_by_column(value):
        return "json"  # which says what is wrong
    holds_rows = any(isinstance(part, list) and part and isinstance(part[0], dict) for part in value.values())
    return "json" if alone and holds_rows else "jsonl"


class DetectedFile(FileParams):
    """A file whose format was told by `detect`, and which no param describes."""

    hints: ClassVar[Hints] = DETECTED


def as_params(how: Mapping[str, Any], columns: Mapping[str, str | list[str]]) -> DetectedFile:
    """Params that say how a file is written (`how`: of FileParams), and of what is in it just what the columns are."""
    roles = {"query": "?", "candidate": "?", "label": "?", "language": "", "id": "", "split": "", **columns}
    patterns = {"rows": "*", "train": "", "dev": "", "test": ""}
    labels = {"positive": ["1"], "negative": ["0"], "positive_from": "none", "missing": "bad", "random_negatives": 0}
    values = {
        **PLAIN,
        **patterns,
        "columns": roles,
        "language": "en",
        "language_map": {},
        "labels": labels,
        "path_separator": "",
        **how,
    }
    return section(DetectedFile, {"files": values}, "files", None, PROPOSED)


def form(how: Mapping[str, Any]) -> str:
    """Of what `detect` found, a few words."""
    if how["format"] == "parquet":
        return "Parquet"
    if how["format"] != "csv":
        return f"{'JSON lines' if how['format'] == 'jsonl' else 'JSON array'}, {how['encoding']}"
    quote = {'"': "", "": ", no quotes"}.get(how.get("quote", '"'), f", quotes {how.get('quote')}")
    escape = ", escapes by a backslash" if how.get("escape") else ""
    return f"CSV, {MARKS.get(how['delimiter'], how['delimiter'])}{quote}{escape}, {how['encoding']}"
