"""Text as it is stored (NFC) and as it is compared (a key that ignores case, width, punctuation and spaces)."""

from __future__ import annotations

import unicodedata


def stored(text: str) -> str:
    """`text` in NFC, runs of white space made one space, stripped."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def key(text: str) -> str:
    """What two texts that a shopper would call the same have in common: NFKC, case-folded, words joined by a space.

    Letters, digits and combining marks are kept (marks carry the vowels of Thai and Arabic), all else separates.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join("".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in folded).split())
