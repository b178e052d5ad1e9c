"""The letters that a language is written with, and the encodings of one byte a letter that they come in.

Evidence for `pairs.encodings`: a file whose rows are said to be Polish is in the encoding in which its letters beyond
ASCII are Polish ones. Letters are those of the languages' alphabets and of their usual loan words.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping
from itertools import pairwise

from babelshelf.core.languages import scripts

WEST = ("cp1252", "iso8859_15", "mac_roman", "cp850")
CENTRAL = ("cp1250", "iso8859_2", "iso8859_16", "mac_latin2", "cp852")
CYRILLIC = ("cp1251", "koi8_r", "koi8_u", "iso8859_5", "mac_cyrillic", "cp866")
# Of each language, the likeliest first.
ENCODINGS: Mapping[str, tuple[str, ...]] = {
    "th": ("cp874",),
    "vi": ("cp1258",),
    "el": ("cp1253", "iso8859_7"),
    "tr": ("cp1254",),
    "he": ("cp1255", "iso8859_8"),
    **dict.fromkeys(("ar", "fa", "ur"), ("cp1256", "iso8859_6")),
    **dict.fromkeys(("ru", "uk", "bg", "be", "mk", "sr"), CYRILLIC),
    **dict.fromkeys(("pl", "cs", "sk", "hu", "hr", "sl", "ro", "sq", "bs"), CENTRAL),
    **dict.fromkeys(("lt", "lv", "et"), ("cp1257", "iso8859_13")),
    **dict.fromkeys(("de", "fr", "es", "pt", "it", "nl", "sv", "da", "no", "nb", "fi", "en", "id", "is", "ca"), WEST),
}
RUSSIAN = "абвгдеёжзийклмнопрстуфхцчшщъыьэюя"
NORDIC = "åäæöøéü"
LETTERS: Mapping[str, str] = {
    "pl": "ąćęłńóśźż",
    "cs": "áčďéěíňóřšťúůýžäöü",
    "sk": "áäčďéíĺľňóôŕšťúýž",
    "hu": "áéíóöőúüű",
    "hr": "čćđšž",
    "sl": "čšžćđ",
    "bs": "čćđšž",
    "ro": "ăâîșțşţ",
    "sq": "ëç",
    "lt": "ąčęėįšųūž",
    "lv": "āčēģīķļņšūž",
    "et": "äõöüšž",
    "tr": "çğıöşüâîûi̇",
    "de": "äöüßéèêàç",
    "fr": "àâæçéèêëîïôœùûüÿ",
    "es": "áéíñóúüàèç",
    "pt": "áàâãçéêíóôõúü",
    "it": "àèéìíîòóùú",
    "nl": "áäèéêëïíóöúü",
    "sv": NORDIC,
    "da": NORDIC,
    "no": NORDIC + "òô",
    "nb": NORDIC + "òô",
    "fi": NORDIC + "šž",
    "is": "áðéíóúýþæö",
    "ca": "àçèéíïòóúü·",
    "en": "éèêëàâäçîïñôöóüø",
    "id": "é",
    "ru": RUSSIAN,
    "uk": RUSSIAN + "іїєґ",
    "be": RUSSIAN + "іў",
    "bg": RUSSIAN,
    "mk": RUSSIAN + "ѓѕјљњќџѐѝ",
    "sr": RUSSIAN + "ђјљњћџ",
}
# Signs that texts of all languages have.
SIGNS = set("“”„‚‘’‹›«»–—…•·€£¥§©®™°²³¼½¾×÷±´¡¿ºª№µ\xa0\xad\u200e\u200f،؛؟")


def fit(text: str, languages: Collection[str]) -> float:
    """How well a decoded text fits some languages (ISO 639-1).

    Returns:
        The share of the letters beyond ASCII that belong to one of the languages, less that of capitals that follow a
        small letter, which the wrong Cyrillic encoding gives; 0 of a text without such letters.
    """
    text = unicodedata.normalize("NFC", text)
    counts = Counter(character for character in text if character >= "\x80" and character not in SIGNS)
    total = sum(counts.values())
    if not total:
        return 0.0
    known = {letter for language in languages for letter in LETTERS.get(language, "")}
    names = {name for language in languages if language not in LETTERS for name in scripts(language)}
    fitting = sum(count for character, count in counts.items() if _belongs(character, known, names))
    turned = sum(one.islower() and other.isupper() and other >= "\x80" for one, other in pairwise(text))
    return (fitting - turned) / total


def _belongs(character: str, letters: Collection[str], names: Collection[str]) -> bool:
    if character.lower() in letters:
        return True
    if names == {"LATIN"}:  # Vietnamese: Latin letters with marks
        return unicodedata.normalize("NFD", character)[0].lower() in "abcdefghijklmnopqrstuvwxyzđơư"
    return unicodedata.name(character, "").partition(" ")[0] in names
