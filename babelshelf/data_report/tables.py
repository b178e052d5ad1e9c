"""Input tables and result types of the data report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from babelshelf.core.errors import InputError
from babelshelf.core.rows import ROW_SCHEMA, SPLITS, check_schema
from babelshelf.page.document import Block
from babelshelf.tables.prediction_sets import read_unlabelled

COLUMNS = {"split": "Split", "id": "Id", "language": "Language", "query": "Query", "candidate": "Candidate"}


@dataclass(frozen=True)
class TaskTables:
    """The prepared data of a task.

    Attributes:
        task: `qc` or `qi`.
        rows: rows of all splits, columns `id`, `language`, `query`, `candidate`, `label` and `split`.
        unlabelled: rows to predict, `prediction_sets.UNLABELLED_SCHEMA`.
        prepared: the task's part of metrics/prepare.json.
        left_out: counts of the input rows that `prepare` dropped or changed; empty if the source has none.
        dropped: bad rows of the input, `pairs.dropped_rows.DROPPED_SCHEMA`; None if the source has no such table.
    """

    task: str
    rows: pl.DataFrame
    unlabelled: pl.DataFrame
    prepared: Mapping[str, Any]
    left_out: Mapping[str, Any]
    dropped: pl.DataFrame | None

    def split(self, name: str) -> pl.DataFrame:
        """Rows of train, dev or test."""
        return self.rows.filter(pl.col("split") == name)


@dataclass(frozen=True)
class Count:
    """A row of the overview: `found` of `total`, in the unit that `what` names."""

    what: str
    found: int
    total: int


@dataclass(frozen=True)
class Finding:
    """Result of a part of the report.

    Attributes:
        title: title of its section.
        metrics: counts and shares, by name.
        blocks: contents of its section.
        counts: rows of the overview.
    """

    title: str
    metrics: dict[str, Any]
    blocks: Sequence[Block]
    counts: Sequence[Count] = ()


def read(original: Path, prepared: Mapping[str, Any]) -> list[TaskTables]:
    """Read all tasks of the folder `original`; `prepared` is the content of metrics/prepare.json.

    Raises:
        InputError: the folder has no task, or a table is missing or breaks the data contract.
    """
    tasks = [task for task in ("qc", "qi") if (original / task).is_dir()]
    if not tasks:
        raise InputError(f"{original}: no data of any task; run `dvc repro prepare`")
    dropped = original / "dropped.csv"
    bad = pl.read_csv(dropped, infer_schema=False) if dropped.is_file() else None
    return [
        TaskTables(
            task=task,
            rows=_rows(original / task),
            unlabelled=read_unlabelled(original / task / "unlabelled.parquet"),
            prepared=prepared[task],
            left_out=prepared["left_out"].get(task, {}),
            dropped=None if bad is None else bad.filter(pl.col("task") == task),
        )
        for task in tasks
    ]


def _rows(folder: Path) -> pl.DataFrame:
    return pl.concat([_read(folder / f"{split}.parquet").with_columns(split=pl.lit(split)) for split in SPLITS])


def _read(path: Path) -> pl.DataFrame:
    """Like `core.rows.read_rows`, but only the columns of the report, as there may be millions of rows."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; run `dvc repro prepare`")
    check_schema(pl.DataFrame(schema=pl.read_parquet_schema(path)), ROW_SCHEMA, str(path))
    return pl.read_parquet(path, columns=["id", "language", "query", "candidate", "label"])
