"""Find texts that are encoded once more than the file is: HTML, escapes, percent signs, mojibake, spreadsheet formulas.

They are read as they are, since a text may mean what it says; `babelshelf init` and `score` show them, with two rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from babelshelf.pairs.column_profiles import ColumnProfile
from babelshelf.pairs.guesses import Guess, Outcome
from babelshelf.pairs.rows import MOJIBAKE
from babelshelf.pairs.separators import ENTITIES

FEW = 0.002  # of the rows
MANY = 0.2


@dataclass(frozen=True)
class Encoding:
    """A way in which texts may be encoded.

    Attributes:
        name: for messages.
        pattern: of a text that is.
        fix: what decodes it.
        least: share of the rows from which on it is told.
    """

    name: str
    pattern: str
    fix: str
    least: float = FEW


HTML = "decode them, in Python with html.unescape"
TAGS = "take them out with an HTML parser"
URL = "decode them, in Python with urllib.parse.unquote_plus"
ENCODINGS = (
    Encoding("HTML entities", r"&(?:[A-Za-z]{2,8}|#\d{2,6}|#[xX][0-9A-Fa-f]{2,6});", HTML),
    Encoding("HTML tags", r"(?i)</?(?:b|i|u|em|strong|br|p|span|div|a|font|li|ul|mark|sub|sup|h[1-6])\b[^<>]*>", TAGS),
    Encoding("escapes", r"\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}", "write the texts themselves"),
    Encoding("percent-encoding", r"%20|%[C-E][0-9A-F]%[89AB][0-9A-F]", URL),
    Encoding("mojibake", MOJIBAKE, "write the file again from texts that were decoded as UTF-8"),
    Encoding("formulas", r'^="[^"]*"$', "save the values of the sheet"),
    Encoding("apostrophes before the text", r"^'[^']*$", "take them away", MANY),
    Encoding("plus signs in place of spaces", r"^[^\s+]+(?:\+[^\s+]+)+$", URL, MANY),
    Encoding("underscores in place of spaces", r"^[^\s_]+(?:_[^\s_]+)+$", "put spaces in their place", MANY),
)


def guess_encoded(profile: ColumnProfile, where: str) -> Iterator[Guess]:
    """What is to be checked of the texts of a column; an entity that separates the levels of a path does not count."""
    plain = profile.sample.drop_nulls().str.replace_all(ENTITIES, ">")
    texts = pl.DataFrame({"text": profile.sample.drop_nulls(), "plain": plain})
    for encoding in ENCODINGS:
        found = texts.filter(pl.col("plain").str.contains(encoding.pattern))["text"]
        if len(found) and len(found) >= encoding.least * len(plain):
            reason = f"the texts are read with them: {encoding.fix}, if they are no part of the text"
            examples, share = tuple(found.head(2)), len(found) / len(plain)
            yield Guess(
                f"{encoding.name} in {profile.name!r}", "yes", Outcome.CHECK, share, reason, examples, "", where
            )
