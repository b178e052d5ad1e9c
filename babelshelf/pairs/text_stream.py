"""The text of a file as UTF-8, for pyarrow's parsers: unpacked, decoded, and in a dialect that they know.

pyarrow's CSV parser takes delimiters of one byte and quotes that are doubled. A longer delimiter, and characters that a
backslash escapes, are replaced by characters that no text has; `restored` puts the cells right again.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from babelshelf.core.errors import InputError

BLOCK = 1 << 24  # bytes; no record is longer
BROKEN = "\U0010ffff"  # stands for bytes that are not in the file's encoding; a code point that is no character
UNIT = "\x1f"  # stands for a delimiter that is not one byte; in no line of JSON, where control characters are escaped
# What stands for an escaped quote, backslash, delimiter and line break: code points that are no characters.
ESCAPED_QUOTE, ESCAPED_BACKSLASH, ESCAPED_DELIMITER, ESCAPED_BREAK = "\ufdd0", "\ufdd1", "\ufdd2", "\ufdd3"
ESCAPED_APOSTROPHE = "\ufdd4"
PARQUET = b"PAR1"
MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
OTHER = {
    b"PK\x03\x04": "a zip archive or an Excel workbook: unpack it, or save the sheet as CSV",
    b"BZh": "bzip2: pack it with gzip or zstd",
    b"\xfd7zXZ": "xz: pack it with gzip or zstd",
    b"\xd0\xcf\x11\xe0": "an Excel workbook (.xls): save the sheet as CSV",
    b"ARROW1\0": "Arrow or Feather: write it as Parquet",
    b"Obj\x01": "Avro: write it as Parquet",
    b"SQLite format 3": "an SQLite database: export the table as CSV",
    b"%PDF-": "a PDF document: export its table as CSV",
}
MARKUP = re.compile(rb"\s*<(?:!doctype|html|table|\?xml|body|div)\b", re.IGNORECASE)

codecs.register_error("babelshelf", lambda error: (BROKEN, getattr(error, "end", 0)))


@dataclass(frozen=True)
class Dialect:
    """How cells are told apart.

    Attributes:
        delimiter: between cells, one or more characters.
        quote: around cells, where it is doubled; "" is none.
        escape: a backslash where it escapes quotes, delimiters, line breaks and itself; "" is none.
    """

    delimiter: str
    quote: str
    escape: str

    @property
    def byte(self) -> str:
        """The delimiter that the parser gets."""
        return self.delimiter if len(self.delimiter.encode()) == 1 else UNIT

    def rewritten(self, text: str) -> str:
        """A text as the parser gets it."""
        if self.escape:
            text = re.sub(self._escapes, self._stand_in, text, flags=re.DOTALL)
        return text if self.byte == self.delimiter else text.replace(self.delimiter, UNIT)

    def whole(self, text: str) -> int:
        """How many characters of a text can be rewritten before what follows is known."""
        end = len(text)
        if self.escape:
            end = len(text.removesuffix("\r")) if text.endswith("\\\r") else end
            end = len(text[:end].rstrip("\\"))
        starts = [self.delimiter[:size] for size in range(len(self.delimiter) - 1, 0, -1)]
        partial = next((len(start) for start in starts if text.endswith(start)), 0)
        # a run of the delimiter's own characters has to be kept whole: ':::' is '::' and ':'
        run = len(text) - len(text.rstrip(self.delimiter)) if partial else 0
        return min(end, len(text) - run)

    def restored(self, cells: pl.Expr) -> pl.Expr:
        """Cells as the file means them."""
        return cells.str.replace_many(self._meant) if self.is_rewritten else cells

    def restored_text(self, cell: str) -> str:
        """A cell as the file means it."""
        table: dict[str, str | int | None] = {**self._meant}
        return cell.translate(str.maketrans(table))

    @property
    def is_rewritten(self) -> bool:
        """Whether cells have to be restored."""
        return bool(self.escape) or self.byte != self.delimiter

    @property
    def _meant(self) -> dict[str, str]:
        """What the characters that stand for others mean."""
        meant = {} if self.byte == self.delimiter else {UNIT: self.delimiter}
        if self.escape:
            meant |= {ESCAPED_QUOTE: '"', ESCAPED_APOSTROPHE: "'", ESCAPED_BACKSLASH: "\\", ESCAPED_BREAK: "\n"}
            meant |= {ESCAPED_DELIMITER: self.delimiter}
        return meant

    @property
    def _escapes(self) -> str:
        return rf"\\(\\|\"|'|\r?\n|{re.escape(self.delimiter)})"

    def _stand_in(self, found: re.Match[str]) -> str:
        escaped = found[1]
        if escaped == "\\":
            return ESCAPED_BACKSLASH
        if escaped == self.delimiter:
            return ESCAPED_DELIMITER
        if escaped in "\r\n":
            return ESCAPED_BREAK
        return ESCAPED_QUOTE if escaped == '"' else ESCAPED_APOSTROPHE


PLAIN = Dialect(UNIT, "", "")


class TextStream(io.RawIOBase):
    """A text in any encoding as UTF-8 in a dialect that the parser knows; bytes in no encoding become `BROKEN`.

    Attributes:
        lines: how many lines were read so far.
        has_returns: whether some of them end with a carriage return alone.
        quotes: whether quotes were sound so far.
    """

    def __init__(self, path: Path, encoding: str, dialect: Dialect = PLAIN, parquet: str = "") -> None:
        plain = codecs.lookup(encoding).name
        decoder = codecs.getincrementaldecoder("utf-8-sig" if plain == "utf-8" else encoding)
        self._raw, self._decoder, self._left, self._text = unpacked(path, parquet), decoder("babelshelf"), b"", ""
        self._dialect, self._last = dialect, b"\n"
        self.lines, self.has_returns = 0, False
        self.quotes = QuoteCheck(dialect) if dialect.quote else None

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """For io.TextIOWrapper."""
        given = self.read(len(buffer))
        buffer[: len(given)] = given
        return len(given)

    def read(self, size: int = -1) -> bytes:
        """`size` bytes, fewer only at the end: the parser takes what it is given for a whole block."""
        parts, held = [self._left], len(self._left)
        while size < 0 or held < size:
            raw = self._raw.read(BLOCK if size < 0 else size - held)
            parts.append(self._decoded(raw).encode("utf-8"))
            held += len(parts[-1])
            if not raw:
                break
        whole = b"".join(parts)
        given, self._left = (whole, b"") if size < 0 else (whole[:size], whole[size:])
        self._count(given)
        return given

    def _decoded(self, raw: bytes) -> str:
        text = self._decoder.decode(raw, final=not raw)
        if self._dialect is PLAIN or not (self._dialect.is_rewritten):
            return text
        text = self._text + text
        end = self._dialect.whole(text) if raw else len(text)
        self._text = text[end:]
        return self._dialect.rewritten(text[:end])

    def _count(self, given: bytes) -> None:
        if not given:
            self.lines += self._last not in b"\r\n"  # the last line ends with the file
            self._last = b"\n"
            return
        self.lines += given.count(b"\n")
        returns = given.count(b"\r")
        if returns or self._last == b"\r":
            joined = given.count(b"\r\n") + (self._last == b"\r" and given.startswith(b"\n"))
            self.has_returns |= returns > joined + given.endswith(b"\r")
            self.lines += returns - joined
        if self._dialect.escape:
            self.lines += given.count(ESCAPED_BREAK.encode())
        self._last = given[-1:]
        if self.quotes:
            self.quotes.feed(given)


class QuoteCheck:
    """Whether each quote opens or closes a cell, or is doubled within one (RFC 4180), from a stream of bytes.

    Attributes:
        is_sound: whether all did so far. Where not, a cell may have quotes though it is not quoted, which is sound too:
            `first_bad_line` tells.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._quote = ord(dialect.quote)
        self._ends = np.zeros(256, dtype=bool)
        self._ends[[ord(dialect.byte), 10, 13, self._quote]] = True
        self._held, self._count, self.is_sound = b"\n", 0, True

    def feed(self, data: bytes) -> None:
        """Look at the next bytes."""
        data = self._held + data
        self._held = data[-2:]
        if not self.is_sound or self._quote not in data:
            return
        buffer = np.frombuffer(data, dtype=np.uint8)
        places = 1 + np.flatnonzero(buffer[1:-1] == self._quote)
        opens = (self._count + np.arange(len(places))) % 2 == 0
        neighbours = np.where(opens, buffer[places - 1], buffer[places + 1])
        self._count += len(places)
        self.is_sound = bool(self._ends[neighbours].all())

    def close(self) -> bool:
        """Whether all quotes are sound, at the end of the file."""
        self.feed(b"\n")
        return self.is_sound and self._count % 2 == 0


