"""A folder in which the filter has run, for `babelshelf review`: params, training rows, scores and dropped rows."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from babelshelf.core.rows import ROW_SCHEMA, write_rows, write_table

ROOT = Path(__file__).parents[2]
GLOSSARY = "en\tde\tar\nlamp\tlampe\tمصباح\nred\trot\tأحمر\n"


def row(
    name: str,
    query: str,
    candidate: str = "Desk Lamp",
    *,
    label: int | None = 1,
    language: str = "en",
    p_yes: float = 0.5,
    reason: str | None = None,
    parent: str | None = None,
) -> dict[str, Any]:
    """A training row; with a reason the filter dropped it, with a parent it is a translation."""
    return {"id": name, "task": "qi", "language": language, "query": query, "candidate": candidate, "label": label} | {
        "origin": "original" if parent is None else "translated",
        "parent_id": parent,
        "group": parent or name,
        "p_yes": p_yes,
        "reason": reason,
    }


ROWS = (
    row("a", "red lamp", p_yes=0.9),
    row("b", "blue shoe", "Blue Running Shoe", p_yes=0.95),
    row("c", "lampe rot", "Blue Running Shoe", language="de", p_yes=0.1, reason="contradicted"),
    row("c/ar", "مصباح أحمر", "Blue Running Shoe", language="ar", p_yes=0.3, reason="parent_dropped", parent="c"),
    row("c/en", "red light", "Blue Running Shoe", p_yes=0.4, parent="c"),
    row("d", "حذاء رياضي nike", label=0, language="ar", p_yes=0.97, reason="contradicted"),
    row("e", "נעל כחולה", language="he", p_yes=0.2, reason="contradicted"),
    row("f", "lampada", label=None, language="it", p_yes=0.5),
    row("g", "red shoe", label=None, p_yes=0.6),
)


def write_review_folder(folder: Path, rows: Sequence[dict[str, Any]] = ROWS) -> Path:
    """Write what the stages `filter@qi` and `predict@qi` leave of the rows; those without a label are to predict."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "profiles" / "nano.yaml", folder / "params.yaml")
    (folder / "data" / "demo").mkdir(parents=True)
    (folder / "data" / "demo" / "glossary.tsv").write_text(GLOSSARY, encoding="utf-8")
    schema = pl.Schema([*ROW_SCHEMA.items(), ("p_yes", pl.Float64()), ("reason", pl.String())])
    table = pl.DataFrame(list(rows), schema=schema)
    table, to_predict = (table.filter(kind) for kind in (pl.col("label").is_not_null(), pl.col("label").is_null()))
    dropped = pl.col("reason").is_not_null()
    write_rows(folder / "data/filtered/qi/train.parquet", table.filter(~dropped).select(ROW_SCHEMA.names()))
    write_table(folder / "data/filtered/qi/dropped.parquet", table.filter(dropped))
    write_table(folder / "data/predictions/train/qi/scores.parquet", table.select("id", "p_yes"))
    unlabelled = to_predict.select(pl.lit("test").alias("split"), *ROW_SCHEMA)
    write_table(folder / "data/original/qi/unlabelled.parquet", unlabelled)
    answers = to_predict.select(pl.lit("test").alias("split"), "id", "p_yes", is_relevant=pl.col("p_yes") >= 0.5)
    write_table(folder / "data/predictions/submission/qi/predictions.parquet", answers)
    return folder


def many_rows(count: int) -> Iterable[dict[str, Any]]:
    """Flagged rows, and one that is not."""
    yield row("kept", "kept")
    yield from (row(f"r{i}", f"query {i}", f"Item {i}", p_yes=0.1, reason="contradicted") for i in range(count))
