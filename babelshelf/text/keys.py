"""Text as it is stored (NFC) and as it is compared (a key that ignores case, width, punctuation and spaces)."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import cache

import polars as pl


def stored(text: str) -> str:
    """`text` in NFC, runs of white space made one space, stripped."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def key(text: str) -> str:
    """What two texts that a shopper would call the same have in common: NFKC, case-folded, words joined by a space.

    Letters, digits and combining marks are kept (marks carry the vowels of Thai and Arabic), all else separates.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join("".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in folded).split())


def keys(texts: pl.Series) -> pl.Series:
    """`key` of each text, many at once: the same strings for all characters that Python's Unicode knows."""
    return (
        texts.str.normalize("NFKC")
        .str.to_lowercase()
        .str.replace_many(_folds())
        .str.replace_all(r"[^\p{L}\p{M}\p{N}]+", " ")
        .str.strip_chars(" ")
        .alias("key")
    )


def each_once(column: pl.Series, function: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """What `function` makes of a column of texts, with each different text given to it once: for long columns.

    Args:
        column: texts (String or Categorical) or nulls.
        function: of unique texts (String), to a series as long.

    Returns:
        One value a row, null where the text is null; rows with the same text share the value in memory.
    """
    values = column.unique().drop_nulls()
    results = function(values.cast(pl.String))
    return column.replace_strict(values, results, default=None, return_dtype=results.dtype).alias(column.name)


@cache
def _folds() -> dict[str, str]:
    """Lower-case letters that case-folding changes all the same, such as ß."""
    letters = (chr(code) for code in range(0x1FFFF) if not 0xD800 <= code < 0xE000)
    return {letter: letter.casefold() for letter in letters if letter == letter.lower() != letter.casefold()}
