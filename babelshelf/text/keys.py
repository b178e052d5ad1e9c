"""Normal forms of text: the stored form (NFC), and a key for comparison that ignores case, width and punctuation."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import cache

import polars as pl

# Default_Ignorable_Code_Point of Unicode 16 (DerivedCoreProperties.txt): what is not shown, such as zero-width spaces
# and joiners, direction marks, variation selectors and the soft hyphen.
_IGNORABLE_RANGES = (
    *((0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F)),
    *((0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF)),
    *((0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF)),
)
IGNORABLE = "".join(rf"\x{{{first:X}}}-\x{{{last:X}}}" for first, last in _IGNORABLE_RANGES)  # in a class of polars
_IGNORED = dict.fromkeys(code for first, last in _IGNORABLE_RANGES for code in range(first, last + 1))
# Without the two joiners, which Persian, Hindi and emoji are written with: stored texts keep them.
IGNORABLE_BUT_JOINERS = IGNORABLE.replace(r"\x{200B}-\x{200F}", r"\x{200B}\x{200E}\x{200F}")


def stored(text: str) -> str:
    """`text` in NFC, stripped, with each run of white space replaced by one space."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def key(text: str) -> str:
    """Key of a text, equal for texts that a shopper would call the same: NFKC, case-folded, words joined by a space.

    Letters, digits and combining marks are kept (marks carry the vowels of Thai and Arabic), invisible characters
    (`IGNORABLE`) are left out, all else separates.
    """
    folded = unicodedata.normalize("NFKC", text.translate(_IGNORED)).casefold()
    return " ".join("".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in folded).split())


def keys(texts: pl.Series) -> pl.Series:
    """`key` of each text; vectorized, with the same result for all characters in Python's Unicode version."""
    return (
        texts.str.replace_all(f"[{IGNORABLE}]", "")
        .str.normalize("NFKC")
        .str.to_lowercase()
        .str.replace_many(_folds())
        .str.replace_all(r"[^\p{L}\p{M}\p{N}]+", " ")
        .str.strip_chars(" ")
        .alias("key")
    )


def each_once(column: pl.Series, function: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """Apply a function to the unique texts of a column and map the results back.

    Args:
        column: texts (String or Categorical) or nulls.
        function: maps a series of unique texts (String) to a series of the same length.

    Returns:
        Shape (n_rows,); null where the text is null.
    """
    values = column.unique().drop_nulls()
    results = function(values.cast(pl.String))
    return column.replace_strict(values, results, default=None, return_dtype=results.dtype).alias(column.name)


@cache
def _folds() -> dict[str, str]:
    """Lower-case letters that case folding still changes, such as ß."""
    letters = (chr(code) for code in range(0x1FFFF) if not 0xD800 <= code < 0xE000)
    return {letter: letter.casefold() for letter in letters if letter == letter.lower() != letter.casefold()}
