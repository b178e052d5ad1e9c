"""What a source gives: a `Marketplace`, the labelled rows of each task in three splits, and what is known besides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from babelshelf.core.errors import InputError
from babelshelf.tables.prediction_sets import no_unlabelled
from babelshelf.tables.truth import Truth

Inputs = Mapping[str, Path]  # a task's file or folder


def single(inputs: Inputs) -> Path:
    """The one input of a source that makes all of its tasks from one.

    Raises:
        InputError: the tasks' inputs differ.
    """
    paths = sorted(set(inputs.values()))
    if len(paths) > 1:
        raise InputError(f"prepare.input: {paths[0]} and {paths[1]}: this source has one input, give it for each task")
    return paths[0]


@dataclass(frozen=True)
class TaskData:
    """One task's data.

    Attributes:
        train, dev, test: tables of `core.rows.ROW_SCHEMA`, origin `original`, or `negative` for random negatives.
        candidates: columns `candidate` (unique) and `in_train` (bool: it may be mined as a training negative; a
            candidate of dev or test alone may not, or it would be known by label 0).
        truth: see `Truth`.
        unlabelled: rows to predict, of `tables.prediction_sets.UNLABELLED_SCHEMA`; none where the source has no
            prediction sets.
    """

    train: pl.DataFrame
    dev: pl.DataFrame
    test: pl.DataFrame
    candidates: pl.DataFrame
    truth: Truth
    unlabelled: pl.DataFrame = field(default_factory=no_unlabelled)


@dataclass(frozen=True)
class Marketplace:
    """All tasks of one source.

    Attributes:
        tasks: `{"qc": TaskData, "qi": TaskData}`, or one of them alone.
        texts: unlabelled train-side text to pre-train on, columns `text`, `language`, `kind` (query or candidate).
        glossary: terms with one name a language (column `en`, then other languages), null where the source has none;
            made from the train side only.
        counts: what the source left out of its input and how much of it, for the metrics.
        dropped: bad rows of the input, for the user to correct, null where the source has no such rows.
        parts: of a source that is made of several, what each gave, for the metrics.
    """

    tasks: dict[str, TaskData]
    texts: pl.DataFrame
    glossary: pl.DataFrame | None = None
    counts: dict[str, Any] = field(default_factory=dict)
    dropped: pl.DataFrame | None = None
    parts: dict[str, Any] = field(default_factory=dict)
