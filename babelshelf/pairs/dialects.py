"""The dialect of a CSV file: delimiter, quote, escape, and where its header is; for `babelshelf init` and `score`.

Each dialect that may be meant parses the start of the file; the one in which most records have the header's number of
cells is taken. Python's parser, in its strict mode, says where a quote is not sound. A backslash before a quote, a
delimiter or another backslash may escape it; where the rows have as many cells either way, that is a question.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from babelshelf.core.errors import InputError
from babelshelf.pairs.guesses import Guess, Outcome
from babelshelf.pairs.header_row import are_names, check_given_names, check_header, lines_above
from babelshelf.pairs.labels import MISSING_WORDS
from babelshelf.pairs.parse import Parse
from babelshelf.pairs.text_stream import BLOCK, Dialect

DELIMITERS = ("\t", ",", ";", "|", "\x01", "~", "::")
ESCAPED = re.compile(r"\\(?:[\\\"'\t,;|\x01~]|::)")  # what may be an escape; before other letters, a backslash is text
WRAPPED = 0.8  # of the cells of a column that are in quotes
ENOUGH = 0.5  # of the records have as many cells as the header
BETTER = 0.02  # by which a dialect without quotes must be better than one with quotes that are sound
LONGEST = 40  # characters of a cell that is shown


def detect_dialect(
    path: Path,
    text: str,
    *,
    whole: bool,
    header: Sequence[str] = (),
    escape: str | None = None,
    quote: str | None = None,
    later: str = "",
) -> tuple[dict[str, Any], list[Guess]]:
    """`delimiter`, `quote`, `escape`, `skip_lines` and `header` of a file, as in params.yaml, and what to say of them.

    Args:
        path: the file.
        text: its start.
        whole: whether that is all of it.
        header: names of the columns, where the file has none.
        escape: a backslash, or "" for none, as the user said it; None where it is detected.
        quote: around cells, or "" for none, as the user said it; None where it is detected.
        later: lines of the rest of the file that may have an escape, where its start has none.

    Raises:
        InputError: the first row is data, and `header` is not given; or has another number of names.
    """
    text = text if whole else text[: text.rfind("\n") + 1]
    parses = [_best_quote(text, mark, escape, quote, whole=whole) for mark in DELIMITERS if mark in text]
    has_plain = any(found.fits >= (True, True, ENOUGH) and not found.has_title for found in parses)
    parses = [found for found in parses if not (has_plain and found.has_title)] or parses
    parse = max(parses, key=lambda found: (*found.fits, found.width), default=None)
    if parse is None or parse.width < 2:
        plain = {"delimiter": ",", "quote": '"' if quote is None else quote, "escape": escape or ""}
        return {**plain, "skip_lines": 0, "header": list(header)}, []
    guesses = _guesses(path, parse, parses)
    dialect = parse.dialect
    if quote is None:
        guesses += _question_of_quotes(path, parse, _parse(text, replace(dialect, quote=""), whole=whole))
        guesses += _refused_quotes(path, parse)
    if escape is None and ESCAPED.search(text + later):
        start = "".join(text.splitlines(keepends=True)[: parse.skipped + 1])
        dialect, more = _detect_escape(path, start + later if later else text, dialect, whole=whole or bool(later))
        guesses += more
        if dialect != parse.dialect:
            parse = _parse(text, dialect, whole=whole)
    if quote is None and "\\" in text:
        guesses += _rival_quotes(path, text, parse, escape, whole=whole)
    how: dict[str, Any] = {"delimiter": dialect.delimiter, "quote": dialect.quote, "escape": dialect.escape}
    if header:
        if len(header) != parse.width:
            raise InputError(f"{path}: --header has {len(header)} names, but the file {parse.width} columns")
        check_given_names(path, parse.header, header)
        return how | {"skip_lines": parse.skipped, "header": list(header)}, guesses
    check_header(path, parse)
    return how | {"skip_lines": parse.skipped, "header": []}, guesses


def _best_quote(text: str, mark: str, known: str | None, known_quote: str | None, *, whole: bool) -> Parse:
    """The best parse with a delimiter: quotes are taken for quotes unless they are not sound, or rows are ragged."""
    escapes = ["", "\\"] if any(f"\\{after}" in text for after in ('"', "'", mark, "\n")) else [""]
    escapes = escapes if known is None else [known]
    plain = _parse(text, Dialect(mark, "", ""), whole=whole)
    wrapped = any(_is_wrapped(_parse(text, Dialect(mark, "", escape), whole=whole)) for escape in escapes)
    quotes = (["'"] if wrapped else []) + ['"'] + (["'"] if "'" in text else []) + [""]
    best = None
    for quote in dict.fromkeys(quotes if known_quote is None else [known_quote]):
        for escape in escapes:
            found = plain if not (quote or escape) else _parse(text, Dialect(mark, quote, escape), whole=whole)
            if best is None or (found.sound, found.fits[2]) > (best.sound, best.fits[2] + BETTER * (quote == "")):
                best = found
    return best or plain


def _question_of_quotes(path: Path, parse: Parse, plain: Parse) -> list[Guess]:
    """A question where quotes are around few cells of a column, and none needs them: they may be part of the text."""
    quote = parse.dialect.quote
    if not quote:
        return []
    needless = []
    for cells in zip(*plain.rows, strict=True):
        quoted = {cell for cell in cells if len(cell) > 1 and cell[0] == cell[-1] == quote}
        if any(quote in cell[1:-1] for cell in quoted):
            return []  # it is doubled there
        bare = {cell for cell in cells if cell not in quoted and cell.strip().lower() not in MISSING_WORDS}
        if any(letter.isalpha() for cell in bare for letter in cell):
            needless += [cell for cell in cells if cell in quoted and cell[1:-1] == cell[1:-1].strip() != ""]
    if plain.fits < parse.fits or not needless:
        return []
    reason = f"those of [{needless[0][:LONGEST]}], which needs none, may be part of the text"
    option = "--quote '\"' or --quote none" if quote == '"' else '--quote "\'" or --quote none'
    return [Guess("quotes", "around cells", Outcome.UNSURE, reason=reason, option=option, where=str(path))]


def _rival_quotes(path: Path, text: str, parse: Parse, escape: str | None, *, whole: bool) -> list[Guess]:
    """A question where another quote gives other cells and as many, with backslashes that escape or not."""
    mark = re.escape(parse.dialect.delimiter)
    for quote in ('"', "'"):
        if quote == parse.dialect.quote or not re.search(rf"(?:^|{mark}){quote}", text, re.MULTILINE):
            continue  # no cell is in such quotes
        for other in ("", "\\") if escape is None else (escape,):
            rival = _parse(text, Dialect(parse.dialect.delimiter, quote, other), whole=whole)
            if not (other or parse.dialect.escape) or (rival.fits, rival.width) < (parse.fits, parse.width):
                continue
            for before, after in _differences(parse, rival):
                reason = f"the text [{before[:LONGEST]}] may stand for [{after[:LONGEST]}], with other quotes"
                option = "--quote '\"', --quote \"'\" or --quote none, and --escape '\\' or --escape none"
                return [Guess("quotes", "as they are", Outcome.UNSURE, 1.0, reason, (), option, str(path))]
    return []


def _refused_quotes(path: Path, parse: Parse) -> list[Guess]:
    """A refusal where nearly all cells of a column still have quotes around them: these do not fit as quotes."""
    for name, cells in zip(parse.header, zip(*parse.rows, strict=True), strict=False):
        filled = [cell.strip() for cell in cells if cell.strip()]
        for mark in ('"', "'"):
            quoted = [cell for cell in filled if len(cell) > 1 and cell[0] == cell[-1] == mark]
            if filled and len(quoted) >= WRAPPED * len(filled):
                reason = (
                    f"the cells of {name.strip()!r} are in quotes, but some quotes within cells are not doubled, or a "
                    "space stands before an opening quote: write the file again with a CSV library"
                )
                option = "--quote none, or --quote '\"', if the quotes are part of the texts"
                return [Guess("quotes", None, Outcome.UNSURE, 1.0, reason, tuple(quoted[:2]), option, str(path))]
    return []


def _detect_escape(path: Path, text: str, dialect: Dialect, *, whole: bool) -> tuple[Dialect, list[Guess]]:
    """The dialect with or without a backslash as escape, and a question where both readings fit and differ."""
    plain, escaped = (_parse(text, replace(dialect, escape=escape), whole=whole) for escape in ("", "\\"))
    if plain.fits != escaped.fits and (plain.sound or escaped.sound):
        return max(plain, escaped, key=lambda parse: parse.fits).dialect, []
    shown = next(_differences(plain, escaped), None)
    if shown is None:
        return dialect, []
    likeliest = plain if "\\" in escaped.dialect.rewritten(text) else escaped  # who escapes leaves no backslash alone
    before, after = (re.sub(r"\s+", " ", cell)[:LONGEST] for cell in shown)
    question = Guess(
        subject="backslashes",
        value="escapes" if likeliest is escaped else "plain text",
        outcome=Outcome.UNSURE,
        reason=f"the text [{before}] may stand for [{after}], and the rows have as many cells either way",
        option="--escape '\\' where a backslash escapes, or --escape none",
        where=str(path),
    )
    return likeliest.dialect, [question]


def _differences(plain: Parse, escaped: Parse) -> Iterator[tuple[str, str]]:
    """Cells, or records, from the header on, in which two readings differ."""
    pairs = zip(plain.records[plain.skipped :], escaped.records[escaped.skipped :], strict=False)
    for one, other in pairs:
        before = [plain.dialect.restored_text(cell) for cell in one]
        after = [escaped.dialect.restored_text(cell) for cell in other]
        if len(before) == len(after):
            yield from ((cell, meant) for cell, meant in zip(before, after, strict=True) if cell != meant)
        else:
            yield plain.dialect.delimiter.join(before), escaped.dialect.delimiter.join(after)


def _parse(text: str, dialect: Dialect, *, whole: bool) -> Parse:
    lines = dialect.rewritten(text).splitlines(keepends=True) if "\r" not in text else _lines(dialect.rewritten(text))
    options: dict[str, Any] = {"quotechar": dialect.quote} if dialect.quote else {"quoting": csv.QUOTE_NONE}
    before = csv.field_size_limit(BLOCK)
    reader = csv.reader(lines, delimiter=dialect.byte, strict=bool(dialect.quote), **options)
    records: list[list[str]] = []
    sound = True
    try:
        records.extend(reader)
    except csv.Error:
        sound = not whole and reader.line_num >= len(lines)  # the text may end within a quoted cell
    finally:
        csv.field_size_limit(before)
    widths = Counter(len(record) for record in records if len(record) > 1)
    width = max(widths, key=lambda size: (widths[size], size), default=1)
    skipped = lines_above(records, width)
    filled = [record for record in records[skipped + 1 :] if record]
    share = sum(len(record) == width for record in filled) / max(len(filled), 1)
    return Parse(dialect, records, sound, width, share if sound else share * len(records) / max(len(lines), 1), skipped)


def _lines(text: str) -> list[str]:
    """Lines with their ends, by the ends that CSV knows: str.splitlines knows more."""
    return [line + "\n" for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]


def _is_wrapped(plain: Parse) -> bool:
    """Whether single quotes are around cells, and not apostrophes."""
    cells = [cell.strip() for record in plain.records for cell in record]
    starts = [cell for cell in cells if cell.startswith("'")]
    wrapped = [cell for cell in starts if len(cell) > 1 and cell.endswith("'")]
    if not wrapped or len(wrapped) < 0.9 * len(starts):
        return False
    rows = sum(any(len(c) > 1 and c[0] == c[-1] == "'" for c in record) for record in plain.records)
    return rows > len(plain.records) / 2 or any("''" in cell[1:-1] for cell in wrapped)


def _guesses(path: Path, parse: Parse, parses: Sequence[Parse]) -> list[Guess]:
    guesses = []
    if parse.skipped:
        shown = tuple(parse.dialect.delimiter.join(record) for record in parse.records[: parse.skipped] if record)[:2]
        reason = "not read" if shown else "blank"
        guesses.append(
            Guess(
                subject="lines above the header",
                value=str(parse.skipped),
                outcome=Outcome.CHECK,
                reason=reason,
                examples=shown,
                where=str(path),
            )
        )
    named = [name.strip() for name in parse.header]
    unnamed = sum(not name for name in named)
    double = sorted({name for name in named if name and named.count(name) > 1})
    if unnamed:
        guesses.append(Guess("columns without a name", f"{unnamed}, not read", Outcome.SURE, where=str(path)))
    if double:
        guesses.append(Guess("columns of the same name", ", ".join(double), Outcome.SURE, where=str(path)))
    rivals = [other for other in parses if other is not parse and other.fits >= (True, True, 0.95) and other.width > 2]
    if rivals:
        rows = tuple(parse.dialect.delimiter.join(row) for row in parse.rows[:2])
        reason = f"{rivals[0].dialect.delimiter!r} fits {rivals[0].share:.0%} of rows too"
        is_open = any((r.fits, r.width) == (parse.fits, parse.width) for r in rivals) and not are_names(parse.header)
        outcome = Outcome.UNSURE if is_open else Outcome.CHECK
        reason += "; write the file again with quotes around cells that hold it" if is_open else ""
        guesses.append(
            Guess("delimiter", repr(parse.dialect.delimiter), outcome, parse.share, reason, rows, "", str(path))
        )
    return guesses
