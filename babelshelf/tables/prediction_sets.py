"""Prediction sets: rows without labels that are to be answered, such as dev and test of a competition."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from babelshelf.core.errors import InputError
from babelshelf.core.rows import ROW_SCHEMA, check_schema, read_table

# The data contract and the set (dev or test); labels are null, and so are texts that the input lacks.
UNLABELLED_SCHEMA = pl.Schema([("split", pl.String()), *ROW_SCHEMA.items()])
ANSWER_SCHEMA = pl.Schema(
    {
        "split": pl.String,
        "id": pl.String,
        "p_yes": pl.Float64,
        "is_relevant": pl.Boolean,
    }  # p_yes: null where not scored
)
SCORABLE = pl.col("query").is_not_null() & pl.col("candidate").is_not_null()
UNSCORED = True  # most pairs are relevant; "yes" raises F1 if it is right more often than F1 / 2


def no_unlabelled() -> pl.DataFrame:
    """The empty table, for sources without prediction sets."""
    return UNLABELLED_SCHEMA.to_frame()


def read_unlabelled(path: Path) -> pl.DataFrame:
    """Read the rows of `UNLABELLED_SCHEMA`; raise InputError if the file is missing or has other columns."""
    rows = read_table(path)
    check_schema(rows, UNLABELLED_SCHEMA, str(path))
    return rows


def read_answers(path: Path) -> pl.DataFrame:
    """Read what the stage `predict` wrote, `ANSWER_SCHEMA`; raise InputError if it is missing or has other columns."""
    answers = read_table(path)
    check_schema(answers, ANSWER_SCHEMA, str(path))
    return answers


def check_unlabelled(rows: pl.DataFrame, name: str) -> None:
    """Raise InputError if a row has a label or no language, or an id repeats; `name` is the table's name in errors."""
    check_schema(rows, UNLABELLED_SCHEMA, name)
    rules = {
        "the id is null or not unique": pl.col("id").is_null() | pl.col("id").is_duplicated(),
        "the label is not null": pl.col("label").is_not_null(),
        "the language is empty or null": pl.col("language").fill_null("") == "",
    }
    for message, broken in rules.items():
        invalid = rows.filter(broken)
        if invalid.height:
            raise InputError(f"{name}, id {invalid['id'][0]!r}: {message} ({invalid.height} such rows)")


def answers(rows: pl.DataFrame, scored: pl.DataFrame) -> pl.DataFrame:
    """Answers to all rows, including those that were not scored.

    Args:
        rows: of `UNLABELLED_SCHEMA`.
        scored: columns `id`, `p_yes` and `is_relevant` of those that are `SCORABLE`.

    Returns:
        A table of `ANSWER_SCHEMA` in the rows' order; `UNSCORED` where a row is not in `scored`.
    """
    joined = rows.join(scored, on="id", how="left", maintain_order="left")
    return joined.with_columns(pl.col("is_relevant").fill_null(UNSCORED)).select(ANSWER_SCHEMA.names())
