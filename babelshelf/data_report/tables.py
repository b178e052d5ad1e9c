"""What `prepare` wrote of a task, as the report's parts read it, and what they give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from babelshelf.core.errors import InputError
from babelshelf.core.rows import ROW_SCHEMA, check_schema
from babelshelf.page.document import Block
from babelshelf.tables.prediction_sets import read_unlabelled

SPLITS = ("train", "dev", "test")
HELD_OUT = ("dev", "test")
COLUMNS = {"split": "Split", "id": "Id", "language": "Language", "query": "Query", "candidate": "Candidate"}


@dataclass(frozen=True)
class TaskData:
    """One task.

    Attributes:
        task: `qc` or `qi`.
        rows: of all splits: `id`, `language`, `query`, `candidate`, `label` and `split`.
        unlabelled: rows to predict, `unlabelled.UNLABELLED_SCHEMA`.
        prepared: the task's part of metrics/prepare.json.
        left_out: what prepare left out of the task's input, none where the source has no such counts.
        rejects: bad rows of the input, `pairs.rows.REJECTS`; none where the source has no such table.
    """

    task: str
    rows: pl.DataFrame
    unlabelled: pl.DataFrame
    prepared: Mapping[str, Any]
    left_out: Mapping[str, Any]
    rejects: pl.DataFrame | None

    def split(self, name: str) -> pl.DataFrame:
        """Rows of train, dev or test."""
        return self.rows.filter(pl.col("split") == name)


@dataclass(frozen=True)
class Count:
    """A line of the report's overview: `found` of `total`, in the unit that `what` names."""

    what: str
    found: int
    total: int


@dataclass(frozen=True)
class Finding:
    """What one part of the report gives.

    Attributes:
        title: of its section.
        metrics: counts and shares, by name.
        blocks: of its section.
        counts: for the overview.
    """

    title: str
    metrics: dict[str, Any]
    blocks: Sequence[Block]
    counts: Sequence[Count] = ()


def read(original: Path, prepared: Mapping[str, Any]) -> list[TaskData]:
    """All tasks of the folder `original`, with what `prepare` counted of them.

    Raises:
        InputError: no task is there, or a table is missing or breaks the data contract.
    """
    tasks = [task for task in ("qc", "qi") if (original / task).is_dir()]
    if not tasks:
        raise InputError(f"{original}: no data of any task; run `dvc repro prepare`")
    rejects = original / "dropped.csv"
    bad = pl.read_csv(rejects, infer_schema=False) if rejects.is_file() else None
    return [
        TaskData(
            task=task,
            rows=_rows(original / task),
            unlabelled=read_unlabelled(original / task / "unlabelled.parquet"),
            prepared=prepared[task],
            left_out=prepared["left_out"].get(task, {}),
            rejects=None if bad is None else bad.filter(pl.col("task") == task),
        )
        for task in tasks
    ]


def _rows(folder: Path) -> pl.DataFrame:
    return pl.concat([_read(folder / f"{split}.parquet").with_columns(split=pl.lit(split)) for split in SPLITS])


def _read(path: Path) -> pl.DataFrame:
    """Like `tables.read_rows`, but just the columns that the report is about: there may be millions of rows."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; run `dvc repro prepare`")
    check_schema(pl.DataFrame(schema=pl.read_parquet_schema(path)), ROW_SCHEMA, str(path))
    return pl.read_parquet(path, columns=["id", "language", "query", "candidate", "label"])
