"""Guess which column of a stranger's table is the query, the candidate, the label, and so on.

By name first (in English, close spellings too), then by what the values look like; for `babelshelf init`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from difflib import SequenceMatcher

import polars as pl

from babelshelf.core.languages import find
from babelshelf.text.keys import key

SYNONYMS = {
    "query": ["query", "origin query", "search term", "search query", "keyword", "keywords", "term", "q", "user query"],
    "qc": ["category path", "category", "categories", "path", "taxonomy", "category name", "breadcrumb", "candidate"],
    "qi": ["item title", "title", "product title", "item", "product", "product name", "item name", "name", "candidate"],
    "label": [
        *("label", "relevance", "relevant", "is relevant", "target", "y", "class", "score", "rating", "grade"),
        *("judgment", "judgement", "match", "gold", "answer", "esci label"),
    ],
    "language": ["language", "lang", "locale", "query language", "language code", "query locale", "product locale"],
    "split": ["split", "set", "fold", "partition", "subset"],
    "id": ["id", "row id", "uid", "pair id", "example id", "record id"],
}
POSITIVE = ("1", "true", "yes", "y", "t", "relevant", "positive", "pos", "exact", "e", "match", "good")
NEGATIVE = ("0", "false", "no", "n", "f", "irrelevant", "not relevant", "negative", "neg", "i", "no match", "bad", "-1")
GRADES = ("substitute", "complement", "s", "c")  # of Amazon's ESCI, beside exact and irrelevant
SEPARATORS = (">", "»", "/", "|", "\\", "::", ",")  # between the levels of a category path, the likeliest first
CLOSE = 0.8  # of two names
MOST = 0.9  # of the values
MANY_LABELS = 20
MANY_LANGUAGES = 80


@dataclass(frozen=True)
class Column:
    """A column of a sample.

    Attributes:
        name: as in the file.
        values: its texts, those that are not missing.
        share: of rows that have one.
        splits: what splits are called.
    """

    name: str
    values: pl.Series
    share: float
    splits: Collection[str]

    @property
    def distinct(self) -> pl.Series:
        """Unique values, folded."""
        return self.values.str.strip_chars().str.to_lowercase().unique()


def guess(sample: pl.DataFrame, task: str, known: dict[str, str], splits: Collection[str]) -> dict[str, str]:
    """`{role: column}` for the roles that are found.

    Args:
        sample: rows of the file, all columns as texts, null where a value is missing.
        task: `qc` or `qi`: what a candidate is.
        known: roles that the user named.
        splits: what splits are called.
    """
    columns = [_column(sample[name], splits) for name in sample.columns]
    found = dict(known)
    for role, looks in LOOKS.items():
        names = SYNONYMS[task if role == "candidate" else role]
        free = [column for column in columns if column.name not in found.values() and len(column.values)]
        scored = [(_closeness(column.name, names), column) for column in free if looks(column)]
        sure = [(score, column) for score, column in scored if score >= CLOSE]
        if role not in found and sure:
            found[role] = max(sure, key=lambda pair: pair[0])[1].name
    return _by_looks(columns, task, found)


def separator(candidates: pl.Series) -> str:
    """What stands between the levels of most category paths; "" where nothing does."""
    shares = {mark: _share(candidates.str.contains(mark, literal=True)) for mark in SEPARATORS}
    return next((mark for mark, share in shares.items() if share >= 0.5), "")


def is_split(column: Column) -> bool:
    """Whether the values are names of splits."""
    return set(column.distinct) <= set(column.splits)


def is_language(column: Column) -> bool:
    """Whether nearly all values name a language, and they are few."""
    counts = column.values.value_counts()
    few = counts.height <= MANY_LANGUAGES + 0.05 * len(column.values)
    known = counts.filter(
        pl.Series([find(value) is not None for value in counts[column.values.name]], dtype=pl.Boolean)
    )
    return few and known["count"].sum() >= MOST * len(column.values)


def is_label(column: Column) -> bool:
    """Whether nearly all values are words of relevance, or few numbers."""
    words = {*POSITIVE, *NEGATIVE, *GRADES}
    folded = column.values.str.strip_chars().str.to_lowercase()
    numbers = folded.cast(pl.Float64, strict=False)
    said = _share(folded.is_in(list(words))) >= MOST
    graded = _share(numbers.is_not_null()) >= MOST and numbers.drop_nulls().n_unique() <= MANY_LABELS
    return said or graded or len(column.distinct) == 2


def is_id(column: Column) -> bool:
    """Whether each row has a value of its own, without spaces."""
    unique = column.values.n_unique() == len(column.values)
    return unique and column.share == 1 and not column.values.str.contains(r"\s").any()


def is_text(column: Column) -> bool:
    """Whether most values have letters, and there are more of them than of classes."""
    letters = _share(column.values.str.contains(r"\p{L}{2}"))
    return letters >= 0.5 and not is_language(column) and not is_split(column)


# What the values of a role look like, in the order in which roles are given away.
LOOKS: dict[str, Callable[[Column], bool]] = {
    "split": is_split,
    "language": is_language,
    "candidate": is_text,
    "query": is_text,
    "label": lambda column: len(column.distinct) >= 2,
    "id": is_id,
}


def _by_looks(columns: list[Column], task: str, found: dict[str, str]) -> dict[str, str]:
    """Give the roles that no name told to columns that look like it, if just one does."""
    found = dict(found)
    for role, looks in (("language", is_language), ("label", is_label)):
        like = [column.name for column in columns if column.name not in found.values() and looks(column)]
        if role not in found and len(like) == 1:
            found[role] = like[0]
    texts = [c for c in columns if c.name not in found.values() and is_text(c) and not is_label(c)]
    for role in ("candidate", "query"):
        if role not in found and texts:
            texts.sort(key=lambda column: _candidate_like(column, task))
            found[role] = texts.pop(-1 if role == "candidate" else 0).name
    return found


def _candidate_like(column: Column, task: str) -> float:
    length = float(column.values.str.len_chars().sum()) / max(len(column.values), 1)
    return length + (1000 if task == "qc" and separator(column.values) else 0)


def _share(true: pl.Series) -> float:
    return float(true.sum()) / max(len(true), 1)


def _column(values: pl.Series, splits: Collection[str]) -> Column:
    return Column(values.name, values.drop_nulls(), 1 - values.null_count() / max(len(values), 1), splits)


def _closeness(name: str, synonyms: Collection[str]) -> float:
    """From 0 to 1; 1 for a synonym, a little less for one among other words."""
    plain = key(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " "))
    words = f" {plain} "
    scores = [SequenceMatcher(None, plain, synonym).ratio() for synonym in synonyms]
    within = [0.85 + len(synonym) / 1000 for synonym in synonyms if len(synonym) > 1 and f" {synonym} " in words]
    return max([*scores, *within])
