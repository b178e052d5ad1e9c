"""The rule for guesses: sure, to be checked, or an error that names the option."""

from __future__ import annotations

import pytest

from babelshelf.core.errors import InputError
from babelshelf.pairs.guesses import Guess, Outcome, percent, resolve

SURE = Guess("encoding", "utf-8", Outcome.SURE)
CHECK = Guess(
    *("encoding", "cp1250", Outcome.CHECK, 0.98, "no UTF-8"),
    examples=("żółty", "łóżko", "koń"),
    option="--encoding NAME",
)
UNSURE = Guess(
    *("label column", "relevance", Outcome.UNSURE, 0.5, "score or relevance"),
    examples=("1", "16.5"),
    option="--column label=NAME",
    where="pairs.csv",
)
REFUSED = Guess("candidate column", None, Outcome.UNSURE, reason="only ids", where="pairs.csv")


def test_what_is_sure_takes_a_line_and_what_is_not_shows_two_examples_and_the_option() -> None:
    sure, check = resolve([SURE, CHECK])
    assert sure == "  encoding: utf-8"
    assert check == (
        "check: encoding: cp1250 (no UTF-8, 98% of rows); for example 'żółty' and 'łóżko'; --encoding NAME changes it"
    )


def test_all_questions_are_asked_at_once_and_yes_takes_the_likeliest() -> None:
    with pytest.raises(InputError) as error:
        resolve([SURE, UNSURE, Guess("language", "de", Outcome.UNSURE, reason="no column")])
    asked = error.value.message.splitlines()
    assert asked[0] == (
        "pairs.csv: label column: score or relevance; for example '1' and '16.5'; the likeliest answer is 'relevance'"
        ": say --column label=NAME"
    )
    assert asked[1].startswith("language: no column")
    assert "--yes" in asked[2]
    (taken,) = resolve([UNSURE], accept=True)
    assert taken.startswith("check: label column: relevance (score or relevance, 50% of rows)")


def test_a_refusal_stays_an_error() -> None:
    with pytest.raises(InputError, match=r"pairs\.csv: candidate column: only ids"):
        resolve([REFUSED], accept=True)


@pytest.mark.parametrize(
    ("share", "expected"), [(1.0, "100%"), (0.9999, "99.99%"), (0.0, "0%"), (0.001, "0.10%"), (0.5, "50%")]
)
def test_nearly_all_is_not_shown_as_all(share: float, expected: str) -> None:
    assert percent(share) == expected
