"""What a source gives: a `Marketplace`, the labelled rows of each task in three splits, and what is known besides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from babelshelf.errors import InputError
from babelshelf.tables import read_table, write_table

FACTS_SCHEMA = pl.Schema([("key", pl.String()), ("facts", pl.List(pl.String()))])


Inputs = Mapping[str, Path]  # a task's file or folder


@dataclass(frozen=True)
class Truth:
    """What a source knows of the world behind its labels; for measuring only, never for training.

    A candidate is relevant to a query where it has all the facts that the query asks for.

    Attributes:
        groups: `FACTS_SCHEMA`, key is a row's `group`: the facts that its query asks for.
        candidates: `FACTS_SCHEMA`, key is the candidate's text: the facts that it has.

    Both are empty for a source that knows nothing but its labels.
    """

    groups: pl.DataFrame
    candidates: pl.DataFrame


def single(inputs: Inputs) -> Path:
    """The one input of a source that makes all of its tasks from one.

    Raises:
        InputError: the tasks' inputs differ.
    """
    paths = sorted(set(inputs.values()))
    if len(paths) > 1:
        raise InputError(f"prepare.input: {paths[0]} and {paths[1]}: this source has one input, give it for each task")
    return paths[0]


def no_truth() -> Truth:
    """The truth of a source that knows nothing but its labels."""
    return Truth(groups=FACTS_SCHEMA.to_frame(), candidates=FACTS_SCHEMA.to_frame())


def read_truth(folder: Path) -> Truth:
    """The truth that `write_truth` wrote to `folder`."""
    return Truth(groups=read_table(folder / "groups.parquet"), candidates=read_table(folder / "candidates.parquet"))


def write_truth(folder: Path, truth: Truth) -> None:
    """Write the two tables of `truth` into `folder`."""
    write_table(folder / "groups.parquet", truth.groups)
    write_table(folder / "candidates.parquet", truth.candidates)


@dataclass(frozen=True)
class TaskData:
    """One task's data.

    Attributes:
        train, dev, test: tables of `tables.ROW_SCHEMA`, origin `original`.
        candidates: columns `candidate` (unique) and `in_train` (bool: it may be mined as a training negative; a
            candidate of dev or test alone may not, or it would be known by label 0).
        truth: see `Truth`.
    """

    train: pl.DataFrame
    dev: pl.DataFrame
    test: pl.DataFrame
    candidates: pl.DataFrame
    truth: Truth


@dataclass(frozen=True)
class Marketplace:
    """All tasks of one source.

    Attributes:
        tasks: `{"qc": TaskData, "qi": TaskData}`, or one of them alone.
        texts: unlabelled train-side text to pre-train on, columns `text`, `language`, `kind` (query or candidate).
        glossary: terms with one name a language (column `en`, then other languages), null where the source has none;
            made from the train side only.
        counts: what the source left out of its input and how much of it, for the metrics.
        rejects: bad rows of the input, for the user to mend, null where the source has no such rows.
    """

    tasks: dict[str, TaskData]
    texts: pl.DataFrame
    glossary: pl.DataFrame | None = None
    counts: dict[str, Any] = field(default_factory=dict)
    rejects: pl.DataFrame | None = None


def relevant(pairs: pl.DataFrame, truth: Truth) -> pl.Series:
    """True relevance of `(group, candidate)` pairs.

    Args:
        pairs: a table with the columns `group` and `candidate`.
        truth: the facts of groups and candidates.

    Returns:
        Boolean series, one value a pair, null where the truth does not know the group or the candidate.
    """
    asked = truth.groups.rename({"key": "group", "facts": "asked"})
    had = truth.candidates.rename({"key": "candidate", "facts": "had"})
    joined = (
        pairs.select("group", "candidate")
        .join(asked, on="group", how="left", maintain_order="left")
        .join(had, on="candidate", how="left", maintain_order="left")
    )
    return joined.select(relevant=pl.col("asked").list.set_difference("had").list.len() == 0).to_series()
