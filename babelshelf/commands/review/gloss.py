"""An English gloss of a query, from what is there: a translation of the same row, or the glossary, word by word."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from babelshelf.commands.review.items import ReviewItem
from babelshelf.core.params import PARAMS_FILE, read
from babelshelf.text.words import words
from babelshelf.translate.backends.lexicon import LexiconTranslator, read_glossary

ENGLISH = "en"
LEAST_TRANSLATED = 0.5  # of the words; a gloss with fewer says nothing


@dataclass(frozen=True)
class Gloss:
    """English for a query.

    Attributes:
        text: the English.
        source: where it comes from: `translation` or `glossary`.
    """

    text: str
    source: str


class Glosses:
    """English glosses of the queries of rows.

    Args:
        rows: `ROW_SCHEMA`; of a row and its translations all have one meaning, and one of them may be English.
        glossary: the file `translate.glossary` of params.yaml; None without one.
    """

    def __init__(self, rows: pl.DataFrame, glossary: Path | None) -> None:
        related = rows.filter(pl.col("origin").is_in(["original", "translated"]))
        family = related.select("language", "query", family=pl.coalesce("parent_id", "id"))
        english = family.filter(language=ENGLISH).unique("family", keep="first", maintain_order=True)
        self._english = dict(english.select("family", "query").iter_rows())
        self._family = dict(rows.select("id", pl.coalesce("parent_id", "id")).iter_rows())
        self._lexicon = None
        if glossary is not None and glossary.is_file():
            self._lexicon = LexiconTranslator(read_glossary(glossary), identity="")
            self._languages = set(read_glossary(glossary).languages)

    def of(self, item: ReviewItem) -> Gloss | None:
        """The gloss of an item's query; None where there is none, or it is English."""
        if item.language == ENGLISH:
            return None
        if english := self._english.get(self._family.get(item.id, "")):
            return Gloss(english, "translation")
        return self._from_glossary(item)

    def _from_glossary(self, item: ReviewItem) -> Gloss | None:
        if self._lexicon is None or item.language not in self._languages:
            return None
        made = self._lexicon.translate([item.query], item.language, ENGLISH)[0]
        count = len(words(item.query))
        says_nothing = made.text.casefold() == item.query.casefold()
        if says_nothing or count == 0 or 1 - len(made.untranslated) / count < LEAST_TRANSLATED:
            return None
        return Gloss(made.text, "glossary")


def load_glosses(rows: pl.DataFrame) -> Glosses:
    """Glosses with the glossary that params.yaml names."""
    named = read(PARAMS_FILE).get("translate", {}).get("glossary")
    return Glosses(rows, Path(named) if named else None)
