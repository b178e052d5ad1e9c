"""The params that read the files of one task: how they are written, which column is which, what the values mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from babelshelf.commands.init.options import InitOptions
from babelshelf.core.errors import InputError
from babelshelf.pairs.column_profiles import ColumnProfile, read_profiles, value_counts
from babelshelf.pairs.column_roles import Roles, guess_language_values, guess_roles
from babelshelf.pairs.column_table import InputTable
from babelshelf.pairs.folders import Names, files_like, files_passed_over
from babelshelf.pairs.formats import detect_all, form
from babelshelf.pairs.guesses import Guess, Outcome
from babelshelf.pairs.label_meaning import (
    POSITIVES,
    Meaning,
    guess_meaning,
    meaning_of_positives,
    meaning_said,
    missing_policy,
)
from babelshelf.pairs.labels import MISSING_WORDS
from babelshelf.pairs.rows import ROLES
from babelshelf.pairs.separators import guess_separator

NO_COLUMN = meaning_of_positives(None, (), "bad", "", "")  # of labels: all rows are relevant


@dataclass(frozen=True)
class TaskMapping:
    """Params of the section `prepare.files.<task>`, and the guesses behind them.

    Attributes:
        params: of `FileParams`.
        lines: the files, how they are written, and which files of a folder are not read.
        guesses: in the order in which they are shown.
    """

    params: dict[str, Any]
    lines: list[str]
    guesses: list[Guess]


def map_task(task: str, path: Path, patterns: dict[str, str], options: InitOptions, splits: Names) -> TaskMapping:
    """The params of a task's files.

    Args:
        task: `qc` or `qi`.
        path: file or folder.
        patterns: of the files, by `rows`, `train`, `dev` and `test`.
        options: what the user said.
        splits: what splits are called.

    Raises:
        InputError: a file can't be read, or lacks a column that the user named.
    """
    files = _files(path, patterns)
    detected = detect_all(
        files,
        encoding=options.encoding,
        header=options.header,
        escape=options.escape,
        quote=options.quote,
        language=options.language,
    )
    how = detected.how
    profiles, sample = read_profiles(files, how)
    if sample.is_empty():
        raise InputError(f"{files[0]}: no rows: give a file that has some")
    _refuse_esci(sample.columns, files[0])
    named = _named(sample.columns, options, files[0])
    if not patterns["rows"]:
        named["split"] = []
    table = InputTable(profiles, task, named, set().union(*splits.values()), str(files[0]))
    roles = _of_positives(guess_roles(table, ROLES), table, options)
    params = {
        **patterns,
        **how,
        "columns": _columns(roles),
        "language": options.language,
        "language_map": {},
        "labels": {
            "positive": ["1"],
            "negative": ["0"],
            "positive_from": "none",
            "missing": "bad",
            "random_negatives": 0,
        },
        "path_separator": "",
    }
    lines = [f"{task}: {path} ({form(how)})", *_not_read(path, files)]
    needed = {"query", "candidate"} if options.only_positives else {"query", "candidate", "label"}
    if not needed <= roles.columns.keys():  # which is an error: no more to look at
        return TaskMapping(params, lines, [*detected.guesses, *roles.guesses])
    candidate, label = roles.columns["candidate"], roles.columns.get("label", [])
    values = value_counts(files, how, [*candidate, *label])
    meaning = _meaning(values[label[0]], table.profile(label[0]), options, table.where) if label else NO_COLUMN
    params["labels"] = meaning.params
    languages, params["language_map"] = guess_language_values(
        table, roles, sample, options.language, options.language_map
    )
    guesses = [*detected.guesses, *roles.guesses, *languages, meaning.guess]
    if task == "qc" and len(candidate) == 1:
        guesses.append(_separator(values[candidate[0]], options, table.where))
        params["path_separator"] = guesses[-1].value
    return TaskMapping(params, lines, guesses)


def _of_positives(roles: Roles, table: InputTable, options: InitOptions) -> Roles:
    """The roles where all rows are relevant, or where no column is the label.

    A column that is the label by its name stays, as its values must not say the opposite; one that was guessed by its
    values is none.
    """
    guesses = [guess for guess in roles.guesses if guess.subject != "label column"]
    if options.only_positives:
        label = next((guess for guess in roles.guesses if guess.subject == "label column"), None)
        if label is not None and label.outcome is Outcome.SURE:
            return roles
        columns = {role: names for role, names in roles.columns.items() if role != "label"}
        return Roles(columns, [*guesses, Guess("label column", "", Outcome.SURE, where=table.where)])
    if "label" in table.named and not table.named["label"]:
        reason = "no column is the label; if these are positive pairs alone, such as clicks"
        guess = Guess("label column", None, Outcome.UNSURE, 1.0, reason, (), POSITIVES, table.where)
        return Roles(roles.columns, [*guesses, guess])
    return roles


def _files(path: Path, patterns: dict[str, str]) -> list[Path]:
    """The files that the patterns match, those of training first; an error where there are none."""
    if path.is_file():
        return [path]
    pattern = patterns["rows"] or patterns["train"]
    first = files_like(path, pattern)
    if not first:
        raise InputError(f"{path}: no file in it has the form {pattern!r}")
    every = sorted(file for pattern in patterns.values() if pattern for file in files_like(path, pattern))
    return [*first, *(file for file in every if file not in first)]


def _not_read(path: Path, files: Sequence[Path]) -> list[str]:
    """A line for each data file of a folder that is not read."""
    left_out = files_passed_over(path, files) if path.is_dir() else {}
    return [f"check: {file.relative_to(path)} is not read: {reason}" for file, reason in left_out.items()]


def _refuse_esci(names: Sequence[str], file: Path) -> None:
    if {"esci_label", "product_id", "product_locale"} <= set(names) and "product_title" not in names:
        raise InputError(f"{file}: the examples of ESCI, whose titles are in another file: `babelshelf profile esci`")


def _named(there: Sequence[str], options: InitOptions, file: Path) -> dict[str, list[str]]:
    """The columns that the user named, of those that are there."""
    unknown = [name for names in options.columns.values() for name in names if name not in there]
    if unknown and len(options.paths) == 1:
        raise InputError(f"{file}: --column: no column {unknown[0]!r}; there are {', '.join(there)}")
    named = {role: list(names) for role, names in options.columns.items() if set(names) <= set(there)}
    return named | ({"language": []} if options.language else {})


def _columns(roles: Roles) -> dict[str, str | list[str]]:
    """The param `columns`: a name each, "" where there is none, a list where the candidate comes from several."""
    found: dict[str, str | list[str]] = {}
    for role in ("query", "candidate", "label", "language", "id", "split"):
        names = roles.columns.get(role, [])
        found[role] = names if len(names) > 1 else "".join(names)
    return found


def _meaning(counts: pl.DataFrame, profile: ColumnProfile, options: InitOptions, where: str) -> Meaning:
    words = counts.filter(pl.col("value").str.strip_chars().str.to_lowercase().is_in(MISSING_WORDS))["count"].sum()
    missing = missing_policy(profile.present - int(words), profile.rows)
    if options.only_positives:
        return meaning_of_positives(counts, options.positive, missing, profile.name, where)
    if options.positive:
        return meaning_said(counts, options.positive, missing, profile.name, where)
    return guess_meaning(counts, missing, profile.name, where)


def _separator(paths: pl.DataFrame, options: InitOptions, where: str) -> Guess:
    guess = guess_separator(paths, where)
    if options.path_separator is None:
        return guess
    return Guess(guess.subject, options.path_separator, Outcome.SURE)
