"""Language identification of short texts by lingua, whose models come with its package.

Many queries are too short to identify: one word, a brand, a number. Therefore the result is a confidence for each
language, and `Identification.contradicts` rejects a declared language only if another one is clearly more likely. For
its precision and recall, see docs/data-report.md.
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
MIN_NON_LATIN = 2  # letters; with one, a sign such as Ω would decide
_LINGUA_CODE = {"no": "nb"}  # lingua has the two written forms of Norwegian; Bokmål is far more common


@dataclass(frozen=True)
class Tolerance:
    """When a declared language counts as contradicted.

    Attributes:
        min_letters: minimum number of letters of a text in Latin script; other scripts need no minimum.
        min_confidence: minimum confidence of the other language.
        ratio: minimum ratio of the confidence of the other language to that of the declared one.
    """

    min_letters: int
    min_confidence: float
    ratio: float


@dataclass(frozen=True)
class Identification:
    """Confidences of the languages of a text; they sum to 1.

    Attributes:
        letters: number of letters in the text, without digits and signs.
        non_latin: whether the text has at least `MIN_NON_LATIN` letters of another script than Latin.
        confidences: by ISO 639-1 code, in descending order.
    """

    letters: int
    non_latin: bool
    confidences: dict[str, float]

    @cached_property
    def language(self) -> str:
        """The most likely language."""
        return next(iter(self.confidences))

    @property
    def confidence(self) -> float:
        """Confidence of the most likely language."""
        return self.confidences[self.language]

    def contradicts(self, declared: str, tolerance: Tolerance) -> bool:
        """Whether another language is clearly more likely than the declared one.

        Text in Latin letters never contradicts a language of another script, as brands and loan words are written in
        Latin letters. A declared language that was not among the candidates is never contradicted.
        """
        if declared not in self.confidences or self.language == declared:
            return False
        if not self.non_latin and (scripts(declared) != LATIN or self.letters < tolerance.min_letters):
            return False
        clear = self.confidence >= tolerance.ratio * self.confidences[declared]
        return clear and self.confidence >= tolerance.min_confidence


def supported(languages: Sequence[str]) -> list[str]:
    """The ISO 639-1 codes that lingua can identify, unique and sorted."""
    identifiable = {language.iso_code_639_1.name.lower() for language in Language.all()}
    return sorted(code for code in set(languages) if _LINGUA_CODE.get(code, code) in identifiable)


def identify(texts: Sequence[str], languages: Sequence[str]) -> list[Identification | None]:
    """Identify the language of each text.

    Args:
        texts: queries or other short texts; in a text of two scripts, words in Latin letters are ignored, as names.
        languages: candidates as ISO 639-1 codes; those that are not `supported` are ignored.

    Returns:
        In the order of `texts`; None for a text without letters of a script of one of the languages.

    Raises:
        InputError: fewer than two of the languages can be identified.
    """
    codes = supported(languages)
    if len(codes) < 2:
        raise InputError(f"of the languages {sorted(set(languages))}, two must be known to lingua to tell them apart")
    plain = [unicodedata.normalize("NFKC", text).casefold() for text in texts]
    without_latin = [_LATIN_WORD.sub(" ", text) for text in plain]
    non_latin = [len(_LETTER.findall(text)) >= MIN_NON_LATIN for text in without_latin]
    decisive = [rest if other else text for text, rest, other in zip(plain, without_latin, non_latin, strict=True)]
    confidences = _detector(tuple(codes)).compute_language_confidence_values_in_parallel(decisive)
    names = {_LINGUA_CODE.get(code, code): code for code in codes}
    return [
        Identification(len(_LETTER.findall(text)), other, _by_code(values, names)) if values[0].value > 0 else None
        for text, other, values in zip(plain, non_latin, confidences, strict=True)
    ]


@cache
def _detector(codes: tuple[str, ...]) -> LanguageDetector:
    """The detector of some ISO 639-1 codes; it loads its models (some 20 MB a language) on first use."""
    lingua_codes = [getattr(IsoCode639_1, _LINGUA_CODE.get(code, code).upper()) for code in codes]
    return LanguageDetectorBuilder.from_iso_codes_639_1(*lingua_codes).build()


def _by_code(values: Sequence[ConfidenceValue], names: dict[str, str]) -> dict[str, float]:
    """Confidences by ISO 639-1 code; rounded, as lingua's order of summation, and so the last digits, vary."""
    rounded = {names[value.language.iso_code_639_1.name.lower()]: round(value.value, 6) for value in values}
    return dict(sorted(rounded.items(), key=lambda item: (-item[1], item[0])))
