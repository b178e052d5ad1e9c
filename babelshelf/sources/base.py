"""What a source gives: a `Marketplace`, the labelled rows of each task in three splits, and what is known besides."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from babelshelf.truth import Truth


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
    """

    tasks: dict[str, TaskData]
    texts: pl.DataFrame
    glossary: pl.DataFrame | None = None
    counts: dict[str, int] = field(default_factory=dict)