def first_bad_line(path: Path, encoding: str, dialect: Dialect) -> int | None:
    """The line of the first quoted cell that goes on after its closing quote, or is never closed; None if none is."""
    before = csv.field_size_limit(BLOCK)
    stream = io.TextIOWrapper(io.BufferedReader(TextStream(path, encoding, dialect), 1 << 20), "utf-8", newline="")
    reader = csv.reader(stream, delimiter=dialect.byte, quotechar=dialect.quote, strict=True)
    try:
        for _ in reader:
            pass
    except csv.Error:
        return reader.line_num
    finally:
        csv.field_size_limit(before)
    return None


def head(path: Path, size: int) -> bytes:
    """The first `size` bytes of a file, unpacked; raise InputError if it can't be."""
    try:
        with path.open("rb") as stream:
            if stream.read(len(PARQUET)) == PARQUET:
                return PARQUET
        return bytes(unpacked(path).read(size))
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error


def packing(path: Path) -> str | None:
    """How a file is packed; raise InputError if it is of a kind that is not read."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    with path.open("rb") as stream:
        start = stream.read(64)
    for magic, what in OTHER.items():
        if start.startswith(magic):
            raise InputError(f"{path}: this is {what}")
    if MARKUP.match(start.removeprefix(codecs.BOM_UTF8)):
        raise InputError(f"{path}: this is HTML or XML: save the table as CSV")
    return next((kind for magic, kind in MAGIC.items() if start.startswith(magic)), None)


def unpacked(path: Path, fix: str = "") -> pa.NativeFile:
    """The bytes of a text file; raise InputError where it is Parquet, with the `fix`."""
    kind = packing(path)
    stream = pa.OSFile(str(path))
    if stream.read(len(PARQUET)) == PARQUET:
        raise InputError(f"{path}: a Parquet file: {fix}")
    stream.seek(0)
    return stream if kind is None else pa.CompressedInputStream(stream, kind)
