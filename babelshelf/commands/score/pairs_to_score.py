"""Read a user's file of pairs to be scored, in blocks, so that it may be larger than memory: `babelshelf score`.

What `pairs.readers` and `pairs.rows` do for labelled rows is done here for rows without labels: texts are cleaned in
the same way, languages read, and a row that can't be scored says why. No row is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from babelshelf.core.errors import InputError
from babelshelf.core.languages import normalize
from babelshelf.pairs.column_profiles import read_profiles, value_counts
from babelshelf.pairs.column_roles import Roles, guess_language_values, guess_roles
from babelshelf.pairs.column_table import InputTable
from babelshelf.pairs.dropped_rows import TOO_LONG, bad_rows
from babelshelf.pairs.formats import as_params, detect, form
from babelshelf.pairs.guesses import Guess, Outcome, resolve
from babelshelf.pairs.params import FileParams, FilesParams
from babelshelf.pairs.readers import read_blocks
from babelshelf.pairs.rows import as_texts, parsed_rows
from babelshelf.pairs.separators import guess_separator
from babelshelf.pairs.several_columns import joined_columns, single_columns

ROLES = ("query", "candidate", "language", "id")
OWN = (
    "row",
    "line",
    "language",
    "query",
    "candidate",
    "reason",
    "value",
    "p_yes",
    "is_relevant",
)  # names of the output
MOST_PATHS = 100_000  # different ones in which the mark between levels is looked for
BLOCK = 8192  # rows: what is in memory at once beside the reader's block, and what a kill loses at most

TooLong = Callable[[pl.DataFrame], pl.Series]  # of rows with language, query and candidate: those no prompt can hold


@dataclass(frozen=True)
class ScoreOptions:
    """What the user said of a file.

    Attributes:
        columns: `{role: names of the columns}`, of `ROLES`.
        language: of all rows; "" where a column says it.
        language_map: `{value: language}` of values that are no languages, in lower case.
        encoding: of the file; "" where it is told from the bytes.
        header: names of the columns of a file without a header.
        escape: a backslash, or "" for none; None where it is detected.
        quote: around cells, or "" for none; None where it is detected.
        keep: further columns, which the output is to have too.
        path_separator: what stands between the levels of a category path, None where it is found in the file.
        trained_separator: the one that the params have, for a file in which none is found.
    """

    columns: Mapping[str, Sequence[str]]
    language: str
    language_map: Mapping[str, str]
    keep: Sequence[str]
    path_separator: str | None
    trained_separator: str = ""
    encoding: str = ""
    header: Sequence[str] = ()
    escape: str | None = None
    quote: str | None = None


@dataclass(frozen=True)
class PairFile:
    """A file of pairs, and how it is read.

    Attributes:
        path: the file.
        task: `qc` or `qi`.
        settings: of the source `files`, with how this file is written, and which column is which, under the task.
        kept: `{name in the output: name in the file}` of columns that are passed on as they are; `id` is one.
        lines: what was guessed, for the user.
    """

    path: Path
    task: str
    settings: FilesParams
    kept: Mapping[str, str]
    lines: Sequence[str]

    @property
    def own(self) -> FileParams:
        """How the file is written, and which column is which."""
        own: FileParams = getattr(self.settings, self.task)
        return own

    def records(self) -> Iterator[pl.DataFrame]:
        """The records as texts, in blocks of `BLOCK` rows; raise InputError where the file can't be read on."""
        named = {role: names for role, names in self.own.columns.names().items() if role != "label"}
        passed = {f"kept.{name}": source for name, source in self.kept.items()}
        blocks = read_blocks(self.path, self.own, single_columns(named, self.task) | passed)
        return _resized((joined_columns(block, named, self.task) for block in blocks), BLOCK)

    def parsed(self, records: pl.DataFrame, too_long: TooLong) -> pl.DataFrame:
        """What is to be scored.

        Args:
            records: a block.
            too_long: which rows no prompt can hold.

        Returns:
            `row` (from 1), `line` (null in Parquet), the columns of `kept`, `language` (ISO 639-1), `query` and
            `candidate` (cleaned), `reason` (a key of `dropped_rows.PROBLEMS`, null for a row that can be scored) and
            `value` (what it is about), in the order of the file.
        """
        passed = records.select(pl.col(f"kept.{name}").alias(name) for name in self.kept)
        labelled = records.drop(f"kept.{name}" for name in self.kept).with_columns(label=pl.lit("1"))  # all are kept
        rows = as_texts(parsed_rows(labelled, self.own, self.settings, "")).rename({"drop": "reason"})
        sound = rows.filter(pl.col("reason").is_null())
        long = sound.filter(too_long(sound))["row"]
        is_long = pl.col("row").is_in(long.implode())
        rows = rows.with_columns(
            reason=pl.when(is_long).then(pl.lit(TOO_LONG)).otherwise("reason"),
            value=pl.when(is_long).then("query").otherwise("value"),
        )
        own = [rows[name] for name in ("language", "query", "candidate", "reason", "value")]
        return pl.DataFrame([rows["row"], rows["line"], *passed, *own])

    def dropped(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Those of `parsed` that can't be scored, as `prepare` reports bad rows (`dropped_rows.DROPPED_SCHEMA`)."""
        named = rows.rename({"reason": "drop"}).with_columns(task=pl.lit(self.task), file=pl.lit(self.path.name))
        return bad_rows(named.select("task", "file", "row", "line", "drop", "value"), self.settings)

    def summary_lines(self) -> list[str]:
        """How the file is read, for the user."""
        how = {key: getattr(self.own, key) for key in ("format", "delimiter", "quote", "escape", "encoding")}
        return [f"{self.task}: {self.path} ({form(how)})", *self.lines]


def find(path: Path, task: str, options: ScoreOptions, files: FilesParams) -> PairFile:
    """Look at a file: how it is written, and which column is which, where the user did not say it.

    Args:
        path: CSV, JSON lines or Parquet, packed or not.
        task: `qc` or `qi`.
        options: what the user said.
        files: the section `prepare.files`: what splits are called, and which texts are long.

    Raises:
        InputError: the file can't be read, has no rows, or a column is not there or can't be told.
    """
    language = normalize(options.language, "--language") if options.language else ""
    detected = detect(
        path,
        encoding=options.encoding,
        header=options.header,
        escape=options.escape,
        quote=options.quote,
        language=language,
    )
    how = detected.how
    profiles, rows = read_profiles([path], how)
    if rows.is_empty():
        raise InputError(f"{path}: no rows: give a file that has some")
    _check_options(path, options, rows.columns)
    splits = {name.lower() for names in files.split.names.values() for name in names}
    plain = {role: [role] for role in ROLES if role in rows.columns and role not in options.keep}
    named = plain | dict(options.columns) | ({"language": []} if language else {})
    table = InputTable(profiles, task, named, splits, str(path))
    roles = guess_roles(table, ROLES)
    resolve(roles.guesses, accept=None)  # as what follows needs the columns
    languages, mapping = guess_language_values(table, roles, rows, language, options.language_map)
    columns = {role: names if len(names) > 1 else names[0] for role, names in roles.columns.items() if role != "id"}
    ids = [name for name in roles.columns.get("id", []) if name not in options.keep]
    mark = _separator(path, task, how, roles, options)
    lines = resolve([*detected.guesses, *roles.guesses, *languages, *([mark] if task == "qc" else [])], accept=None)
    params = {"language": language, "language_map": mapping, "path_separator": mark.value}
    settings = files.model_copy(
        update={"tasks": [task], task: as_params({**how, **params}, columns), "missing_candidate": "bad"}
    )
    kept = dict(zip(["id"], ids, strict=False)) | {name: name for name in options.keep}
    return PairFile(path, task, settings, kept, lines)


def _separator(path: Path, task: str, how: Mapping[str, Any], roles: Roles, options: ScoreOptions) -> Guess:
    """The mark between levels: what the user says, or the file shows, or the params have."""
    subject = "separator between the levels of a path"
    candidate = roles.columns["candidate"]
    if task != "qc" or len(candidate) > 1:
        return Guess(subject, "", Outcome.SURE)
    if options.path_separator is not None:
        return Guess(subject, options.path_separator, Outcome.SURE)
    guess = guess_separator(value_counts([path], how, candidate, MOST_PATHS)[candidate[0]], str(path))
    if guess.value == options.trained_separator:
        return replace(guess, outcome=Outcome.SURE)
    if guess.value == "":
        return replace(guess, value=options.trained_separator)
    trained = f"the training data had {options.trained_separator!r}" if options.trained_separator else ""
    return replace(guess, outcome=Outcome.CHECK, reason=trained or guess.reason)


def _check_options(path: Path, options: ScoreOptions, names: Sequence[str]) -> None:
    there = f"there are {', '.join(names)}"
    for name in (name for columns in options.columns.values() for name in columns):
        if name not in names:
            raise InputError(f"{path}: --column: no column {name!r}; {there}")
    for name in options.keep:
        if name not in names:
            raise InputError(f"{path}: --keep: no column {name!r}; {there}")
        if name in OWN:
            raise InputError(f"--keep {name!r}: the output has a column of that name: rename it in {path}")


def _resized(blocks: Iterable[pl.DataFrame], rows: int) -> Iterator[pl.DataFrame]:
    """The same rows in blocks of `rows`, of which only the last has fewer: they do not depend on the reader's."""
    left: list[pl.DataFrame] = []
    for block in blocks:
        held = pl.concat([*left, block])
        whole = held.height - held.height % rows
        yield from held.head(whole).iter_slices(rows)
        left = [held.tail(held.height - whole)]
    yield from (block for block in left if block.height)
