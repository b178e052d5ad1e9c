"""Self-supervised matching: are these words about that text? Unlabelled text alone makes the questions.

The texts are the catalogue's candidates. Of an item title a question asks for a few words, which must all be in it; of
a category path for its last level, among words of other texts, as a shopper's query names more than a category. A
question's words come from the text itself or from another one, half of the time from one that shares a word or a level
with it. Each text comes with several questions, and is read once for all of them.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from babelshelf.core.rows import LEVEL
from babelshelf.text.keys import key, keys

MOST_WORDS = 4  # of a title that a question asks for
MOST_OTHERS = 3  # words beside the category's own
NEAR_SHARE = 0.5  # of the questions that are about another text
EDITED_SHARE = 0.1  # of the words: the last letter lost, or two letters swapped
SINGULAR_SHARE = 0.4  # of the words that end in s


@dataclass(frozen=True)
class Questions:
    """A text with queries about it.

    Attributes:
        task: `qc` where the text is a category path, `qi` where it is an item title.
        language: of the text, ISO 639-1.
        text: what stands for the candidate.
        queries: words that a shopper could type.
        answers: of each query, whether the text has all that it asks for.
    """

    task: str
    language: str
    text: str
    queries: list[str]
    answers: list[bool]


@dataclass(frozen=True)
class _Pool:
    """Texts of one kind: all paths or all titles."""

    texts: Sequence[str]
    languages: Sequence[str]
    words: Sequence[list[str]]  # that a question may ask for: a title's, or a path's last level
    near: dict[str, list[int]]  # a word, or a path's level -> texts that have it
    keys: Sequence[list[str]]  # of each text into `near`


def matching_questions(texts: pl.DataFrame, count: int, questions: int, seed: int) -> list[Questions]:
    """`count` texts, drawn with replacement, with `questions` questions each.

    Args:
        texts: columns `text`, `language` and `kind`; rows of kind `candidate` are asked about, the words of the others
            (`query`) stand beside a category's own. Paths and titles are drawn equally often, where there are both.
        count: number of texts.
        questions: number of questions about each.
        seed: of all choices.
    """
    rng = random.Random(seed)
    candidates = texts.filter(pl.col("kind") == "candidate").sort("text", "language")
    candidates = candidates.filter(keys(candidates["text"].str.split(LEVEL).list.last()) != "")  # nothing to ask for
    is_path = pl.col("text").str.contains(LEVEL, literal=True)
    pools = [_pool(part) for part in (candidates.filter(is_path), candidates.filter(~is_path)) if part.height]
    others = [key(text).split() for text in texts.filter(pl.col("kind") == "query")["text"].sort()]
    return [_ask(pools[number % len(pools)], questions, others, rng) for number in range(count)]


def _ask(pool: _Pool, count: int, others: Sequence[list[str]], rng: random.Random) -> Questions:
    index = rng.randrange(len(pool.texts))
    path = LEVEL in pool.texts[index]
    parts = [_part(pool.words[index if rng.random() < 0.5 else _other(pool, index, rng)], rng) for _ in range(count)]
    return Questions(
        task="qc" if path else "qi",
        language=pool.languages[index],
        text=pool.texts[index],
        queries=[_query(part, others if path else (), rng) for part in parts],
        answers=[set(pool.words[index]).issuperset(part) for part in parts],
    )


def _pool(texts: pl.DataFrame) -> _Pool:
    values = texts["text"].to_list()
    words = [key(text.split(LEVEL)[-1]).split() for text in values]
    keys = [text.split(LEVEL)[:-1] or found for text, found in zip(values, words, strict=True)]
    near: dict[str, list[int]] = defaultdict(list)
    for index, found in enumerate(keys):
        for one in found:
            near[one].append(index)
    return _Pool(texts=values, languages=texts["language"].to_list(), words=words, near=near, keys=keys)


def _other(pool: _Pool, index: int, rng: random.Random) -> int:
    if rng.random() < NEAR_SHARE:
        return rng.choice(pool.near[rng.choice(pool.keys[index])])
    return rng.randrange(len(pool.texts))


def _part(words: list[str], rng: random.Random) -> list[str]:
    count = rng.randint(1, min(MOST_WORDS, len(words)))
    if rng.random() < 0.5:  # neighbours, as in a name of several words
        start = rng.randrange(len(words) - count + 1)
        return words[start : start + count]
    return rng.sample(words, count)


def _query(part: list[str], others: Sequence[list[str]], rng: random.Random) -> str:
    words = [_edited(word, rng) for word in part]
    if others:
        beside = rng.choice(others)
        beside = rng.sample(beside, min(rng.randint(0, MOST_OTHERS), len(beside)))
        before = rng.randint(0, len(beside))
        words = [*beside[:before], *words, *beside[before:]]
    return " ".join(words)


def _edited(word: str, rng: random.Random) -> str:
    if len(word) < 4 or not word.isalpha():
        return word
    if word.endswith("s") and rng.random() < SINGULAR_SHARE:
        return word[:-1]
    if rng.random() >= EDITED_SHARE:
        return word
    if rng.random() < 0.5:
        return word[:-1]
    at = rng.randrange(len(word) - 1)
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
