"""Guess which column of a table is the query, the candidate, the label, and so on, each with its evidence.

A name that is exactly what a role is called wins; then come similar names, then what the values look like over all
rows. Where two columns fit as well, or only the values speak, the guess is to be checked or asked (`pairs.guesses`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from babelshelf.pairs.column_names import CLOSE, EXACT, MARKET, SYNONYMS, closeness, words_of
from babelshelf.pairs.column_profiles import ColumnProfile
from babelshelf.pairs.column_table import Found, InputTable, examples_of, guess_of
from babelshelf.pairs.encoded_texts import guess_encoded
from babelshelf.pairs.guesses import Guess, Outcome
from babelshelf.pairs.label_column import guess_label
from babelshelf.pairs.label_meaning import Kind, kind
from babelshelf.pairs.language_values import are_languages, guess_languages, strange_scripts
from babelshelf.pairs.text_columns import guess_text, refused_text

MOST = 0.9  # of the rows with a value
FEW_SPLITS = 10  # different values of a column of splits, at most
# Of a language column, whose language it is, if not the query's.
NOT_OF_QUERIES = {"title", "item", "product", "candidate", "ui", "user", "interface", "seller", "titel", "produkt"}
OPTIONAL = ("language", "split", "id")


@dataclass(frozen=True)
class Roles:
    """`{role: columns}`, without the roles that no column has, and the guesses of them."""

    columns: dict[str, list[str]]
    guesses: list[Guess]


def guess_roles(table: InputTable, roles: Sequence[str]) -> Roles:
    """Which columns have these roles.

    Args:
        table: what is known.
        roles: of `query`, `candidate`, `label`, `language`, `split` and `id`.
    """
    columns = {role: list(names) for role, names in table.named.items() if role in roles}
    guesses = [guess for role, names in columns.items() for guess in _of_named(table, role, names)]
    for role in ("split", "language", "candidate", "query", "label", "id"):
        if role in roles and role not in columns:
            taken = {name for names in columns.values() for name in names}
            free = [profile for profile in table.profiles if profile.name not in taken and profile.present]
            found, guess = GUESSERS[role](table, free)
            if found:
                columns[role] = found
            guesses += [guess] if guess else []
    order = [role for role in ("query", "candidate", "label", "language", "id", "split") if columns.get(role)]
    guesses.sort(key=lambda guess: [f"{role} column" for role in (*order, *roles)].index(guess.subject))
    texts = [name for role in ("query", "candidate") for name in columns.get(role, [])]
    guesses += [guess for name in texts for guess in guess_encoded(table.profile(name), table.where)]
    return Roles({role: columns[role] for role in order}, guesses)


def guess_language_values(
    table: InputTable, roles: Roles, sample: pl.DataFrame, language: str, mapping: Mapping[str, str]
) -> tuple[list[Guess], dict[str, str]]:
    """The guesses about the values of the language column, and the mapping that reads them.

    Args:
        table: what is known.
        roles: of its columns.
        sample: rows with all columns.
        language: of all rows, where the user named it.
        mapping: `{value: language}` that the user gave, values in lower case.
    """
    if language:
        rows = sample.select(query=roles.columns["query"][0], language=pl.lit(language))
        reason, shown = strange_scripts(rows, {})
        outcome = Outcome.CHECK if reason else Outcome.SURE
        return [Guess("language of all rows", language, outcome, 1.0, reason, shown, "--language CODE")], {}
    if not roles.columns.get("language"):
        option = "--language CODE, or --column language=NAME"
        reason = "no column says the language"
        return [Guess("language", None, Outcome.UNSURE, 1.0, reason, (), option, table.where)], {}
    (name,) = roles.columns["language"]
    profile = table.profile(name)
    if profile.counts is None:
        reason, option = f"{name!r} has too many different values for languages", "--column language=NAME"
        return [Guess("language", None, Outcome.UNSURE, 1.0, reason, tuple(profile.values), option, table.where)], {}
    rows = sample.select(query=roles.columns["query"][0], language=name)
    named = bool(table.named.get("language"))
    guess, read = guess_languages(name, profile.counts, rows, mapping, named=named, where=table.where)
    return [guess], read


def _of_named(table: InputTable, role: str, names: Sequence[str]) -> list[Guess]:
    """A column that the user named is sure, unless it holds ids in place of texts."""
    if not names:
        return []
    value, outcome, reason, examples = ", ".join(names), Outcome.SURE, "", examples_of(table.profile(names[0]))
    if role in {"query", "candidate"}:
        refused = next((guess for name in names if (guess := refused_text(role, table.profile(name), table))), None)
        if refused and table.profile(names[0]).shares["ids"] < MOST:
            return [refused]
    if role in {"query", "candidate"} and all(table.profile(name).shares["ids"] >= MOST for name in names):
        outcome, reason = Outcome.CHECK, "its values look like ids, not like texts: a model would learn the ids"
    return [Guess(f"{role} column", value, outcome, 1.0, reason, examples, f"--column {role}=NAME", table.where)]


def _guess_language(table: InputTable, free: list[ColumnProfile]) -> Found:
    """The column of languages: by values; names with `query` first, those of titles last."""
    fits = [one for one in free if are_languages(one.counts)]

    def fit(one: ColumnProfile) -> tuple[float, ...]:
        words = words_of(one.name)
        score = closeness(one.name, SYNONYMS["language"])
        of_query = bool(words & {"query", "search", "q"} or not words & NOT_OF_QUERIES)
        return (score >= CLOSE, "query" in words, of_query, closeness(one.name, MARKET) >= CLOSE, score)

    fits = [one for one in fits if fit(one)[0] or fit(one)[3] or kind(one.counts, 0) < Kind.TWO_VALUES]
    if not fits:
        return [], None
    fits.sort(key=fit, reverse=True)
    best, is_named, is_query = fits[0], fit(fits[0])[0], fit(fits[0])[2]
    if not is_named and not fit(best)[3]:
        if len(fits) > 1:
            return [], None
        return [best.name], guess_of("language", best, Outcome.CHECK, table, "by its values; its name doesn't tell")
    if not is_query:
        return [best.name], guess_of(
            "language", best, Outcome.CHECK, table, "its name is not that of the query's language"
        )
    return [best.name], guess_of("language", best, Outcome.SURE, table)


def _guess_split(table: InputTable, free: list[ColumnProfile]) -> Found:
    """The column of splits: all values are names of splits; by its name, a single unknown value is a question."""
    for one in sorted(free, key=lambda one: closeness(one.name, SYNONYMS["split"]), reverse=True):
        if one.counts is None or len(one.values) > FEW_SPLITS:
            continue
        values = {value.strip().lower() for value in one.values}
        unknown = sorted(values - set(table.splits))
        is_called = closeness(one.name, SYNONYMS["split"]) >= CLOSE
        if unknown and (question := _like_split(one, values, table)):
            return [], question
        if not unknown and (is_called or len(values) > 1):
            return [one.name], guess_of("split", one, Outcome.SURE if is_called else Outcome.CHECK, table)
        if unknown and (closeness(one.name, SYNONYMS["split"]) == EXACT or values & set(table.splits)):
            if not is_called and len(values & set(table.splits)) == 1 and len(values) > 3:
                continue  # a category may be called "train"
            shown = ", ".join(repr(value) for value in unknown)
            reason = (
                f"{one.name!r} has {shown}, which prepare.files.split.names does not know: is it train, dev or test?"
            )
            option = f"--split-name dev={unknown[0]} (or train, test), or --column split= to cut the rows anew"
            return [], Guess("split column", None, Outcome.UNSURE, 1.0, reason, tuple(unknown), option, table.where)
    return [], None


def _like_split(profile: ColumnProfile, values: Collection[str], table: InputTable) -> Guess | None:
    """A question where a flag is called after a split (`is_test`), or values hold such names (`training_set`)."""
    called = sorted(words_of(profile.name) & set(table.splits))
    named = {value: sorted(words_of(value) & set(table.splits)) for value in values}
    if called and len(values) == 2 and not any(named.values()):
        split = _split_of(called[0])
        other = "test" if split == "train" else "train"
        reason = f"the values of {profile.name!r} say which rows are {split}, but not as names of splits"
        option = f"--column split={profile.name} --split-name {split}=VALUE --split-name {other}=VALUE"
    elif len(values) > 1 and all(named.values()):
        reason = f"the values of {profile.name!r} are no names in prepare.files.split.names, but hold some"
        said = [f"--split-name {_split_of(words[0])}={value}" for value, words in sorted(named.items())]
        option = " ".join([f"--column split={profile.name}", *said])
    else:
        return None
    option += ", or --column split= to cut the rows anew"
    return Guess("split column", None, Outcome.UNSURE, 1.0, reason, examples_of(profile), option, table.where)


def _split_of(word: str) -> str:
    return next((split for split in ("train", "test") if word.startswith(split)), "dev")


def _guess_id(table: InputTable, free: list[ColumnProfile]) -> Found:
    """Ids of the rows: each has one of its own, without spaces, and the name says so."""
    fits = [
        one
        for one in free
        if closeness(one.name, SYNONYMS["id"]) >= CLOSE and one.is_unique and not one.shares["words"]
    ]
    fits.sort(key=lambda one: closeness(one.name, SYNONYMS["id"]), reverse=True)
    return ([fits[0].name], guess_of("id", fits[0], Outcome.SURE, table)) if fits else ([], None)


GUESSERS = {
    "split": _guess_split,
    "language": _guess_language,
    "candidate": lambda table, free: guess_text("candidate", table, free),
    "query": lambda table, free: guess_text("query", table, free),
    "label": guess_label,
    "id": _guess_id,
}
