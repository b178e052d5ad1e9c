"""Random negatives for files that hold positive pairs alone, such as click logs.

Each positive row gets the candidates of other positive rows, drawn at random. Drawing rows, not candidates, gives each
candidate about as many negatives as its share of the positives, so that a model cannot learn which candidates are
popular in place of which are relevant. Candidates come from rows of the same task, split and language: dev and test
give nothing to train, and the language of a candidate says nothing about its label.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from babelshelf.core.rows import SPLITS
from babelshelf.pairs.rows import CODED
from babelshelf.pairs.splits import KEPT
from babelshelf.text.keys import each_once, keys

IntArray = npt.NDArray[np.int64]

STREAM = b"random negatives"  # this module's own stream of random numbers among those of the pipeline's seed
ROUNDS = 64  # of draws for a row, the second half of them uniform over candidates: then it goes without a negative


@dataclass(frozen=True)
class KnownPairs:
    """Pairs of query group and candidate as numbers, by the place of their row: a pair is `group + candidate`.

    Attributes:
        group: a multiple of the number of candidates.
        candidate: below that number.
    """

    group: IntArray
    candidate: IntArray

    @cached_property
    def known(self) -> IntArray:
        """The pairs that are there, sorted."""
        return np.unique(self.group + self.candidate)


def random_negatives(rows: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Random negatives of the positive rows whose files ask for them.

    A candidate that any row of the query group has is never drawn, in whatever language, case or split it is, and even
    if that row was left out (as a leak, say): it may be relevant.

    Args:
        rows: as `splits.assign_splits` gives them, those left out too; `random_negatives` is the number of negatives
            for each positive.
        seed: of the draws.

    Returns:
        New rows with the columns of `rows` and `parent_id` (the positive row's id), id `<parent>/random-<number>`,
        label 0. A positive row gets fewer than it asks for if its split and language have too few candidates.
    """
    asking = KEPT & (pl.col("label") == 1) & (pl.col("random_negatives") > 0)
    none = rows.clear().with_columns(parent_id=pl.lit(None, pl.String))
    tasks = rows.filter(asking)["task"].unique(maintain_order=True)
    drawn = [_of_task(rows.filter(task=task), asking, np.random.default_rng([seed, *STREAM])) for task in tasks]
    return pl.concat([none, *drawn])


def counted(rows: pl.DataFrame, negatives: pl.DataFrame) -> dict[str, int]:
    """Numbers of random negatives of a task by split, and `missing`; empty if its files ask for none.

    Args:
        rows: of the task, as `random_negatives` takes them.
        negatives: of the task.
    """
    asked = int(rows.filter(KEPT & (pl.col("label") == 1))["random_negatives"].cast(pl.Int64).sum())
    if not asked:
        return {}
    by_split = {split: negatives.filter(split=split).height for split in SPLITS}
    return {**by_split, "missing": asked - negatives.height}


def _of_task(rows: pl.DataFrame, asking: pl.Expr, rng: np.random.Generator) -> pl.DataFrame:
    numbered = rows.with_row_index("place")
    group, candidate = _codes(rows["key"]), _codes(each_once(rows["candidate"], keys))
    pairs = KnownPairs(group * (int(candidate.max()) + 1), candidate)
    places = []
    pools = numbered.filter(KEPT & (pl.col("label") == 1)).partition_by("split", "language", maintain_order=True)
    for pool in pools:
        anchors = pool.filter(asking)
        wanted = anchors["place"].to_numpy().astype(np.int64).repeat(anchors["random_negatives"].to_numpy())
        offered = pool["place"].to_numpy().astype(np.int64)
        places.append(_draw(wanted, offered, pairs, rng))
    parents, others = np.concatenate(places, axis=1)
    number = pl.int_range(pl.len()).over("parent_id") + 1
    negatives: pl.DataFrame = rows[parents].with_columns(
        rows[others]["candidate"], parent_id=pl.col("id"), label=pl.lit(0, pl.Int8)
    )
    return negatives.with_columns(id=pl.format("{}/random-{}", "parent_id", number))


def _codes(texts: pl.Series) -> IntArray:
    """A number for each different text; null is a text of its own."""
    return texts.cast(CODED).to_physical().cast(pl.Int64).fill_null(-1).to_numpy() + 1


def _draw(wanted: IntArray, offered: IntArray, pairs: KnownPairs, rng: np.random.Generator) -> IntArray:
    """Draw a row of `offered` for each of `wanted` until its candidate is new to the group.

    Args:
        wanted: places of rows that need a negative, shape (n,), the same place once for each negative.
        offered: places of the rows whose candidates can be drawn.
        pairs: of all rows, by place.
        rng: of the draws.

    Returns:
        Places of the parents and of the drawn rows, shape (2, drawn), in the order of `wanted`.
    """
    found = np.full(len(wanted), -1, dtype=np.int64)
    _, first = np.unique(pairs.candidate[offered], return_index=True)
    unique = offered[np.sort(first)]
    new = pairs.known[:0]
    for attempt in range(ROUNDS):
        missing = np.flatnonzero(found < 0)
        if not len(missing):
            break
        pool = offered if attempt < ROUNDS // 2 else unique
        drawn = pool[rng.integers(len(pool), size=len(missing))]
        made = pairs.group[wanted[missing]] + pairs.candidate[drawn]
        _, first = np.unique(made, return_index=True)  # of equal draws for one group, one counts
        first = first[~(_within(pairs.known, made[first]) | _within(new, made[first]))]
        found[missing[first]] = drawn[first]
        new = np.sort(np.concatenate([new, made[first]]))
    kept = found >= 0
    return np.stack([wanted[kept], found[kept]])


def _within(numbers: IntArray, values: IntArray) -> npt.NDArray[np.bool_]:
    """Which values are among the sorted numbers; unlike `np.isin`, it does not sort them again."""
    if not len(numbers):
        return np.zeros(len(values), dtype=np.bool_)
    place = np.minimum(np.searchsorted(numbers, values), len(numbers) - 1)
    found: npt.NDArray[np.bool_] = numbers[place] == values
    return found
