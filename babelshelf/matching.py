"""Self-supervised matching: is this part of a text of that text? Unlabelled text alone makes the questions.

A question's query is a few words, changed as shoppers change them, of the text itself or of another one; the answer is
yes where the text has all its words. Half of the other texts share a word with the text, so that counting common words
is not enough. Each text comes with several questions: a text is read once for all of them, which teaches matching
several times faster than a text a question.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from babelshelf.text import key

if TYPE_CHECKING:
    import polars as pl

MOST_WORDS = 4  # of a query
NEAR_SHARE = 0.5  # of the queries that are taken from another text
EDITED_SHARE = 0.15  # of the queries' words


@dataclass(frozen=True)
class Questions:
    """A text with queries about it.

    Attributes:
        language: of the text, ISO 639-1.
        text: what stands for the candidate.
        queries: parts of texts.
        answers: of each query, whether the text has all its words.
    """

    language: str
    text: str
    queries: list[str]
    answers: list[bool]


@dataclass(frozen=True)
class _Corpus:
    texts: Sequence[str]
    languages: Sequence[str]
    words: Sequence[list[str]]  # of each text, as compared
    last: Sequence[list[str]]  # of each text's last level: what a category path is about
    texts_of: dict[str, list[int]]  # word -> texts that have it


def matching_questions(texts: pl.DataFrame, count: int, questions: int, seed: int) -> list[Questions]:
    """`count` texts, drawn with replacement, with `questions` questions each, half of them about another text.

    Args:
        texts: columns `text` and `language`.
        count: number of texts.
        questions: number of questions about each.
        seed: of all choices.
    """
    corpus, rng = _corpus(texts), random.Random(seed)  # noqa: S311 - no secret
    return [_questions(corpus, rng.randrange(len(corpus.texts)), questions, rng) for _ in range(count)]


def _questions(corpus: _Corpus, index: int, count: int, rng: random.Random) -> Questions:
    has = set(corpus.words[index])
    parts = [_part(corpus, index if rng.random() < 0.5 else _other(corpus, index, rng), rng) for _ in range(count)]
    return Questions(
        language=corpus.languages[index],
        text=corpus.texts[index],
        queries=[" ".join(_edited(word, rng) for word in part) for part in parts],
        answers=[has.issuperset(part) for part in parts],
    )


def _corpus(texts: pl.DataFrame) -> _Corpus:
    texts = texts.sort("text", "language")
    values = [text for text in texts["text"].to_list() if key(text)]
    words = [key(text).split() for text in values]
    texts_of: dict[str, list[int]] = defaultdict(list)
    for index, found in enumerate(words):
        for word in found:
            texts_of[word].append(index)
    languages = dict(texts.select("text", "language").iter_rows())
    return _Corpus(
        texts=values,
        languages=[languages[text] for text in values],
        words=words,
        last=[key(text.split(" > ")[-1]).split() for text in values],
        texts_of=texts_of,
    )


def _part(corpus: _Corpus, index: int, rng: random.Random) -> list[str]:
    words = corpus.last[index] or corpus.words[index]
    count = rng.randint(1, min(MOST_WORDS, len(words)))
    if rng.random() < 0.5:  # neighbours, as in a name of several words
        start = rng.randrange(len(words) - count + 1)
        return words[start : start + count]
    return rng.sample(words, count)


def _other(corpus: _Corpus, index: int, rng: random.Random) -> int:
    if rng.random() < NEAR_SHARE:
        return rng.choice(corpus.texts_of[rng.choice(corpus.words[index])])
    return rng.randrange(len(corpus.texts))


def _edited(word: str, rng: random.Random) -> str:
    """The word, sometimes without its last letter or with two letters swapped."""
    if len(word) < 4 or not word.isalpha() or rng.random() >= EDITED_SHARE:
        return word
    if rng.random() < 0.5:
        return word[:-1]
    at = rng.randrange(len(word) - 1)
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
