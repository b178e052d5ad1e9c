"""Words of a text in any script: the units of the lexicon and of the checks of translations."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from babelshelf.text.keys import key

# Letters of scripts written without spaces, or (Hangul) with few: Thai, kana, Han, Hangul.
_UNSPACED = (
    "\u0e01-\u0e33\u0e40-\u0e46"
    "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff"
    "\u3005\u3007\u3400-\u9fff\U00020000-\U0003ffff"
    "\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3"
)
_MARKS = "".join(char for char in map(chr, range(0x10000)) if unicodedata.category(char).startswith("M"))
WORD = re.compile(rf"[{_UNSPACED}][{_MARKS}]*|(?:[^\W_{_UNSPACED}]+|[{_MARKS}]+)+")


def spans(text: str) -> list[tuple[int, int, str]]:
    """Start, end and key of each word of `text`.

    A word is a run of letters, marks and digits. In scripts without spaces it is one letter with its marks, as word
    segmentation needs a dictionary there.
    """
    return [(*match.span(), _key(match.group())) for match in WORD.finditer(text)]


def words(text: str) -> list[str]:
    """Keys (`babelshelf.text.keys.key`) of the words of `text` (in NFKC), in order."""
    return [word for _, _, word in spans(unicodedata.normalize("NFKC", text))]


_key = lru_cache(maxsize=100_000)(key)
