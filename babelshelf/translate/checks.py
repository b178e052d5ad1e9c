"""Checks of translated queries; the first that one fails is the reason why it is dropped."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import polars as pl

from babelshelf.core.languages import LATIN, scripts
from babelshelf.text.keys import key
from babelshelf.text.language_id import Identification, Tolerance
from babelshelf.text.words import words

# Symbols are the same in every language; words are what shoppers of the 13 languages write instead.
UNITS = {
    "ml": "ml مل ملي มล ミリリットル 미리",
    "cl": "cl",
    "l": "l liter liters litre litres litro litros litri litr litry litrów lít لتر ลิตร リットル 리터",
    "mg": "mg مجم มก ミリグラム 밀리그램",
    "g": "g gr gram grams gramm grammes gramos gramas grammi جرام غرام กรัม グラム 그램",
    "kg": "kg kilo كيلو كجم กก กิโล キログラム キロ 킬로그램 킬로",
    "mm": "mm مم มม ミリ 밀리미터",
    "cm": "cm سم ซม センチ 센티 센치",
    "m": "m meter meters metre metres mètre mètres metro metros metri metr metry metrów mét متر เมตร メートル 미터",
    "gb": "gb go giga جيجا جيجابايت ギガ 기가",
    "tb": "tb تيرا テラ 테라",
    "inch": '" inch inches inci pouce pouces pulgada pulgadas polegada polegadas zoll pollice pollici cal cali'
    " بوصة انش นิ้ว インチ 인치",
    "w": "w watt watts vatios واط وات วัตต์ ワット 와트",
    "v": "v volt volts voltios vôn فولت โวลต์ ボルト 볼트",
    "mah": "mah",
}
UNIT_OF = {key(spelling) or spelling: unit for unit, spellings in UNITS.items() for spelling in spellings.split()}
# A spelling in letters that touch (Latin, Arabic) ends where no letter follows; one in an unspaced script needs no end.
_BOUNDED = "|".join(sorted((s for s in UNIT_OF if ord(s[-1]) < 0x0E00), key=len, reverse=True))
_UNBOUNDED = "|".join(sorted((s for s in UNIT_OF if ord(s[-1]) >= 0x0E00), key=len, reverse=True))
_UNIT = re.compile(rf"\d\s*(?:({_BOUNDED})(?![^\W_])|({_UNBOUNDED}))")

# A name is a Latin word that those who write another script type at least half as often as those who write Latin:
# brands and models stay as they are everywhere, while a common word is rare outside of its own languages.
NAME_RATIO = 0.5
NAME_QUERIES = 2  # once may be a code-mixed query or a wrong language code


@dataclass(frozen=True)
class Rules:
    """What the checks need to know beside a query and its translation.

    Attributes:
        names: words that no translator may change, see `find_names`.
        held_out: keys of the queries of dev and test, in all languages.
        min_translated: share of a query's words, without names, numbers and units, that must be translated.
        tolerance: of the check `language`.
        languages: that a translation could be in: all that are translated from or into.
        skipped: checks that are not made.
    """

    names: frozenset[str]
    held_out: frozenset[str]
    min_translated: float
    tolerance: Tolerance | None = None
    languages: Sequence[str] = ()
    skipped: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Case:
    """A query and its translation into `language`.

    Attributes:
        untranslated, complete: as in `Translation`.
        identified: the language that the translation seems to be in, None where none could be told.
    """

    query: str
    translation: str
    language: str
    untranslated: tuple[str, ...]
    complete: bool = True
    identified: Identification | None = None

    @cached_property
    def query_words(self) -> list[str]:
        """The query's words."""
        return words(self.query)

    @cached_property
    def translation_words(self) -> frozenset[str]:
        """The translation's words."""
        return frozenset(words(self.translation))


def failed_check(case: Case, rules: Rules) -> str | None:
    """Name of the first check of `CHECKS` that the translation fails, None where it passes all."""
    return next((name for name in made_checks(rules) if CHECKS[name](case, rules)), None)


def made_checks(rules: Rules) -> list[str]:
    """Names of the checks that are made, in their order."""
    return [name for name in CHECKS if name not in rules.skipped]


