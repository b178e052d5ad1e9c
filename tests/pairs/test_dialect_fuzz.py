"""Files that Python's csv writes from known rows come back as those rows, or as an error that asks."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
from hypothesis import assume, given
from hypothesis import strategies as st

from babelshelf.core.errors import InputError
from babelshelf.pairs.formats import as_params, detect
from babelshelf.pairs.guesses import resolve
from babelshelf.pairs.readers import read_file

NAMES = ["query", "candidate", "label", "lang"]
DELIMITERS = ("\t", ",", ";", "|", "\x01", "~")
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-32")
DIALECTS: list[dict[str, Any]] = [
    *({"quoting": quoting, "quotechar": quote} for quoting in (0, 1, 2) for quote in "\"'"),
    *(
        {"quoting": quoting, "quotechar": quote, "doublequote": double, "escapechar": "\\"}
        for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL)
        for quote in "\"'"
        for double in (False, True)
    ),
    {"quoting": csv.QUOTE_NONE, "escapechar": "\\"},
    {"quoting": csv.QUOTE_NONE, "quotechar": None},
]
HEADERS = ("plain", "title", "blank", "sep", "index", "none")
PARTS = ["lamp", "größe", "红色鞋", "12", "C:", "new", "n", *"\"'\\,;|~\t -:>()\n", '5"', "'s", "\\\\", '\\"', "\\'"]


@dataclass(frozen=True)
class Written:
    """A file that is written from known rows.

    Attributes:
        rows: cells by column of `NAMES`.
        content: of the file.
        header: names that the user has to say, as the file has none.
        escape: a backslash where it escapes; "" is none.
    """

    rows: list[tuple[str, ...]] = field(repr=False)
    content: bytes
    header: list[str]
    escape: str


@st.composite
def files(draw: st.DrawFn) -> Written:
    texts = st.lists(st.sampled_from(PARTS), min_size=1, max_size=6).map("".join).filter(lambda text: text.strip())
    odd = draw(st.lists(texts, min_size=1, max_size=4))
    usual = Random(draw(st.integers(0, 999)))  # a draw for each cell would take most of the time
    rows = []
    for number in range(draw(st.integers(3, 20))):
        query, candidate = (usual.choice([f"red shoe {number}", *odd]) for _ in range(2))
        rows.append((query, candidate, str(number % 2), ("en", "de")[number % 3 == 0]))
    delimiter, dialect = draw(st.sampled_from(DELIMITERS)), draw(st.sampled_from(DIALECTS))
    others = {'"', "'"} - {dialect.get("quotechar", '"')}  # a cell in quotes is a quoted cell, RFC 4180
    assume(not any(len(text) > 1 and text[0] == text[-1] and text[0] in others for text in odd))
    head, end = draw(st.sampled_from(HEADERS)), draw(st.sampled_from(["\n", "\r\n"]))
    content = as_csv(rows, head, delimiter=delimiter, lineterminator=end, **dialect)
    raw, header = content.encode(draw(st.sampled_from(ENCODINGS))), NAMES if head == "none" else []
    return Written(rows, raw, header, dialect.get("escapechar", ""))


def as_csv(rows: list[tuple[str, ...]], head: str, *, delimiter: str, lineterminator: str, **dialect: Any) -> str:  # noqa: ANN401
    stream = io.StringIO(newline="")
    above = {"title": "Export of May", "blank": "", "sep": f"sep={delimiter}"}
    if head in above:
        stream.write(above[head] + lineterminator)
    lines = rows if head == "none" else [tuple(NAMES), *rows]
    if head == "index":
        lines = [(str(number - 1) if number else "", *line) for number, line in enumerate(lines)]
    try:
        csv.writer(stream, delimiter=delimiter, lineterminator=lineterminator, **dialect).writerows(lines)
    except csv.Error:  # a delimiter or a line break where the dialect has neither quotes nor escapes
        assume(False)
    return stream.getvalue()


def read_back(path: Path, header: list[str], escape: str | None = None) -> list[tuple[str, ...]] | None:
    """The rows as `init` reads them; None where it asks, refuses the file, or reports a row."""
    try:
        detected = detect(path, header=header, escape=escape)
        resolve(detected.guesses)
        rows = read_file(path, as_params(detected.how, {}), {f"kept.{name}": name for name in NAMES})
    except InputError:
        return None
    return rows.select(pl.col("^kept.*$").fill_null("")).rows() if rows["problem"].is_null().all() else None


@given(written=files())
def test_known_rows_come_back_or_an_error(tmp_path: Path, written: Written) -> None:
    path = tmp_path / "pairs.csv"
    path.write_bytes(written.content)
    assert read_back(path, written.header) in (None, written.rows)
    if written.escape:  # else saying so changes nothing that is read
        assert read_back(path, written.header, written.escape) in (None, written.rows)
