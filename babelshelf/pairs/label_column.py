"""Guess which column is the label: by its values over all rows first, then by its name."""

from __future__ import annotations

from babelshelf.pairs import column_names, label_names
from babelshelf.pairs.column_names import CLOSE, SYNONYMS, closeness, words_of
from babelshelf.pairs.column_profiles import ColumnProfile
from babelshelf.pairs.column_table import Found, InputTable, examples_of, guess_of, is_text
from babelshelf.pairs.guesses import Guess, Outcome
from babelshelf.pairs.label_meaning import Kind, kind
from babelshelf.pairs.language_values import are_languages


def guess_label(table: InputTable, free: list[ColumnProfile]) -> Found:
    """The label: by values first (words, two values, grades, numbers), then by name."""
    kinds = {one.name: kind(one.counts, one.shares["numbers"]) for one in free}
    # of "category label" the values must be words of relevance, or it names categories
    fits = [
        one
        for one in free
        if closeness(one.name, SYNONYMS["label"]) >= CLOSE
        and not column_names.is_id_name(one.name)
        and (kinds[one.name] == Kind.WORDS or not words_of(one.name) & label_names.OTHER_NOUNS)
        and (kinds[one.name] > Kind.OTHER or one.counts is not None)
    ]
    good = [one for one in fits if kinds[one.name] >= Kind.FEW_NUMBERS]
    inverse = [one for one in free if label_names.is_negated(one.name) or label_names.is_rank(one.name)]
    plain = [one for one in good if one not in inverse]
    plain.sort(  # of several, the likeliest is none that a model gave
        key=lambda one: (not label_names.is_prediction(one.name), closeness(one.name, SYNONYMS["label"])), reverse=True
    )
    if len(plain) > 1:
        names = ", ".join(one.name for one in plain)
        return [plain[0].name], guess_of(
            "label", plain[0], Outcome.UNSURE, table, f"which is the label? {names} could be"
        )
    if plain:
        is_predicted = label_names.is_prediction(plain[0].name)
        reason = "its name says that a model gave the labels" if is_predicted else ""
        outcome = Outcome.CHECK if is_predicted else Outcome.SURE
        return [plain[0].name], guess_of("label", plain[0], outcome, table, reason)
    if inverse:
        one = inverse[0]
        what = "a rank" if label_names.is_rank(one.name) else "the opposite of relevance"
        reason = f"the name {one.name!r} says {what}: if it is the label, name it, and the values that mean relevant"
        option = f"--column label={one.name} --positive VALUE"
        return [], Guess("label column", None, Outcome.UNSURE, 1.0, reason, examples_of(one), option, table.where)
    if fits:
        one = max(fits, key=lambda fit: (kinds[fit.name], closeness(fit.name, SYNONYMS["label"])))
        return [one.name], guess_of("label", one, Outcome.SURE, table)
    looks = [one for one in free if kinds[one.name] == Kind.WORDS and not _are_languages_only(one)]
    looks = looks or [one for one in free if kinds[one.name] == Kind.TWO_VALUES and not is_text(one)]
    looks = [one for one in looks if not words_of(one.name) & label_names.OTHER_NOUNS]
    if len(looks) == 1:
        return [looks[0].name], guess_of(
            "label", looks[0], Outcome.CHECK, table, "by its values; its name doesn't tell"
        )
    there = ", ".join(one.name for one in table.profiles)
    likeliest = [looks[0].name] if looks else []
    reason = f"which column is the label? There are {there}"
    return likeliest, Guess(
        "label column",
        looks[0].name if looks else None,
        Outcome.UNSURE,
        1.0,
        reason,
        (),
        "--column label=NAME, or --only-positives if all rows are relevant, such as clicks",
        table.where,
    )


def _are_languages_only(profile: ColumnProfile) -> bool:
    """Whether the values are languages and no words of relevance (`no` is both)."""
    return are_languages(profile.counts) and len(profile.values) > 2
