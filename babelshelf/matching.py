"""Self-supervised matching pairs: is this part of a text of that text? Unlabelled text alone makes them.

A pair's query is a few words of a text, changed as shoppers change them; its candidate is that text (answer yes) or
another that lacks a word of the query (answer no): half of these share words with the text, so that counting common
words is not enough.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from babelshelf.text import key

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

MOST_WORDS = 4  # of a query
NEAR_SHARE = 0.5  # of the negatives
EDITED_SHARE = 0.15  # of the queries' words


@dataclass(frozen=True)
class _Corpus:
    texts: Sequence[str]
    languages: Sequence[str]
    tasks: Sequence[str]
    words: Sequence[list[str]]  # of each text, as compared
    last: Sequence[list[str]]  # of each text's last level: what a category path is about
    texts_of: dict[str, list[int]]  # word -> texts that have it


def matching_pairs(texts: pl.DataFrame, count: int, rng: np.random.Generator) -> pl.DataFrame:
    """`count` pairs, half of them positive, from unlabelled text.

    Args:
        texts: columns `text`, `language`, `kind` (`query` or `candidate`).
        count: number of pairs.
        rng: source of all choices.

    Returns:
        Columns `id`, `task`, `language`, `query`, `candidate`, `label`.
    """
    corpus = _corpus(texts)
    rows = []
    while len(rows) < count:
        index = int(rng.integers(len(corpus.texts)))
        part = _part(corpus, index, rng)
        positive = len(rows) % 2 == 0
        candidate = index if positive else _other(corpus, index, part, rng)
        if candidate is None:
            continue
        rows.append(
            {
                "id": f"match-{len(rows)}",
                "task": corpus.tasks[candidate],
                "language": corpus.languages[index],
                "query": " ".join(_edited(word, rng) for word in part),
                "candidate": corpus.texts[candidate],
                "label": int(positive),
            }
        )
    return pl.DataFrame(rows)


def _corpus(texts: pl.DataFrame) -> _Corpus:
    texts = texts.sort("text", "language")
    values = texts["text"].to_list()
    words = [key(text).split() for text in values]
    kept = [index for index, found in enumerate(words) if found]
    texts_of: dict[str, list[int]] = defaultdict(list)
    for position, index in enumerate(kept):
        for word in words[index]:
            texts_of[word].append(position)
    return _Corpus(
        texts=[values[index] for index in kept],
        languages=[texts["language"][index] for index in kept],
        tasks=["qc" if " > " in values[index] else "qi" for index in kept],
        words=[words[index] for index in kept],
        last=[key(values[index].split(" > ")[-1]).split() for index in kept],
        texts_of=texts_of,
    )


def _part(corpus: _Corpus, index: int, rng: np.random.Generator) -> list[str]:
    words = corpus.last[index] or corpus.words[index]
    count = int(rng.integers(1, min(MOST_WORDS, len(words)) + 1))
    if rng.random() < 0.5:  # neighbours, as in a name of several words
        start = int(rng.integers(len(words) - count + 1))
        return words[start : start + count]
    return [words[i] for i in rng.permutation(len(words))[:count]]


def _other(corpus: _Corpus, index: int, part: Sequence[str], rng: np.random.Generator) -> int | None:
    """A text that lacks a word of `part`; null where eight draws find none."""
    wanted = set(part)
    for _ in range(8):
        near = rng.random() < NEAR_SHARE
        pool = corpus.texts_of[corpus.words[index][int(rng.integers(len(corpus.words[index])))]] if near else None
        other = pool[int(rng.integers(len(pool)))] if pool else int(rng.integers(len(corpus.texts)))
        if not wanted <= set(corpus.words[other]):
            return other
    return None


def _edited(word: str, rng: np.random.Generator) -> str:
    """The word, sometimes without its last letter or with two letters swapped."""
    if len(word) < 4 or not word.isalpha() or rng.random() >= EDITED_SHARE:
        return word
    if rng.random() < 0.5:
        return word[:-1]
    at = int(rng.integers(len(word) - 1))
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
