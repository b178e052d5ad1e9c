"""The rows that `babelshelf tune` searches with: train and dev of a task. Test has no path here: it is never read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from babelshelf.core.errors import InputError
from babelshelf.core.rows import concat, read_labelled, read_table
from babelshelf.evaluate.metrics import languages_in_train

Mask = npt.NDArray[np.bool_]

MIN_GROUPS = 60  # query groups below which the folds of the folds would be too small to rank anything
SETS = 3  # of languages that are left out in turn
SET_SHARE = 4  # a set has at most one in so many of the train languages
MAX_SET = 4  # languages of a set
MOST_FURTHER = 10_000  # candidates of the catalogue that are in no row: they are embedded, too


@dataclass(frozen=True)
class TaskFiles:
    """The files of a task.

    Attributes:
        train, dev: labelled rows.
        catalogue: all candidates, of which only those with `in_train` are used.
    """

    train: Path
    dev: Path
    catalogue: Path

    @classmethod
    def of(cls, task: str, data: Path = Path("data")) -> TaskFiles:
        """Where `prepare` writes them."""
        original = data / "original" / task
        return cls(original / "train.parquet", original / "dev.parquet", data / "catalogue" / f"{task}.parquet")


@dataclass(frozen=True)
class SearchData:
    """The labelled rows of train and dev.

    Attributes:
        task: qc or qi.
        rows: `ROW_SCHEMA`, train first.
        trainable: whether a row may be trained on, shape (n_rows,): rows of dev in languages that train lacks may not.
        languages: those of train, sorted.
        absent: those of dev that train lacks, sorted.
        candidates: unique texts to mine negatives from: those of the rows, and of the rest of the catalogue at most
            `MOST_FURTHER` at random.
        rank_scale: ranks in the whole catalogue for one in `candidates`.
    """

    task: str
    rows: pl.DataFrame
    trainable: Mask
    languages: list[str]
    absent: list[str]
    candidates: list[str]
    rank_scale: float = 1.0

    @property
    def positive_share(self) -> float:
        """Share of label 1 among the rows that may be trained on."""
        return float(self.rows["label"].to_numpy()[self.trainable].mean())


def read_data(task: str, files: TaskFiles, in_train_rows: int, most_rows: int, seed: int) -> SearchData:
    """Read the rows of train and dev, at most `most_rows` of them, in whole query groups.

    Args:
        task: qc or qi.
        files: what is read.
        in_train_rows: see `languages_in_train`.
        most_rows: upper limit of the rows.
        seed: of the sample.

    Raises:
        InputError: a file is missing, or there are too few query groups or only one label.
    """
    train, dev = read_labelled(files.train), read_labelled(files.dev)
    languages = languages_in_train(train, in_train_rows)
    rows = _sample(concat(train, dev), most_rows, seed)
    of_dev = rows["id"].is_in(dev["id"].implode()).to_numpy()
    trainable = ~of_dev | rows["language"].is_in(languages).to_numpy()
    groups = rows.filter(trainable)["group"].n_unique()
    if groups < MIN_GROUPS or rows.filter(trainable)["label"].n_unique() < 2:
        raise InputError(
            f"{files.train}, {files.dev}: {groups} query groups: tune needs {MIN_GROUPS} or more, with both labels"
        )
    catalogue = read_table(files.catalogue).filter("in_train")["candidate"]
    own = rows.filter(trainable)["candidate"].unique(maintain_order=True)
    further = catalogue.filter(~catalogue.is_in(own.implode())).unique(maintain_order=True)
    candidates = pl.concat([own, further.sample(min(MOST_FURTHER, len(further)), seed=seed)])
    return SearchData(
        task,
        rows,
        trainable,
        languages,
        sorted(set(rows["language"]) - set(languages)),
        candidates.to_list(),
        (len(own) + len(further)) / len(candidates),
    )


def language_sets(data: SearchData, seed: int) -> list[frozenset[str]]:
    """Sets of train languages to leave out in turn, as if they had no labels.

    The largest language stays, as a shop has labels in its main language. Without at least three languages there is
    nothing to leave out.
    """
    sizes = data.rows.filter(data.trainable).group_by("language").len().sort("len", "language", descending=True)
    others = [language for language in sizes["language"] if language in data.languages][1:]
    if len(others) < 2:
        return []
    shuffled = [others[place] for place in np.random.default_rng(seed).permutation(len(others))]
    size = min(MAX_SET, max(1, len(data.languages) // SET_SHARE))
    sets = min(SETS, len(shuffled) // size)
    return [frozenset(shuffled[number * size : (number + 1) * size]) for number in range(sets)]


def _sample(rows: pl.DataFrame, most: int, seed: int) -> pl.DataFrame:
    if rows.height <= most:
        return rows
    groups = rows.group_by("group").len().sort("group")
    order = np.random.default_rng(seed).permutation(groups.height)
    shuffled = groups[order]
    chosen = shuffled.filter(pl.col("len").cum_sum() <= most)
    return rows.join(chosen, on="group", how="semi", maintain_order="left")
