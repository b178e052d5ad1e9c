"""How a stranger's file of pairs is written, by its name and its first bytes; for `babelshelf init` and `score`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from babelshelf.core.errors import InputError
from babelshelf.core.params import section
from babelshelf.pairs.folders import FORMATS, suffix
from babelshelf.pairs.hints import FOUND, Mends
from babelshelf.pairs.params import FileParams
from babelshelf.pairs.readers import column_names, packed, read_file

DELIMITERS = ("\t", ",", ";", "|")
START = 1 << 20  # bytes that are looked into for encoding and delimiter
PROPOSED = Path("proposal")  # what messages call params that are in no file yet


def written(file: Path) -> dict[str, Any]:
    """`format`, `delimiter`, `quote` and `encoding`, as in params.yaml; raise InputError if it can't be unpacked."""
    start = packed(file, START)
    how = {"format": FORMATS.get(suffix(file), "csv"), "delimiter": ",", "quote": '"', "encoding": "utf-8"}
    if start.startswith(b"PAR1"):
        return how | {"format": "parquet"}
    how["encoding"] = _encoding(start)
    text = start.decode(how["encoding"], errors="replace").lstrip("\ufeff")
    if text.lstrip().startswith("{"):
        return how | {"format": "jsonl"}
    if how["format"] == "csv":
        how["delimiter"] = _delimiter(text)
        how["quote"] = _quote(file, how)
    return how


def _encoding(start: bytes) -> str:
    """UTF-16 with its mark, UTF-8 where most of what is not ASCII is that, else Windows-1252."""
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    text = start.decode("utf-8", errors="replace")
    lost = text.count("\ufffd") - start.count("\ufffd".encode())
    other = sum(not char.isascii() for char in text)
    return "utf-8" if lost <= max(1, 0.2 * other) else "cp1252"


def _delimiter(text: str) -> str:
    """The one that the header has and most lines have as often, then the one that it has most often."""
    lines = [line for line in text.splitlines()[:200] if line]
    counts = {mark: [line.count(mark) for line in lines] for mark in DELIMITERS}
    scores = {
        mark: (sum(count == found[0] for count in found) / len(found), found[0])
        for mark, found in counts.items()
        if found and found[0]
    }
    return max(scores, key=lambda mark: scores[mark]) if scores else ","


def _quote(file: Path, how: dict[str, Any]) -> str:
    """The usual one, unless fewer records are ragged without: in TSV a quote is often an inch."""
    ragged = {}
    for quote in ('"', ""):
        settings = as_params(how | {"quote": quote}, {})
        try:
            rows = read_file(file, settings, {}, few=True)
            ragged[quote] = rows["problem"].count() / max(rows.height, 1)
        except InputError:
            ragged[quote] = 2.0
    return "" if ragged[""] < ragged['"'] else '"'


class FoundFile(FileParams):
    """A file whose format was found by `written`, and which no param describes."""

    mends: ClassVar[Mends] = FOUND


def as_params(how: Mapping[str, Any], columns: Mapping[str, str | list[str]]) -> FoundFile:
    """Params that say how a file is written (`how`: of FileParams), and of what is in it just what the columns are."""
    roles = {"query": "?", "candidate": "?", "label": "?", "language": "", "id": "", "split": "", **columns}
    patterns = {"rows": "*", "train": "", "dev": "", "test": ""}
    labels = {"positive": ["1"], "negative": ["0"], "positive_from": "none", "missing": "bad"}
    values = {
        **patterns,
        "columns": roles,
        "language": "en",
        "language_map": {},
        "labels": labels,
        "path_separator": "",
        **how,
    }
    return section(FoundFile, {"files": values}, "files", None, PROPOSED)


def sample(file: Path, how: Mapping[str, Any]) -> pl.DataFrame:
    """The first rows, all columns as texts, null where a value is missing; the first of columns of the same name.

    Raises:
        InputError: the file can't be read as that, or has no columns.
    """
    names = column_names(file, as_params(how, {}))
    if not names:
        raise InputError(f"{file}: no columns found: is it CSV, JSON lines or Parquet?")
    indices = {str(number): name for number, name in enumerate(dict.fromkeys(names))}
    rows = read_file(file, as_params(how, {}), indices, few=True).select(list(indices)).rename(indices)
    return rows.with_columns(pl.all().replace("", None))


def form(how: Mapping[str, Any]) -> str:
    """Of what `written` found, a few words."""
    if how["format"] == "parquet":
        return "Parquet"
    mark = {"\t": "tab", ",": "comma", ";": "semicolon", "|": "bar"}.get(how["delimiter"], how["delimiter"])
    name = f"CSV, {mark}" if how["format"] == "csv" else "JSON lines"
    return f"{name}, {how['encoding']}"
