"""The encoding of a text file, told from all of its bytes; for `babelshelf init` and `babelshelf score`.

UTF-8, UTF-16 and UTF-32 can be told for certain. What is none of them is told by the alphabets of the languages that
the rows are said to be in (`pairs.alphabets`), or else ranked by charset-normalizer. The guess is shown with two rows.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
from charset_normalizer import CharsetMatch, from_bytes

from babelshelf.core.errors import InputError
from babelshelf.pairs.alphabets import ENCODINGS, fit
from babelshelf.pairs.guesses import Guess, Outcome
from babelshelf.pairs.text_stream import BROKEN, unpacked

CHUNK = 1 << 22  # bytes that are looked at together
SAMPLE = 1 << 17  # bytes of lines that are not ASCII, for a guess
MOST_BROKEN = 0.2  # of the characters that are not ASCII, in a file that is UTF-8 but for some rows
MOST_CHAOS = 0.3  # of a decoded sample, by charset-normalizer: above, no encoding is likely
CLOSE = 0.06  # chaos of guesses that are as good as the best
MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16's, with which it begins
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# The likeliest first: where several give the same text, or fit as well, the first is taken.
LEGACY = [
    *("cp1252", "cp932", "gb18030", "cp949", "big5hkscs", "euc_jp", "cp1251", "cp1250", "cp1253", "cp1254", "cp1255"),
    *("cp1256", "cp874", "cp1257", "cp1258", "koi8_r", "koi8_u", "iso8859_2", "mac_roman", "cp850"),
]
WIDE: Mapping[str, tuple[str, ...]] = {
    "ja": ("cp932", "euc_jp"),
    "ko": ("cp949",),
    "zh": ("gb18030", "big5hkscs"),
}
OF_LANGUAGES = {**WIDE, **ENCODINGS}
GOOD = 0.9  # of the letters beyond ASCII belong to the languages
CODE = re.compile(rb"(?:^|[,;\t|~:\x01\"'])([A-Za-z]{2})(?:[-_][A-Za-z]{2,4})?(?=[,;\t|~:\x01\"'\r]|$)", re.MULTILINE)
SCRIPTS = {
    "ja": r"[\p{Hiragana}\p{Katakana}\p{Han}]",
    "ko": r"\p{Hangul}",
    "zh": r"\p{Han}",
    "th": r"\p{Thai}",
    "el": r"\p{Greek}",
    "he": r"\p{Hebrew}",
    **dict.fromkeys(("ar", "fa", "ur"), r"\p{Arabic}"),
    **dict.fromkeys(("ru", "uk", "bg", "be", "mk", "kk"), r"\p{Cyrillic}"),
    **dict.fromkeys(("hi", "mr", "ne"), r"\p{Devanagari}"),
    "bn": r"\p{Bengali}",
    "ta": r"\p{Tamil}",
    "te": r"\p{Telugu}",
    "ka": r"\p{Georgian}",
    "hy": r"\p{Armenian}",
    "km": r"\p{Khmer}",
}
FEW_IN_SCRIPT = 0.05  # of the rows of a language, that have a letter of its script
LOOKED_AT = 2000  # rows of a language


@dataclass
class _Bytes:
    """What the bytes of a file are.

    Attributes:
        start: the first ones.
        others: characters that are not ASCII, read as UTF-8.
        broken: places that are not UTF-8.
        lines: some lines that are not ASCII.
    """

    start: bytes = b""
    others: int = 0
    broken: int = 0
    lines: list[bytes] = field(default_factory=list)


def detect_encoding(path: Path, language: str = "") -> tuple[str, list[Guess]]:
    """The encoding of a text file, and what to say of it: nothing where it is certain.

    Args:
        path: the file.
        language: of all rows (ISO 639-1), where the user said it.
    """
    found = _bytes_of(path)
    mark = next((name for start, name in MARKS.items() if found.start.startswith(start)), None)
    if mark is None:
        mark = _wide(found.start)
    if mark is None and (b"\x1b$" in found.start or b"\x1b(J" in found.start):
        mark = "iso2022_kr" if b"\x1b$)C" in found.start else "iso2022_jp"
        return mark, [_guess(path, mark, Outcome.CHECK, "escape sequences of ISO 2022", found.lines or [found.start])]
    if mark is not None:
        return mark, []
    if found.broken <= MOST_BROKEN * max(found.others - found.broken, 0):
        if not found.broken:
            return "utf-8", []
        reason = f"{found.broken:,} places are not UTF-8, their rows are left out"
        return "utf-8", [_guess(path, "utf-8", Outcome.CHECK, reason, found.lines)]
    return _legacy(path, found.lines, language)


def is_ascii(path: Path) -> bool:
    """Whether a file has ASCII alone, which is the same in most encodings."""
    return all(chunk.isascii() for chunk in _chunks(path))


def check_scripts(rows: pl.DataFrame) -> None:
    """Raise InputError where a language with a script of its own has next to no letter of it, but strange ones.

    Args:
        rows: with `language` (ISO 639-1), `query` and `candidate`.
    """
    for language in rows["language"].drop_nulls().unique().cast(pl.String).sort():
        if language not in SCRIPTS:
            continue
        part = rows.filter(pl.col("language").cast(pl.String) == language)
        part = part.gather_every(max(part.height // LOOKED_AT, 1))
        texts = part.select(text=pl.concat_str(pl.col("query", "candidate").cast(pl.String), ignore_nulls=True))["text"]
        within = texts.str.contains(SCRIPTS[language]).mean() or 0.0
        strange = texts.filter(texts.str.contains(r"[^\x{0}-\x{7F}]"))
        if within < FEW_IN_SCRIPT and len(strange) > len(texts) / 2:  # type: ignore[operator]
            raise InputError(
                f"{language}: next to no row has a letter of the language's script, for example {strange[0]!r}: is the "
                "file in another encoding? Say --encoding NAME, or set encoding of prepare.files.<task>"
            )


def _bytes_of(path: Path) -> _Bytes:
    found, held, rest = _Bytes(), 0, b""
    decoder = codecs.getincrementaldecoder("utf-8")("babelshelf")
    for chunk in _chunks(path):
        found.start = found.start or chunk
        found.broken += decoder.decode(chunk).count(BROKEN)
        if not chunk.isascii():
            found.others += int(np.count_nonzero(np.frombuffer(chunk, np.uint8) >= 0xC0))
        *lines, rest = (rest + chunk).split(b"\n")
        if held < SAMPLE and not chunk.isascii():
            lines = [line for line in lines if not line.isascii()]
            found.lines += lines[:: max(len(lines) // 2000, 1)]
            held = sum(map(len, found.lines))
    found.broken += decoder.decode(b"", final=True).count(BROKEN)
    found.lines += [] if rest.isascii() else [rest]
    return found


def _chunks(path: Path) -> Iterator[bytes]:
    stream = unpacked(path)
    while chunk := bytes(stream.read(CHUNK)):
        yield chunk


def _wide(start: bytes) -> str | None:
    """UTF-16 or UTF-32 without a mark: text has delimiters and line ends, of which all bytes but one are zero."""
    start = start[: len(start) // 4 * 4]
    zeros = [start[place::4].count(0) for place in range(4)]
    ends = start.count(b"\n")
    if not any(zeros) or not ends or start.count(b"\0\n") + start.count(b"\n\0") < ends / 2:
        return None  # a stray zero within text is no sign of UTF-16, in which line ends have one
    share = [count / (len(start) / 4) for count in zeros]
    if min(share[2], share[3]) > 0.9:
        names = ["utf-32-le"]
    elif min(share[0], share[1]) > 0.9:
        names = ["utf-32-be"]
    else:
        names = ["utf-16-le", "utf-16-be"] if share[1] + share[3] > share[0] + share[2] else ["utf-16-be", "utf-16-le"]
    for name in names:
        text = start.decode(name, errors="replace")
        if "\n" in text and "\0" not in text and text.count("\ufffd") <= 1:
            return name
    return None


def _legacy(path: Path, lines: list[bytes], language: str) -> tuple[str, list[Guess]]:
    sample = b"\n".join(lines)[: 2 * SAMPLE]
    counted = _languages(sample)
    languages = [language] if language else [code for code, _ in counted.most_common(3)]
    if name := _by_alphabet(sample, languages):
        reason = f"neither UTF-8 nor UTF-16; the letters are those of {', '.join(languages)}"
        return name, [_guess(path, name, Outcome.CHECK, reason, lines)]
    matches = [
        match for match in from_bytes(sample, cp_isolation=LEGACY, threshold=MOST_CHAOS) if match.encoding in LEGACY
    ]
    if not matches:
        raise InputError(f"{path}: the encoding can't be told; for example {lines[0][:60]!r}: say --encoding NAME")
    best = _likeliest(matches, languages)
    text = sample.decode(best.encoding)
    name = next(name for name in LEGACY if _decoded(sample, name) == text)
    rivals = [match.encoding for match in matches if str(match) != str(best)]
    reason = "neither UTF-8 nor UTF-16" + (f"; it may be {', '.join(rivals[:3])} too" if rivals else "")
    return name, [_guess(path, name, Outcome.CHECK, reason, lines)]


def _by_alphabet(sample: bytes, languages: Sequence[str]) -> str | None:
    """The encoding of one byte a letter in which the sample fits the languages best; None where it fits in none."""
    if not languages or WIDE.keys() & set(languages):
        return None
    names = dict.fromkeys(name for language in languages for name in ENCODINGS.get(language, ()))
    fits = {name: fit(text, languages) for name in names if (text := _decoded(sample, name)) is not None}
    best = max(fits, key=lambda name: fits[name], default=None)
    return best if best is not None and fits[best] >= GOOD else None


def _likeliest(matches: list[CharsetMatch], languages: Sequence[str]) -> CharsetMatch:
    """The best of the encodings that the languages are written in, or of all."""
    usual = {name for language in languages for name in OF_LANGUAGES.get(language, ())}
    fitting = [match for match in matches if usual & {match.encoding, *match.could_be_from_charset}]
    ranked = fitting or matches
    least = min(match.chaos for match in ranked)
    close = [match for match in ranked if match.chaos <= least + CLOSE]
    if fitting:
        return max(close, key=lambda match: (round(match.coherence, 1), -match.chaos, -_rank(match)))
    return max(close, key=lambda match: (-round(match.chaos, 2), round(match.coherence, 1), -_rank(match)))


def _rank(match: CharsetMatch) -> int:
    return min(LEGACY.index(name) for name in {match.encoding, *match.could_be_from_charset} & {*LEGACY})


def _languages(sample: bytes) -> Counter[str]:
    """Cells that are language codes."""
    codes = Counter(code.decode().lower() for code in CODE.findall(sample))
    return Counter({code: count for code, count in codes.items() if code in OF_LANGUAGES})


def _decoded(sample: bytes, name: str) -> str | None:
    try:
        return sample.decode(name)
    except UnicodeDecodeError:
        return None


def _guess(path: Path, name: str, outcome: Outcome, reason: str, lines: list[bytes]) -> Guess:
    shown = tuple(line.decode(name, errors="replace") for line in lines[:2])
    return Guess("encoding", name, outcome, reason=reason, examples=shown, option="--encoding NAME", where=str(path))
