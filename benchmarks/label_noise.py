"""Training rows with labels that are flipped on purpose, for `benchmarks.label_errors`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl

from babelshelf.core.params import load
from babelshelf.core.rows import LEVEL
from babelshelf.prepare.params import SOURCES, PrepareParams
from babelshelf.prepare.sources.demo.params import Params
from babelshelf.tables.predictions import Labels
from babelshelf.tables.truth import Truth
from benchmarks.calibration import whole_groups
from benchmarks.proxy_truth.data_sets import marketplace

DEMO = Path("data/demo")
STREAM = b"label noise"


@dataclass(frozen=True)
class LabelledData:
    """Labelled rows of one task and seed, tables of `ROW_SCHEMA`.

    Attributes:
        train: with the labels that count as right.
        hard: of `train`, whether a row is a hard negative; none, where that is not known.
        dev, test: what is measured on.
    """

    train: pl.DataFrame
    hard: Labels
    dev: pl.DataFrame
    test: pl.DataFrame


@dataclass(frozen=True)
class Noise:
    """A kind of noise.

    Attributes:
        share: of the labels that are flipped.
        concentrated: whether they are all among the hard negatives and the rows of the most frequent language.
    """

    share: float
    concentrated: bool = False

    def flipped(self, data: LabelledData, seed: int) -> Labels:
        """Which labels of `train` to flip, shape (n_rows,)."""
        rows = np.arange(data.train.height)
        if self.concentrated:
            languages = data.train["language"]
            most = languages.value_counts().sort("count", "language")["language"][-1]
            rows = np.flatnonzero((languages == most).to_numpy() | data.hard)
        drawn = np.random.default_rng([seed, *STREAM]).permutation(rows)[: round(self.share * data.train.height)]
        flipped = np.zeros(data.train.height, np.bool_)
        flipped[drawn] = True
        return flipped


KINDS = {"10 %": Noise(0.1), "30 %": Noise(0.3), "none": Noise(0), "10 %, concentrated": Noise(0.1, concentrated=True)}
OF_PAIRS = ("none", "10 %")  # of pairs whose hard negatives are not known
Source = Callable[[int], LabelledData]


def demo(task: str, rows: int) -> Source:
    """The demo of each seed with that many training rows, without its own label noise."""
    return lambda seed: _demo(rows, seed)[task]


@cache
def _demo(rows: int, seed: int) -> dict[str, LabelledData]:
    own = load(PrepareParams, "prepare", file=Path("profiles/nano.yaml")).own(Params, "demo")
    settings = own.model_copy(
        update={"rows_train": own.rows_train.model_copy(update={"qc": rows, "qi": rows}), "label_noise": 0.0}
    )
    tasks = SOURCES.load("demo").read({"qc": DEMO, "qi": DEMO}, settings, seed).tasks
    return {
        name: LabelledData(task.train, hard_negatives(task.train, task.truth), task.dev, task.test)
        for name, task in tasks.items()
    }


def hard_negatives(rows: pl.DataFrame, truth: Truth) -> Labels:
    """Whether a row is a negative with a path of the query's department, or a title with a fact that it asks for."""
    facts = pl.col("facts").list.eval(
        pl.when(pl.element().str.starts_with("category:"))
        .then(pl.element().str.split(LEVEL).list.first())
        .otherwise(pl.element())
    )
    asked, present = (table.with_columns(facts) for table in (truth.groups, truth.candidates))
    shared = (
        rows.select("group", "candidate", "label")
        .join(asked.rename({"key": "group"}), on="group", how="left", maintain_order="left")
        .join(
            present.rename({"key": "candidate", "facts": "present"}), on="candidate", how="left", maintain_order="left"
        )
        .select(hard=(pl.col("label") == 0) & (pl.col("facts").list.set_intersection("present").list.len() > 0))
    )
    return shared["hard"].fill_null(value=False).to_numpy()


def halves(groups: pl.Series, seed: int) -> Labels:
    """Which of two folds each row is in, by query group, bool, shape (n_rows,)."""
    group = groups.rank("dense").to_numpy().astype(np.int64) - 1
    place = np.random.default_rng(seed).permutation(int(group.max()) + 1)
    second: Labels = place[group] % 2 == 1
    return second


def shops(pairs: Path, rows: int) -> Source:
    """The pairs of a file, of which each seed draws that many training rows, of whole queries."""
    return lambda seed: _drawn(pairs, rows, seed)


def _drawn(pairs: Path, rows: int, seed: int) -> LabelledData:
    task = marketplace("shops", pairs).tasks["qc"]
    train = whole_groups(task.train.filter(pl.col("label").is_not_null()), rows, seed)
    return LabelledData(train, np.zeros(train.height, np.bool_), task.dev, task.test)
