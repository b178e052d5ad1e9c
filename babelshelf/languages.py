"""The languages of the project: ISO 639-1 codes, English names, scripts, and other spellings of their codes."""

from __future__ import annotations

from babelshelf.errors import InputError

NAMES = {
    "en": "English",
    "fr": "French",
    "es": "Spanish",
    "ko": "Korean",
    "pt": "Portuguese",
    "ja": "Japanese",
    "de": "German",
    "it": "Italian",
    "pl": "Polish",
    "ar": "Arabic",
    "th": "Thai",
    "vi": "Vietnamese",
    "id": "Indonesian",
}

# Unicode script names as they begin the names of a script's letters; every other language here is written in Latin.
SCRIPTS = {
    "ko": ("HANGUL",),
    "ja": ("HIRAGANA", "KATAKANA", "CJK"),
    "ar": ("ARABIC",),
    "th": ("THAI",),
}

ALIASES = {"vn": "vi", "jp": "ja", "kr": "ko", "in": "id"}


def normalize(code: str, where: str) -> str:
    """ISO 639-1 code of a language tag such as `pt-BR`, `vn` or `ID`; `where` names the file and row for the error."""
    base = code.strip().lower().replace("_", "-").split("-")[0]
    base = ALIASES.get(base, base)
    if base not in NAMES:
        raise InputError(f"{where}: unknown language code {code!r}; known are {', '.join(NAMES)}")
    return base
