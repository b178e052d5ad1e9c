"""Unlabelled pairs that the teacher scores: queries of the training side, each with near, middle and far candidates.

The labelled pairs are few, and close to what a search engine once showed. Pairs of other ranks show the student where
the teacher says "no", and translated queries do so in languages without labels (augmentation with soft labels, as in
"Augmented SBERT", arXiv 2010.08240, and TinyBERT, arXiv 1909.10351, section 3.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import faiss
import numpy as np
import numpy.typing as npt
import polars as pl

from babelshelf.core.errors import InputError
from babelshelf.core.rows import ROW_SCHEMA
from babelshelf.encoder.encoder import Encoder, FloatArray
from babelshelf.encoder.vector_cache import cached_vectors
from babelshelf.runtime.screen import progress
from babelshelf.text.keys import keys

if TYPE_CHECKING:
    from babelshelf.distill.params import DistillParams

STREAM = 14  # this module's own stream of random numbers among those of the pipeline's seed
BLOCK = 1024  # queries that are compared with all candidates at once
ORIGIN = "unlabelled"
QUERY_COLUMNS = ("language", "query", "group")
DISTANCES = ("near", "middle", "far")
PAIR_SCHEMA = pl.Schema([*ROW_SCHEMA.items(), ("distance", pl.String())])
POOL_SCHEMA = pl.Schema({"number": pl.Int64, "candidate": pl.String})
DRAWN_SCHEMA = pl.Schema({"row": pl.Int64, "number": pl.Int64, "distance": pl.String})

IntArray = npt.NDArray[np.int64]


def choose_queries(
    tables: Sequence[pl.DataFrame], held_out: pl.Series, settings: DistillParams, seed: int
) -> pl.DataFrame:
    """Distinct queries, at most `queries_per_language` of each language, drawn at random.

    Args:
        tables: with the columns `QUERY_COLUMNS`; a query has the group that it has in the first of them.
        held_out: keys of the queries of dev and test, see `babelshelf.text.keys`: these are left out.
        settings: how many.
        seed: the pipeline's seed.

    Returns:
        Columns `QUERY_COLUMNS`, sorted by language and query.
    """
    pooled = pl.concat([table.select(QUERY_COLUMNS) for table in tables]).drop_nulls(["language", "query"])
    groups = pooled.unique("query", keep="first", maintain_order=True).select("query", known=pl.col("group"))
    distinct = pooled.unique(["language", "query"]).join(groups, on="query").sort("language", "query")
    training = distinct.filter(~keys(distinct["query"]).is_in(held_out.implode()))
    place = np.random.default_rng([seed, STREAM]).permutation(training.height)
    drawn = training.with_columns(place=place).filter(
        pl.col("place").rank("ordinal").over("language") <= settings.queries_per_language
    )
    return drawn.select("language", "query", group=pl.coalesce("known", "query"))


def unlabelled_pairs(
    queries: pl.DataFrame,
    candidates: Sequence[str],
    nearest_numbers: IntArray,
    known: pl.DataFrame,
    *,
    settings: DistillParams,
    task: str,
    seed: int,
) -> pl.DataFrame:
    """Pairs of queries and candidates, in the order of the queries.

    Args:
        queries: of `choose_queries`.
        candidates: unique texts of the training side.
        nearest_numbers: of `neighbours`, shape (n_queries, k).
        known: pairs that are training rows already, columns `query` and `candidate`: these are left out.
        settings: how many, and of which ranks.
        task: `qc` or `qi`.
        seed: the pipeline's seed.

    Returns:
        A table of `PAIR_SCHEMA`; the labels are null.
    """
    rng = np.random.default_rng([seed, STREAM, 1])
    drawn = _draw(nearest_numbers, len(candidates), settings, rng)
    texts = pl.DataFrame({"number": np.arange(len(candidates)), "candidate": list(candidates)}, POOL_SCHEMA)
    pairs = (
        drawn.join(queries.with_row_index("row").cast({"row": pl.Int64}), on="row", maintain_order="left")
        .join(texts, on="number", maintain_order="left")
        .join(known.select("query", "candidate").unique(), on=["query", "candidate"], how="anti", maintain_order="left")
    )
    numbered = pairs.with_row_index("id").with_columns(
        id=pl.format("unlabelled-{}", "id"),
        task=pl.lit(task),
        label=pl.lit(None, pl.Int8),
        origin=pl.lit(ORIGIN),
        parent_id=pl.lit(None, pl.String),
    )
    return numbered.select(PAIR_SCHEMA.names())


def nearest_ranks(settings: DistillParams, candidates: int) -> int:
    """How many nearest candidates a query's draws need: the ranks that are near or middle, and no more than there are.

    Raises:
        InputError: there are fewer candidates than near ranks.
    """
    middle, far = settings.ranks
    if candidates < middle:
        raise InputError(
            f"tasks.<task>.distill.ranks: the ranks below {middle} are near, but there are only {candidates} "
            "candidates: lower it"
        )
    return min(far, candidates)


def neighbours(
    queries: pl.DataFrame, candidates: Sequence[str], encoder: Encoder, cache: Path, settings: DistillParams
) -> IntArray:
    """The nearest candidates of each query by the encoder, as `unlabelled_pairs` needs them.

    Args:
        queries: of `choose_queries`.
        candidates: unique texts.
        encoder: embeds both.
        cache: folder of the vectors, see `cached_vectors`.
        settings: ranks, and the encoder's prompt before a query.

    Raises:
        InputError: see `nearest_ranks`.
    """
    k = nearest_ranks(settings, len(candidates))
    texts = queries.select(pl.col("query").unique().sort()).with_row_index("number")
    found = nearest(
        cached_vectors(texts["query"].to_list(), encoder, cache, settings.query_prompt),
        cached_vectors(candidates, encoder, cache),
        k,
    )
    of_queries: IntArray = found[queries.join(texts, on="query", maintain_order="left")["number"].to_numpy()]
    return of_queries


def nearest(queries: FloatArray, vectors: FloatArray, k: int) -> IntArray:
    """Numbers of the `k` nearest of `vectors` by inner product, nearest first, exact, shape (n_queries, k)."""
    found = np.empty((len(queries), k), np.int64)
    with progress(total=len(queries), desc="find neighbours", unit="query") as bar:
        for start in range(0, len(queries), BLOCK):
            block = queries[start : start + BLOCK]
            found[start : start + len(block)] = faiss.knn(block, vectors, k, metric=faiss.METRIC_INNER_PRODUCT)[1]
            bar.update(len(block))
    return found


def _draw(
    nearest_numbers: IntArray, candidates: int, settings: DistillParams, rng: np.random.Generator
) -> pl.DataFrame:
    """Columns `row` (of the query), `number` (of the candidate) and `distance`, sorted by query; no pair twice."""
    per_query, (middle, _) = settings.pairs_per_query, settings.ranks
    parts = {
        "near": _sample(nearest_numbers[:, :middle], per_query.near, rng),
        "middle": _sample(nearest_numbers[:, middle:], per_query.middle, rng),
        "far": _far(nearest_numbers, candidates, per_query.far, rng),
    }
    rows = np.arange(len(nearest_numbers))
    tables = [
        pl.DataFrame(
            {"row": np.repeat(rows, numbers.shape[1]), "number": numbers.ravel(), "distance": distance}, DRAWN_SCHEMA
        )
        for distance, numbers in parts.items()
    ]
    drawn = pl.concat(tables).filter(pl.col("number") >= 0)
    return drawn.unique(["row", "number"], keep="first", maintain_order=True).sort("row", maintain_order=True)


def _sample(numbers: IntArray, count: int, rng: np.random.Generator) -> IntArray:
    """At most `count` of each row, without repetition, shape (n_queries, at most count)."""
    order = rng.random(numbers.shape).argsort(axis=1)[:, :count]
    sample: IntArray = np.take_along_axis(numbers, order, axis=1)
    return sample


def _far(nearest_numbers: IntArray, candidates: int, count: int, rng: np.random.Generator) -> IntArray:
    """`count` candidates at random for each query, -1 where one is near or middle, shape (n_queries, count)."""
    drawn = rng.integers(candidates, size=(len(nearest_numbers), count))
    is_near = [np.isin(row, near) for row, near in zip(drawn, nearest_numbers, strict=True)]
    return np.where(np.reshape(is_near, drawn.shape), -1, drawn)
