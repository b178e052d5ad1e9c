"""What the values of a label column mean, from all rows: for `babelshelf init`.

Words of relevance speak for themselves. Grades get a threshold in the middle of their range, which is to be checked.
All else is a question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

import polars as pl

from babelshelf.core.errors import InputError
from babelshelf.pairs import label_words
from babelshelf.pairs.column_names import words_of
from babelshelf.pairs.guesses import Guess, Outcome, percent
from babelshelf.pairs.label_names import is_negated, is_rank
from babelshelf.pairs.labels import MISSING_WORDS, label_keys, label_numbers

FREQUENT = 0.02  # a value that fewer rows have, and that is no known word, counts as a bad one
MOST_VALUES = 100  # of labels: with more they are no classes
MOST_GRADES = 20
STRAY = 5  # times the range of all other numbers that a number is away from them
SHOWN = 20
DROP = "drop"  # the param labels.missing where many rows have no label
OPTION = "--positive VALUE"
POSITIVES = "--only-positives"
EVENTS = {"click", "clicks", "clicked", "purchase", "purchases", "purchased", "order", "orders", "sales", "sold"}
RANDOM_NEGATIVES = 1  # for each positive, where a file has positives alone


class Kind(IntEnum):
    """What the values of a column could say of relevance; the higher, the more they look like labels."""

    OTHER = 0
    MANY_NUMBERS = 1
    FEW_NUMBERS = 2
    TWO_VALUES = 3
    WORDS = 4


@dataclass(frozen=True)
class Meaning:
    """Params of the section `labels`, and the guess that they are."""

    params: dict[str, Any]
    guess: Guess


def kind(counts: pl.DataFrame | None, numbers: float) -> Kind:
    """What sort of labels some values are.

    Args:
        counts: `value` and `count`, over all rows; None of too many values.
        numbers: share of the values that are numbers.
    """
    if counts is None:
        return Kind.MANY_NUMBERS if numbers >= 1 - FREQUENT else Kind.OTHER
    values = _frequent(counts)
    folded = _folded(counts)
    said = int(folded.filter(_are_words(folded["value"]))["count"].sum())
    if said >= (1 - FREQUENT) * max(int(folded["count"].sum()), 1):
        return Kind.WORDS
    frequent = int(folded.filter(pl.col("value").is_in(values))["count"].sum())
    if len(values) == 2 and frequent >= (1 - FREQUENT) * int(folded["count"].sum()):
        return Kind.TWO_VALUES
    if numbers >= 1 - FREQUENT:
        different = label_numbers(pl.Series(values, dtype=pl.String)).drop_nulls().n_unique()
        return Kind.FEW_NUMBERS if counts.height <= MOST_GRADES and different > 1 else Kind.MANY_NUMBERS
    return Kind.OTHER


def meaning_of_positives(
    counts: pl.DataFrame | None, positive: Sequence[str], missing: str, name: str, where: str
) -> Meaning:
    """What labels mean where the user said that all rows are relevant: a value that says the opposite is refused.

    Args:
        counts: `value` and `count`, over all rows; None of too many values.
        positive: the values that the user named; none for all but zero, negative numbers and words such as `no`.
        missing: the param `labels.missing`.
        name: of the column; "" where there is none.
        where: the file.
    """
    params: dict[str, Any] = {"positive": [], "negative": [], "positive_from": "none", "missing": missing}
    params["random_negatives"] = RANDOM_NEGATIVES
    if not name:
        return Meaning(params, Guess("label values", "all rows are relevant", Outcome.SURE, where=where))
    column_option = "leave --only-positives out, or say --column label= if that column is no label"
    if counts is None:
        reason = f"{name!r} has too many different values for labels, so it can't be told that all rows are relevant"
        return Meaning(params, Guess("label values", None, Outcome.UNSURE, 1.0, reason, (), column_option, where))
    folded = _folded(counts).filter(~pl.col("value").is_in(MISSING_WORDS))
    values: list[str] = folded["value"].to_list()
    number = label_numbers(folded["value"])
    opposite = (number <= 0).fill_null(value=False) | label_words.negative(folded["value"])
    others = folded.filter(~folded["value"].is_in(label_keys(positive).to_list()) if positive else opposite)
    if others.height:
        share = int(others["count"].sum()) / int(folded["count"].sum())
        shown = ", ".join(others["value"].head(SHOWN))
        reason = f"--only-positives, but {percent(share)} of the labels in {name!r} are {shown}"
        return Meaning(params, Guess("label values", None, Outcome.UNSURE, 1.0, reason, (), column_option, where))
    numbers = number.drop_nulls()
    if len(values) > MOST_GRADES and len(numbers) == len(values):  # counts of clicks
        low = float(numbers.min())  # type: ignore[arg-type]
        params["positive_from"] = low
        answer = f"all rows are relevant ({len(values):,} values of {name!r} from {low:g} on)"
    else:
        params["positive"] = values
        answer = f"all rows are relevant ({', '.join(values[:SHOWN])})"
    return Meaning(params, Guess("label values", answer, Outcome.SURE, where=where))


def meaning_said(counts: pl.DataFrame, positive: Sequence[str], missing: str, name: str, where: str) -> Meaning:
    """What labels mean where the user said which are relevant: all others, however rare, are irrelevant.

    Raises:
        InputError: there are too many others, or no row has one of the relevant values.
    """
    yes = label_keys(positive).to_list()
    values = _folded(counts)["value"].to_list()
    no = [value for value in values if value not in yes and value not in MISSING_WORDS]
    if len(no) > MOST_VALUES:
        shown = ", ".join(no[:SHOWN])
        raise InputError(
            f"{where}: {len(no):,} values of {name!r} would mean irrelevant ({shown}, ...): is it the label?"
        )
    absent = [value for value in yes if value not in values]
    if len(absent) == len(yes):
        raise InputError(
            f"{where}: --positive {absent[0]}: no row has it in {name!r}; there are {', '.join(values[:SHOWN])}"
        )
    if not no:
        return _positives_alone(counts, missing, name, where)
    params = {"positive": yes, "negative": no, "positive_from": "none", "missing": missing, "random_negatives": 0}
    answer = f"{', '.join(yes)} relevant; {', '.join(no) or 'nothing'} irrelevant"
    others = pl.Series(no, dtype=pl.String)
    known = label_words.negative(others) | label_words.grade(others) | label_numbers(others).is_not_null()
    odd = others.filter(~known).to_list()
    outcome = Outcome.CHECK if odd else Outcome.SURE
    reason = f"{', '.join(odd[:SHOWN])} count as irrelevant" if odd else ""
    return Meaning(params, Guess("label values", answer, outcome, reason=reason, where=where))


def guess_meaning(counts: pl.DataFrame, missing: str, name: str, where: str) -> Meaning:
    """What the values of a label column mean.

    Args:
        counts: `value` and `count`, over all rows.
        missing: the param `labels.missing`.
        name: of the column.
        where: the file.
    """
    params: dict[str, Any] = {"positive": [], "negative": [], "positive_from": "none", "missing": missing}
    params["random_negatives"] = 0
    folded = _folded(counts)
    values = _frequent(counts)
    words = pl.Series(values, dtype=pl.String)
    yes, no, grades = (
        words.filter(are(words)).to_list() for are in (label_words.positive, label_words.negative, label_words.grade)
    )
    total = max(int(folded["count"].sum()), 1)
    share = int(folded.filter(pl.col("value").is_in(values))["count"].sum()) / total
    examples = tuple(f"{value} in {percent(count / total)} of rows" for value, count in folded.head(2).iter_rows())

    def meaning(answer: str | None, outcome: Outcome, reason: str = "", **changes: Any) -> Meaning:  # noqa: ANN401
        found = Guess("label values", answer, outcome, share, reason, examples, OPTION, where)
        return Meaning(params | changes, found)

    if is_negated(name) or is_rank(name):
        what = "that a pair is not relevant" if is_negated(name) else "a rank, of which 1 is the best"
        return meaning(None, Outcome.UNSURE, f"the name {name!r} says {what}: which values mean relevant?")
    numbers = folded.with_columns(number=label_numbers(folded["value"])).drop_nulls("number")
    is_graded = int(numbers["count"].sum()) >= (1 - FREQUENT) * total and numbers["number"].n_unique() > 1
    if yes and no and len(yes) + len(no) + len(grades) == len(values) and not (is_graded and share < 1 - FREQUENT):
        answer = f"{', '.join(sorted(yes))} relevant; {', '.join(sorted([*no, *grades]))} irrelevant"
        doubtful = [*grades, *(["-1", "0"] if {"-1", "0"} <= set(no) else [])]  # of both, one may mean unjudged
        outcome = Outcome.CHECK if doubtful else Outcome.SURE
        reason = f"{', '.join(doubtful)} count as irrelevant" if doubtful else ""
        return meaning(answer, outcome, reason, positive=sorted(yes), negative=sorted([*no, *grades]))
    if is_graded:
        from_grades, outcome, reason, low = _graded(numbers["number"], name)
        return meaning(from_grades, outcome, reason, positive_from=low)
    if len(values) == 1 and not no:
        return _positives_alone(counts, missing, name, where)
    shown = ", ".join(values[:SHOWN])
    return meaning(None, Outcome.UNSURE, f"which values of {name!r} mean relevant? There are {shown}")


def _graded(numbers: pl.Series, name: str) -> tuple[str | None, Outcome, str, float]:
    """What grades mean: the answer, how sure it is, the reason, and the lowest number that means relevant."""
    low, high = float(numbers.min()), float(numbers.max())  # type: ignore[arg-type]
    different = numbers.n_unique()
    if words_of(name) & EVENTS and low == 0 and different > 2:
        least = float(numbers.filter(numbers > 0).min())  # type: ignore[arg-type]
        reason = f"the numbers of {name!r} begin at 0: {least:g} and more may mean relevant"
        return f"relevant from {least:g} on", Outcome.UNSURE, reason, least
    if (stray := _stray(numbers)) is not None:
        reason = f"{stray:g} is far from the other numbers of {name!r}: if it stands for no label, empty those cells"
        return None, Outcome.UNSURE, reason, low
    if low < 0 and different > 2 and float(numbers.filter(numbers > low).min()) >= 0:  # type: ignore[arg-type]
        reason = f"{low:g} in {name!r} may stand for no label: then empty those cells"
        return f"relevant from {high / 2:g} on", Outcome.UNSURE, reason, high / 2
    outcome, reason = Outcome.CHECK, f"grades from {low:g} to {high:g}; labels.positive_from is the middle"
    if words_of(name) & EVENTS and low > 0:
        outcome = Outcome.UNSURE
        reason = f"the numbers of {name!r} begin at {low:g}: {POSITIVES}, if they count clicks and the like"
    elif different > MOST_GRADES:
        reason = f"{name!r} has {different:,} different numbers from {low:g} to {high:g}: is it the label?"
        outcome = Outcome.UNSURE
    elif different == 2 and low > 0:
        outcome = Outcome.UNSURE
        reason = f"the two values {low:g} and {high:g} don't say which of them means relevant"
    middle = (low + high) / 2
    return f"relevant from {middle:g} on", outcome, reason, middle


def _stray(numbers: pl.Series) -> float | None:
    """A number far from all others, such as 99 beside 0 and 1, which may stand for no label; None if none is."""
    values = numbers.unique().sort().to_list()
    if not 2 < len(values) <= MOST_GRADES:
        return None
    if values[-1] - values[-2] > STRAY * (values[-2] - values[0]):
        return float(values[-1])
    return float(values[0]) if values[1] - values[0] > STRAY * (values[-1] - values[1]) else None


def _positives_alone(counts: pl.DataFrame, missing: str, name: str, where: str) -> Meaning:
    """Labels that all mean relevant: a question, with the likeliest answer that the file has positives alone."""
    found = meaning_of_positives(counts, (), missing, name, where)
    reason = "no row is irrelevant: are these positive pairs alone, such as clicks? Then irrelevant ones are drawn"
    if missing == DROP:
        reason += f". Rows without a value in {name!r} are left out: if that means irrelevant, write 0 into those cells"
    return Meaning(found.params, replace(found.guess, outcome=Outcome.UNSURE, reason=reason, option=POSITIVES))


def missing_policy(present: int, rows: int) -> str:
    """The param `labels.missing`: rows without a label are left out where there are many."""
    return DROP if rows - present > FREQUENT * rows else "bad"


def _folded(counts: pl.DataFrame) -> pl.DataFrame:
    """The counts by what labels are compared by, the most frequent first, without the empty one."""
    keys = counts.with_columns(value=label_keys(counts["value"]))
    summed = keys.group_by("value").agg(pl.col("count").sum()).sort("count", "value", descending=[True, False])
    return summed.filter(pl.col("value") != "")


def _frequent(counts: pl.DataFrame) -> list[str]:
    """Values that are known words, or that many rows have, the most frequent first."""
    folded = _folded(counts)
    frequent = folded.filter(_are_words(folded["value"]) | (pl.col("count") >= FREQUENT * pl.col("count").sum()))
    values: list[str] = frequent["value"].to_list()
    return values


def _are_words(values: pl.Series) -> pl.Series:
    return label_words.positive(values) | label_words.negative(values) | label_words.grade(values)
