"""Longest match over a glossary, offline, from any of its languages into any other.

A glossary is a TSV file: a header of language codes (`en` among them), a term a line, one name a cell, empty where a
language has none. A lexicon knows no grammar: the order of words is the source's, inflected forms are other words, and
what the glossary does not name (brands, models, numbers, units, unknown words) is left as it is and reported.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from babelshelf.core.errors import InputError
from babelshelf.core.languages import normalize
from babelshelf.core.partial_work import code, fingerprint
from babelshelf.text.keys import stored
from babelshelf.text.words import spans, words
from babelshelf.translate.translator import Translation

if TYPE_CHECKING:
    from babelshelf.translate.params import TranslateParams

Term = tuple[str, ...]


@dataclass(frozen=True)
class Glossary:
    """Terms in several languages.

    Attributes:
        terms: one dict a term, `{language: name}`, languages without a name left out.
        languages: the columns of the file.
        duplicates: `{language: terms whose name an earlier term has too}`; the earlier one wins.
    """

    terms: list[dict[str, str]]
    languages: list[str]
    duplicates: dict[str, int]


@dataclass(frozen=True)
class PhraseTable:
    """One direction of a glossary.

    Attributes:
        names: the target language's name of a term, given as the words of its name in the source language.
        lengths: how many words the terms with a given first word have, longest first.
    """

    names: dict[Term, str]
    lengths: dict[str, list[int]]


class LexiconTranslator:
    """Translates what a glossary names.

    Args:
        glossary: the terms.
        identity: what the translations depend on, see `Translator`.
    """

    limits_length = False

    def __init__(self, glossary: Glossary, identity: str) -> None:
        self.identity = identity
        self._glossary = glossary
        self._tables: dict[tuple[str, str], PhraseTable] = {}

    @property
    def counts(self) -> Mapping[str, int]:
        """Terms of the glossary, and the names in it that an earlier term has too."""
        glossary = self._glossary
        return {"terms": len(glossary.terms), "duplicate_names": sum(glossary.duplicates.values())}

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[Translation]:
        """Replace each term by its name in `target`.

        Raises:
            InputError: the glossary has no column of `source` or `target`.
        """
        table = self._table(source, target)
        return [replace_terms(text, table) for text in texts]

    def close(self) -> None:
        """It has started nothing."""

    def _table(self, source: str, target: str) -> PhraseTable:
        for language in (source, target):
            if language not in self._glossary.languages:
                known = ", ".join(self._glossary.languages)
                raise InputError(f"translate.glossary has no column {language!r}, only {known}: add it")
        pair = (source, target)
        if pair not in self._tables:
            self._tables[pair] = phrase_table(self._glossary, source, target)
        return self._tables[pair]


def load(settings: TranslateParams, glossary: Path) -> LexiconTranslator:
    """The translator of a glossary file; its identity holds the file and this code, so neither can serve stale work."""
    return LexiconTranslator(read_glossary(glossary), f"lexicon/{fingerprint(*code(), glossary)}")


def read_glossary(path: Path) -> Glossary:
    """Read and check a glossary.

    Raises:
        InputError: no such file, no column `en`, an unknown or repeated language, or a line that is not UTF-8, has
            another number of cells than the header, or holds several names in a cell; the message has the line.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; translate.glossary names it")
    lines = path.read_bytes().removeprefix(b"\xef\xbb\xbf").splitlines()
    languages = _header(_cells(lines[0], f"{path}, line 1") if lines else [], path)
    terms = [
        _term(line, languages, f"{path}, line {number}")
        for number, line in enumerate(lines[1:], start=2)
        if line.strip()
    ]
    return Glossary(terms, languages, {language: _duplicates(terms, language) for language in languages})


def phrase_table(glossary: Glossary, source: str, target: str) -> PhraseTable:
    """The direction `source` to `target`: terms that have a name in both."""
    names: dict[Term, str] = {}
    for term in glossary.terms:
        if source in term and target in term:
            names.setdefault(tuple(words(term[source])), term[target])
    lengths: dict[str, set[int]] = {}
    for found in names:
        lengths.setdefault(found[0], set()).add(len(found))
    return PhraseTable(names, {first: sorted(known, reverse=True) for first, known in lengths.items()})


def replace_terms(text: str, table: PhraseTable) -> Translation:
    """Replace, from left to right, the longest term that begins at each word; all else stays, in NFKC."""
    text = unicodedata.normalize("NFKC", text)
    found = spans(text)
    keys = tuple(word for _, _, word in found)
    pieces: list[str] = []
    untranslated: list[str] = []
    index = done = 0
    while index < len(found):
        length = _longest(keys, index, table)
        if length == 0:
            untranslated.append(keys[index])
            index += 1
            continue
        start, end = found[index][0], found[index + length - 1][1]
        gap_before = " " if index and found[index - 1][1] == start else ""
        gap_after = " " if index + length < len(found) and found[index + length][0] == end else ""
        pieces += [text[done:start], gap_before, table.names[keys[index : index + length]], gap_after]
        index, done = index + length, end
    pieces.append(text[done:])
    return Translation(stored("".join(pieces)), tuple(untranslated))


def _longest(keys: Term, index: int, table: PhraseTable) -> int:
    """Length in words of the longest term that begins at `index`, 0 where none does."""
    lengths = table.lengths.get(keys[index], [])
    starts = (keys[index : index + length] for length in lengths)  # the text may end before a long term does
    return next((len(start) for start in starts if start in table.names), 0)


def _cells(line: bytes, where: str) -> list[str]:
    try:
        return [stored(cell) for cell in line.decode("utf-8").split("\t")]
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: not UTF-8 ({error.reason}): save the file as UTF-8") from error


def _header(cells: list[str], path: Path) -> list[str]:
    languages = [normalize(cell, f"{path}, line 1") for cell in cells]
    if "en" not in languages:
        raise InputError(f"{path}, line 1: no column 'en': the header must be language codes separated by tabs")
    repeated = [language for language, count in Counter(languages).items() if count > 1]
    if repeated:
        raise InputError(f"{path}, line 1: the column {repeated[0]!r} is there twice: keep one")
    return languages


def _term(line: bytes, languages: list[str], where: str) -> dict[str, str]:
    cells = _cells(line, where)
    if len(cells) != len(languages):
        raise InputError(f"{where}: {len(cells)} cells, but the header has {len(languages)}: separate them by tabs")
    term = dict(zip(languages, cells, strict=True))
    several = [name for name in cells if "|" in name]
    if several:
        raise InputError(f"{where}: {several[0]!r} is more than one name: a glossary has one name a cell")
    return {language: name for language, name in term.items() if words(name)}


def _duplicates(terms: list[dict[str, str]], language: str) -> int:
    names = [tuple(words(term[language])) for term in terms if language in term]
    return len(names) - len(set(names))
