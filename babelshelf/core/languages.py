"""Languages: ISO 639-1 codes from codes, tags and names, English names, and scripts.

The codes, tags and names are those of IANA's registry and CLDR, from the library langcodes.
"""

from __future__ import annotations

from functools import cache, lru_cache

import langcodes
from langcodes.tag_parser import LanguageTagError

from babelshelf.core.errors import InputError

# The languages of the demo and of the paper; sources that read data accept all of ISO 639-1.
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

# Common mistakes for a code: a country's code, a withdrawn code, or three letters where there is a shorter code.
ALIASES = {
    "vn": "vi",
    "jp": "ja",
    "kr": "ko",
    "cn": "zh",
    "cz": "cs",
    "dk": "da",
    "gr": "el",
    "ua": "uk",
    "in": "id",
    "iw": "he",
    "ji": "yi",
    "jw": "jv",
    "mo": "ro",
    "fil": "tl",
    "yue": "zh",
    "nan": "zh",
    "hak": "zh",
    "wuu": "zh",
}

# The first word of the Unicode names of the letters of each script (ISO 15924); all others count as Latin.
SCRIPT_NAMES = {
    "Arab": ("ARABIC",),
    "Armn": ("ARMENIAN",),
    "Beng": ("BENGALI",),
    "Cyrl": ("CYRILLIC",),
    "Deva": ("DEVANAGARI",),
    "Ethi": ("ETHIOPIC",),
    "Geor": ("GEORGIAN",),
    "Grek": ("GREEK",),
    "Gujr": ("GUJARATI",),
    "Guru": ("GURMUKHI",),
    "Hans": ("CJK",),
    "Hant": ("CJK",),
    "Hebr": ("HEBREW",),
    "Jpan": ("HIRAGANA", "KATAKANA", "CJK"),
    "Khmr": ("KHMER",),
    "Knda": ("KANNADA",),
    "Kore": ("HANGUL",),
    "Laoo": ("LAO",),
    "Mlym": ("MALAYALAM",),
    "Mymr": ("MYANMAR",),
    "Orya": ("ORIYA",),
    "Sinh": ("SINHALA",),
    "Taml": ("TAMIL",),
    "Telu": ("TELUGU",),
    "Thai": ("THAI",),
    "Tibt": ("TIBETAN",),
}
LATIN = ("LATIN",)

LONGEST = 60  # letters of a name


def normalize(text: str, where: str) -> str:
    """ISO 639-1 code of a language tag such as `pt-BR`, `vn` or `ID`; `where` names the file and row for the error."""
    code = find(text)
    if code is None:
        raise InputError(f"{where}: unknown language code {text!r}: write one of ISO 639-1, such as de, or pt-BR")
    return code


@lru_cache(10_000)
def find(text: str) -> str | None:
    """ISO 639-1 code of a code, tag or name of a language; None if it is none.

    Args:
        text: a code (`de`, `DEU`), a BCP 47 tag (`pt-BR`, `zh_Hant`), a common mistake (`vn`, `jp`), or a name in
            English or the language itself (`Portuguese`, `日本語`).
    """
    plain = text.strip().replace("_", "-")
    base = plain.lower().split("-")[0]
    code = ALIASES.get(base, base)
    return code if is_code(code) else _from_tag(plain) or _from_name(text.strip())


@lru_cache(10_000)
def is_code(text: str) -> bool:
    """Whether `text` is an ISO 639-1 code: two lower-case letters that name a language."""
    plain = len(text) == 2 and text.isascii() and text.isalpha() and text.islower() and text not in ALIASES
    return plain and langcodes.Language.make(language=text).is_valid()


@cache
def name(code: str) -> str:
    """English name of an ISO 639-1 code."""
    return NAMES.get(code) or langcodes.Language.make(language=code).display_name()


@cache
def scripts(code: str) -> tuple[str, ...]:
    """First words of the Unicode names of the letters of a language's script."""
    script = langcodes.Language.make(language=code).maximize().script
    return SCRIPT_NAMES.get(script or "", LATIN)


def number(code: str) -> int:
    """A distinct number for each code, for seeding random generators."""
    return list(NAMES).index(code) if code in NAMES else int.from_bytes(code.encode(), "big")


def _from_tag(tag: str) -> str | None:
    """Code of a tag such as `deu`; a language with a macrolanguage (`cmn`) counts as that (`zh`)."""
    try:
        code = langcodes.standardize_tag(tag, macro=True).split("-")[0]
    except LanguageTagError:
        return None
    code = ALIASES.get(code, code)
    return code if is_code(code) else None


def _from_name(words: str) -> str | None:
    """Code of a name; names of two or three letters are not looked up, as nearly all of them name some language."""
    if len(words) > LONGEST or (len(words) < 4 and words.isascii()) or not words.isprintable():
        return None
    try:
        code = langcodes.find(words).language
    except (LookupError, UnicodeError):  # UnicodeError: a name that its index can't hold
        return None
    return code if code and is_code(code) else None
