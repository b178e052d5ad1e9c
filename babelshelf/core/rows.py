"""The data contract: one schema for every training-set variant, read and written as Parquet.

Every variant under `data/` is a complete training set with these columns, so that any of them can be trained on.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from babelshelf.core.errors import InputError
from babelshelf.core.files import replacing

ORIGINS = ("original", "translated", "negative")

ROW_SCHEMA = pl.Schema(
    {
        "id": pl.String,  # unique; a derived row's id names its parent and what made it: "<parent>/<what>"
        "task": pl.String,  # qc or qi
        "language": pl.String,  # ISO 639-1
        "query": pl.String,  # NFC, never empty
        "candidate": pl.String,  # NFC, never empty
        "label": pl.Int8,  # 1 relevant, 0 not, null unlabelled
        "origin": pl.String,  # one of ORIGINS
        "parent_id": pl.String,  # the row it was derived from, null for an original row
        "group": pl.String,  # the query's group before any translation: splits, folds and bootstraps go by it
    }
)

LEVEL = " > "  # between the levels of a category path
TEXT_COLUMNS = ("query", "candidate")
SPLITS = ("train", "dev", "test")
HELD_OUT = ("dev", "test")


def read_rows(path: Path) -> pl.DataFrame:
    """Read a table of rows, columns in the contract's order; raise InputError if it is missing or has other columns."""
    rows = read_table(path)
    check_schema(rows, ROW_SCHEMA, str(path))
    return rows.select(ROW_SCHEMA.names())


def read_labelled(path: Path) -> pl.DataFrame:
    """Like `read_rows`, but only the rows that have a label."""
    return read_rows(path).filter(pl.col("label").is_not_null())


def write_rows(path: Path, rows: pl.DataFrame) -> None:
    """Check `rows` against the contract, then write them.

    Raises:
        InputError: a row breaks the contract; nothing is written.
    """
    check_rows(rows, str(path))
    write_table(path, rows)


def read_table(path: Path) -> pl.DataFrame:
    """Read any Parquet table."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; run the stage that writes it (`dvc status` names it)")
    return pl.read_parquet(path)


def write_table(path: Path, table: pl.DataFrame) -> None:
    """Write any table as Parquet, atomically."""
    with replacing(path) as temporary:
        table.write_parquet(temporary)


def write_csv(path: Path, table: pl.DataFrame) -> None:
    """Write plot data as CSV, floats rounded to six digits."""
    with replacing(path) as temporary:
        table.write_csv(temporary, float_precision=6)


def check_schema(table: pl.DataFrame, schema: pl.Schema, name: str) -> None:
    """Raise InputError unless `table` has exactly the columns of `schema`, in any order; errors call it `name`."""
    if dict(table.schema) != dict(schema):
        raise InputError(f"{name}: expected the columns {dict(schema)}, found {dict(table.schema)}")


def check_rows(rows: pl.DataFrame, name: str) -> None:
    """Raise InputError with the first row that breaks the contract; `name` is the table's name in errors."""
    check_schema(rows, ROW_SCHEMA, name)
    derived = pl.col("origin").is_in(["translated", "negative"])
    rules = {
        "the id is empty or null": pl.col("id").fill_null("") == "",
        "the id is not unique": pl.col("id").is_duplicated(),
        "the label is neither 0, 1 nor null": ~pl.col("label").is_in([0, 1]).fill_null(value=True),
        "the origin is unknown": ~pl.col("origin").is_in(ORIGINS).fill_null(value=False),
        "a derived row names no parent": derived & pl.col("parent_id").is_null(),
        "the group is empty or null": pl.col("group").fill_null("") == "",
        "the task is neither qc nor qi": ~pl.col("task").is_in(["qc", "qi"]).fill_null(value=False),
        "the language is empty or null": pl.col("language").fill_null("") == "",
    }
    for column in TEXT_COLUMNS:
        rules[f"the {column} is empty or null"] = pl.col(column).fill_null("").str.strip_chars() == ""
        texts = rows[column].unique()
        other = texts.filter(texts != texts.str.normalize("NFC"))
        rules[f"the {column} is not in Unicode's NFC form"] = pl.col(column).is_in(other.implode())
    for message, broken in rules.items():
        invalid = rows.with_row_index("row").filter(broken)
        if invalid.height:
            row = invalid.row(0, named=True)
            raise InputError(f"{name}, row {row['row']} (id {row['id']!r}): {message} ({invalid.height} such rows)")


def concat(*tables: pl.DataFrame) -> pl.DataFrame:
    """All rows of the tables, in their order."""
    return pl.concat(tables, how="vertical")


def path_share(rows: pl.DataFrame) -> float:
    """Share of the rows whose candidate is a path of several levels."""
    return float(rows["candidate"].str.contains(LEVEL, literal=True).sum()) / max(rows.height, 1)


def positive_share(rows: pl.DataFrame) -> dict[str, dict[str, float]]:
    """Share of label 1 among the labelled rows, `{language: {origin: share}}`, `all` included on both levels.

    It shows whether negatives are mined only in some languages, which would teach "German means no".
    """
    labelled = rows.filter(pl.col("label").is_not_null())
    tables = [
        labelled.with_columns(
            language=pl.lit("all") if language_all else pl.col("language"),
            origin=pl.lit("all") if origin_all else pl.col("origin"),
        )
        for language_all in (True, False)
        for origin_all in (True, False)
    ]
    shares = pl.concat(tables).group_by("language", "origin").agg(pl.col("label").mean()).sort("language", "origin")
    result: dict[str, dict[str, float]] = {}
    for language, origin, share in shares.iter_rows():
        result.setdefault(language, {})[origin] = share
    return result
