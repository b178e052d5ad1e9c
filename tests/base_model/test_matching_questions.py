"""Self-made questions: their answers follow from their texts alone."""

from __future__ import annotations

import random
import re
from itertools import pairwise

import polars as pl
import pytest

from babelshelf.base_model.matching_questions import Questions, matching_questions
from babelshelf.core.rows import LEVEL
from babelshelf.text.keys import key

RNG = random.Random(7)
# words with a digit are never edited, so that a query's words are just those asked for
WORDS = [f"w{number}" for number in range(40)]
TITLES = [" ".join(RNG.sample(WORDS, 6)) for _ in range(60)]
PATHS = [f"Top {number % 3} > Mid {number % 7} > {' '.join(RNG.sample(WORDS, 2))}" for number in range(60)]
BESIDE = ["x1", "x2", "x3", "x4"]
QUERIES = ["x1 x2", "x3", "x2 x3 x4 x1"]


def table(candidates: list[str], queries: list[str]) -> pl.DataFrame:
    kinds = ["candidate"] * len(candidates) + ["query"] * len(queries)
    return pl.DataFrame({"text": candidates + queries, "kind": kinds}).with_columns(
        language=pl.when(pl.col("text").str.contains("1")).then(pl.lit("fr")).otherwise(pl.lit("en"))
    )


def made(seed: int = 1, *, count: int = 300) -> list[Questions]:
    return matching_questions(table(TITLES + PATHS, QUERIES), count, 5, seed)


def asked_for(one: Questions) -> set[str]:
    """Words that the text has to offer: a path's last level, or a title."""
    return set(key(one.text.split(LEVEL)[-1]).split())


def test_the_answer_is_yes_just_where_all_words_asked_for_are_in_the_text() -> None:
    for one in made():
        for query, answer in zip(one.queries, one.answers, strict=True):
            words = [word for word in query.split() if word not in BESIDE]
            assert words
            assert answer == asked_for(one).issuperset(words), (one.text, query)


def test_about_half_of_the_answers_are_yes() -> None:
    answers = [answer for one in made(count=1000) for answer in one.answers]
    assert 0.45 < sum(answers) / len(answers) < 0.6


def test_only_a_path_is_asked_about_among_words_of_other_queries() -> None:
    with_others = {LEVEL in one.text for one in made() for query in one.queries if set(BESIDE) & set(query.split())}
    assert with_others == {True}


def test_paths_and_titles_are_equally_many_and_each_has_all_its_questions() -> None:
    texts = made(count=100)
    assert sum(LEVEL in one.text for one in texts) == 50
    assert all(len(one.queries) == len(one.answers) == 5 for one in texts)


def test_a_text_without_a_word_is_never_asked_about_and_moves_no_language() -> None:
    wordless = ["—", "Top 1 > Mid 1 > &", *(f"!{'?' * number}" for number in range(20))]
    asked = matching_questions(table(wordless + TITLES + PATHS, QUERIES), 300, 5, 1)
    assert {one.text for one in asked} <= {*TITLES, *PATHS}
    assert all((one.language == "fr") == ("1" in one.text) for one in asked)


def test_a_text_keeps_its_language() -> None:
    texts = made()
    assert all((one.language == "fr") == ("1" in one.text) for one in texts)
    assert {one.language for one in texts} == {"en", "fr"}


@pytest.mark.parametrize("path", ["", "Group {group} > "])
def test_wrong_questions_are_often_about_a_near_text(path: str) -> None:
    """Of forty groups of texts with a word or a level in common; without `near`, one question in forty would be."""
    shared = "{group}x {group}y " if not path else ""
    texts = [(path + shared).format(group=group) + f"{group}n{number}" for group in range(40) for number in range(10)]
    wrong = [
        (re.findall(r"\d+", one.text)[0], re.findall(r"\d+", query)[0])
        for one in matching_questions(table(texts, []), 400, 5, 1)
        for query, answer in zip(one.queries, one.answers, strict=True)
        if not answer
    ]
    assert sum(group == other for group, other in wrong) / len(wrong) > 0.2


@pytest.mark.parametrize("text", ["shoes", "Home > shoes"])
def test_words_are_edited_as_shoppers_write_them_and_the_answer_stays(text: str) -> None:
    texts = matching_questions(table([text], []), 400, 1, 1)
    swapped = {"".join([*"shoes"[:at], b, a, *"shoes"[at + 2 :]]) for at, (a, b) in enumerate(pairwise("shoes"))}
    seen = {one.queries[0] for one in texts}
    assert {"shoes", "shoe"} < seen <= {"shoes", "shoe"} | swapped
    assert all(one.answers == [True] for one in texts)


def test_the_seed_decides_all_and_the_order_of_the_rows_nothing() -> None:
    rows = table(TITLES + PATHS, QUERIES)
    assert made(1) == matching_questions(rows.sample(fraction=1, shuffle=True, seed=3), 300, 5, 1)
    assert made(1) != made(2)