def find_names(queries: pl.DataFrame) -> frozenset[str]:
    """Brands and models, found by how evenly the languages use them (no list of brands is needed).

    Needs queries in at least one language that is not written in Latin; without any it finds none.

    Args:
        queries: unique queries, columns `language` and `query`.

    Returns:
        Latin words without digits that are in at least `NAME_QUERIES` queries of languages not written in Latin, and
        whose share of those queries is at least `NAME_RATIO` times their share of the queries of the others.
    """
    other, latin = Counter[str](), Counter[str]()
    n_other = n_latin = 0
    for language, query in queries.select("language", "query").iter_rows():
        latin_words = {word for word in words(query) if _is_latin(word) and word not in UNIT_OF}
        if scripts(language) != LATIN:
            n_other += 1
            other.update(latin_words)
        else:
            n_latin += 1
            latin.update(latin_words)
    return frozenset(
        word
        for word, count in other.items()
        if count >= NAME_QUERIES and count * n_latin >= NAME_RATIO * latin[word] * n_other
    )


def countable(found: Sequence[str], names: frozenset[str]) -> list[str]:
    """The words that a translation should change: all but names, numbers (words with a digit) and unit symbols."""
    return [word for word in found if word not in names and word not in UNITS and not _has_digit(word)]


def _incomplete(case: Case, rules: Rules) -> bool:
    """Cut off at the longest length that the backend allows, as where a model repeats itself."""
    return not case.complete


def _empty(case: Case, rules: Rules) -> bool:
    return not case.translation_words


def _unchanged(case: Case, rules: Rules) -> bool:
    """No word that the query does not have: the same query again, or only its names and numbers."""
    return case.translation_words <= set(case.query_words)


def _numbers(case: Case, rules: Rules) -> bool:
    return not _numbers_of(case.query) <= _numbers_of(case.translation)


def _units(case: Case, rules: Rules) -> bool:
    return not _units_of(case.query) <= _units_of(case.translation)


def _brands(case: Case, rules: Rules) -> bool:
    return not rules.names.intersection(case.query_words) <= case.translation_words


def _script(case: Case, rules: Rules) -> bool:
    """No letter of the language's own script, or a letter that is neither in it nor Latin (Greek: Ω, µ)."""
    own = set(scripts(case.language))
    found = {script for char in case.translation if (script := _script_of(char))}
    return not own & found or not found <= own | {"LATIN", "GREEK"}


def _untranslated(case: Case, rules: Rules) -> bool:
    all_words = countable(case.query_words, rules.names)
    left = countable(case.untranslated, rules.names)
    return len(all_words) - len(left) < rules.min_translated * len(all_words)


def _language(case: Case, rules: Rules) -> bool:
    """Another language is clearly more likely than the target."""
    if rules.tolerance is None or case.identified is None:
        return False
    return case.identified.contradicts(case.language, rules.tolerance)


def _leak(case: Case, rules: Rules) -> bool:
    return key(case.translation) in rules.held_out


CHECKS: dict[str, Callable[[Case, Rules], bool]] = {
    "incomplete": _incomplete,
    "empty": _empty,
    "unchanged": _unchanged,
    "numbers": _numbers,
    "units": _units,
    "brands": _brands,
    "script": _script,
    "untranslated": _untranslated,
    "language": _language,
    "leak": _leak,
}


def _numbers_of(text: str) -> Counter[str]:
    """Digit runs, with Arabic, Thai and full-width digits made plain."""
    return Counter("".join(str(unicodedata.digit(digit)) for digit in run) for run in re.findall(r"\d+", text))


def _units_of(text: str) -> Counter[str]:
    """Units that follow a number."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return Counter(UNIT_OF[bounded or unbounded] for bounded, unbounded in _UNIT.findall(folded))


@lru_cache(maxsize=100_000)
def _script_of(char: str) -> str:
    """First word of the Unicode name of a letter in NFKC (`º` is an o); empty for modifiers and all else."""
    plain = unicodedata.normalize("NFKC", char)[0]
    is_letter = unicodedata.category(plain) in {"Lu", "Ll", "Lt", "Lo"}
    return unicodedata.name(plain, "").split(" ")[0] if is_letter else ""


@lru_cache(maxsize=100_000)
def _is_latin(word: str) -> bool:
    return all(unicodedata.name(char, "").startswith("LATIN") for char in word)


@lru_cache(maxsize=100_000)
def _has_digit(word: str) -> bool:
    return any(char.isdigit() for char in word)
