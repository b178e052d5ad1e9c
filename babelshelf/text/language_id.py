"""Which language a short text is in, by lingua: offline, its models are in the package.

A query is often too short to tell: one word, a brand, a number. So the answer is a confidence for each language, and
`Identified.contradicts` says that a declared language is wrong only where another one is clearly more likely. What
docs/data-report.md measures is this module.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

from lingua import ConfidenceValue, IsoCode639_1, Language, LanguageDetector, LanguageDetectorBuilder

from babelshelf.core.errors import InputError
from babelshelf.core.languages import LATIN, scripts

_LATIN_WORD = re.compile(r"[^\W\d_]*[A-Za-z\u00aa\u00ba\u00c0-\u024f\u1e00-\u1eff][^\W_]*")
_LETTER = re.compile(r"[^\W\d_]")
MIN_FOREIGN = 2  # letters of another script than Latin, or a sign such as Ω would decide
_LINGUA_CODE = {"no": "nb"}  # it knows Norwegian as its written forms, this is by far the most common


@dataclass(frozen=True)
class Tolerance:
    """From where on a declared language counts as contradicted.

    Attributes:
        min_letters: a text in Latin letters with fewer of them is never contradicted; another script tells at once.
        min_confidence: that the other language must have.
        ratio: the other language must be so many times as likely as the declared one.
    """

    min_letters: int
    min_confidence: float
    ratio: float


@dataclass(frozen=True)
class Identified:
    """How likely each language is for a text; the confidences sum to 1.

    Attributes:
        letters: letters of the text (no digits, no signs).
        foreign_script: whether the text has (two or more) letters of another script than Latin.
        confidences: by ISO 639-1 code, the most likely first.
    """

    letters: int
    foreign_script: bool
    confidences: dict[str, float]

    @cached_property
    def language(self) -> str:
        """The most likely language."""
        return next(iter(self.confidences))

    @property
    def confidence(self) -> float:
        """Of the most likely language."""
        return self.confidences[self.language]

    def contradicts(self, declared: str, tolerance: Tolerance) -> bool:
        """Whether another language is clearly more likely than the declared one.

        A text in Latin letters never contradicts a language of another script: brands and loans are written so.
        A declared language that was not among those to choose from is never contradicted.
        """
        if declared not in self.confidences or self.language == declared:
            return False
        if not self.foreign_script and (scripts(declared) != LATIN or self.letters < tolerance.min_letters):
            return False
        clear = self.confidence >= tolerance.ratio * self.confidences[declared]
        return clear and self.confidence >= tolerance.min_confidence


def supported(languages: Sequence[str]) -> list[str]:
    """Those of the ISO 639-1 codes that can be identified, each once, sorted."""
    known = {language.iso_code_639_1.name.lower() for language in Language.all()}
    return sorted(code for code in set(languages) if _LINGUA_CODE.get(code, code) in known)


def identify(texts: Sequence[str], languages: Sequence[str]) -> list[Identified | None]:
    """Identify the language of each text.

    Args:
        texts: queries or other short texts; in a text of two scripts, words in Latin letters count as names.
        languages: ISO 639-1 codes to choose from; those that are not `supported` are left out.

    Returns:
        In the order of `texts`; None for one without letters of a script that one of the languages is written in.

    Raises:
        InputError: fewer than two of the languages can be identified.
    """
    codes = supported(languages)
    if len(codes) < 2:
        raise InputError(f"of the languages {sorted(set(languages))}, two must be known to lingua to tell them apart")
    plain = [unicodedata.normalize("NFKC", text).casefold() for text in texts]
    own = [_LATIN_WORD.sub(" ", text) for text in plain]  # in letters of other scripts
    foreign = [len(_LETTER.findall(text)) >= MIN_FOREIGN for text in own]
    decisive = [rest if other else text for text, rest, other in zip(plain, own, foreign, strict=True)]
    found = _detector(tuple(codes)).compute_language_confidence_values_in_parallel(decisive)
    names = {_LINGUA_CODE.get(code, code): code for code in codes}
    return [
        Identified(len(_LETTER.findall(text)), other, _by_code(values, names)) if values[0].value > 0 else None
        for text, other, values in zip(plain, foreign, found, strict=True)
    ]


@cache
def _detector(codes: tuple[str, ...]) -> LanguageDetector:
    """For ISO 639-1 codes; it loads the models that it needs (some 20 MB a language) when they are needed."""
    found = [getattr(IsoCode639_1, _LINGUA_CODE.get(code, code).upper()) for code in codes]
    return LanguageDetectorBuilder.from_iso_codes_639_1(*found).build()


def _by_code(values: Sequence[ConfidenceValue], names: dict[str, str]) -> dict[str, float]:
    """Rounded: lingua adds up in an order that changes from run to run, and so do the last digits of its sums."""
    rounded = {names[value.language.iso_code_639_1.name.lower()]: round(value.value, 6) for value in values}
    return dict(sorted(rounded.items(), key=lambda item: (-item[1], item[0])))
