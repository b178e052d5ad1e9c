"""Nearest-neighbour search with FAISS, exact or by an approximate index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import faiss
import numpy as np
import numpy.typing as npt

from babelshelf.core.errors import InputError
from babelshelf.encoder.encoder import FloatArray
from babelshelf.runtime.screen import progress

if TYPE_CHECKING:
    from babelshelf.mine_negatives.params import MineNegativesParams

IntArray = npt.NDArray[np.int64]

STREAM = 12  # this module's own stream of random numbers among those of the pipeline's seed

CODES = {"fp32": "Flat", "fp16": "SQfp16", "sq8": "SQ8"}  # names of faiss.index_factory
ADD_BLOCK = 65536  # vectors that are added at once
SEARCH_BLOCK = 1024  # queries between two steps of the progress bar
TRAIN_POINTS = 64  # training vectors of k-means per cluster; FAISS warns below MIN_POINTS
MIN_POINTS = 39
EXACT_BLOCK = 8192  # vectors per block of the exact search, for queries with too few results
MISSING = -2.0  # below any cosine: replaces the lowest float, which FAISS gives to missing results
RANGE_POINTS = 100_000  # training vectors for the ranges of sq8's codes
TIE_DECIMALS = 5  # float32 cosines are rounded to this, as the order of a sum varies with the batch
TIE_SLACK = 16  # additional neighbours to search, so that few results end within a tie


def check_index(settings: MineNegativesParams, vectors: int) -> None:
    """Raise InputError if the index needs more than `vectors` vectors."""
    most = max(vectors // MIN_POINTS, 1)
    if settings.index == "ivf" and settings.ivf.lists > most:
        raise InputError(
            f"mine_negatives.ivf.lists is {settings.ivf.lists}, but {vectors} candidates are enough for only {most}: "
            "lower it, or set mine_negatives.index to flat"
        )


def nearest(
    queries: FloatArray, rows: IntArray, vectors: FloatArray, k: int, *, settings: MineNegativesParams, seed: int
) -> IntArray:
    """Indices of the `k` nearest vectors of each query by inner product; ties are in the order of `vectors`.

    Deterministic for a seed: k-means is seeded, and a graph is built by one thread, as its links depend on the order of
    insertion.

    Args:
        queries: shape (n, dimension), float32; read in blocks, so it may be a memory map.
        rows: indices of the rows of `queries` to search for, shape (q,).
        vectors: unit vectors to search, shape (m, dimension), float32; read in blocks.
        k: number of neighbours, at most m.
        settings: the index. `flat` with codes `fp32` is exact. If an approximate index returns fewer than `k` results,
            that query is searched exactly.
        seed: seed of k-means.

    Returns:
        Shape (q, k), nearest first.
    """
    if k > len(vectors):
        raise ValueError(f"k is {k}, but there are only {len(vectors)} vectors")
    return search(build_index(vectors, settings, seed), queries, rows, vectors, k)


def search(index: faiss.Index, queries: FloatArray, rows: IntArray, vectors: FloatArray, k: int) -> IntArray:
    """Like `nearest`, with an `index` of `vectors` from `build_index`."""
    neighbours = np.empty((len(rows), k), dtype=np.int64)
    with progress(total=len(rows), desc="find neighbours", unit="query") as bar:
        for start in range(0, len(rows), SEARCH_BLOCK):
            block = np.ascontiguousarray(queries[rows[start : start + SEARCH_BLOCK]])
            neighbours[start : start + len(block)] = _complete(_search(index, block, k, TIE_SLACK), block, vectors)
            bar.update(len(block))
    return neighbours


def build_index(vectors: FloatArray, settings: MineNegativesParams, seed: int) -> faiss.Index:
    """A trained index with all `vectors`, shape (m, dimension)."""
    kind = {"flat": "", "ivf": f"IVF{settings.ivf.lists},", "hnsw": f"HNSW{settings.hnsw.links},"}[settings.index]
    index: Any = faiss.index_factory(vectors.shape[1], kind + CODES[settings.codes], faiss.METRIC_INNER_PRODUCT)
    if settings.index == "ivf":
        index.cp.seed = seed % 2**31
    if settings.index == "hnsw":
        index.hnsw.efConstruction = settings.hnsw.ef_construction
    set_search_width(index, settings)
    if not index.is_trained:
        points = TRAIN_POINTS * settings.ivf.lists if settings.index == "ivf" else RANGE_POINTS
        index.train(_sample(vectors, points, seed))
    _add(index, vectors, one_thread=settings.index == "hnsw")
    built: faiss.Index = index
    return built


def set_search_width(index: Any, settings: MineNegativesParams) -> None:  # noqa: ANN401 - faiss has no types
    """Set how much of an approximate index a query visits; it can be changed after the index was built."""
    if settings.index == "ivf":
        index.nprobe = min(settings.ivf.probes, settings.ivf.lists)
    if settings.index == "hnsw":
        index.hnsw.efSearch = settings.hnsw.ef_search


def _sample(vectors: FloatArray, number: int, seed: int) -> FloatArray:
    rows = np.random.default_rng([seed, STREAM]).permutation(len(vectors))[:number]
    sample: FloatArray = np.ascontiguousarray(vectors[np.sort(rows)])
    return sample


def _add(index: faiss.Index, vectors: FloatArray, *, one_thread: bool) -> None:
    threads = faiss.omp_get_max_threads()
    if one_thread:
        faiss.omp_set_num_threads(1)
    try:
        with progress(total=len(vectors), desc="index", unit="vector") as bar:
            for start in range(0, len(vectors), ADD_BLOCK):
                block = np.ascontiguousarray(vectors[start : start + ADD_BLOCK])
                index.add(block)
                bar.update(len(block))
    finally:
        faiss.omp_set_num_threads(threads)


def _search(index: faiss.Index, queries: FloatArray, k: int, slack: int) -> IntArray:
    """Like `nearest`, for contiguous `queries`; missing results of an approximate index are -1.

    FAISS returns any of several equal vectors, so the search is widened until it includes the whole tie at rank k.
    """
    wide = min(k + slack, index.ntotal)
    scores, neighbours = index.search(queries, wide)
    scores = np.maximum(scores, MISSING).round(TIE_DECIMALS)
    order = np.lexsort((neighbours, -scores), axis=1)[:, :k]
    result: IntArray = np.take_along_axis(neighbours, order, axis=1)
    tied = np.flatnonzero((scores[:, k - 1] == scores[:, -1]) & (neighbours[:, -1] >= 0))
    if wide < index.ntotal and len(tied):
        result[tied] = _search(index, queries[tied], k, 4 * slack)
    return result


def _complete(neighbours: IntArray, queries: FloatArray, vectors: FloatArray) -> IntArray:
    """Replace rows with missing results by an exact search."""
    incomplete = np.flatnonzero((neighbours < 0).any(axis=1))
    if len(incomplete):
        neighbours[incomplete] = _exact(queries[incomplete], vectors, neighbours.shape[1])
    return neighbours


def _exact(queries: FloatArray, vectors: FloatArray, k: int) -> IntArray:
    """Exact neighbours without an index, block by block; ties are in the order of `vectors`."""
    best = np.full((len(queries), 0), -1, dtype=np.int64)
    scores = np.empty((len(queries), 0), dtype=np.float32)
    for start in range(0, len(vectors), EXACT_BLOCK):
        block = queries @ vectors[start : start + EXACT_BLOCK].T
        scores = np.concatenate([scores, block.round(TIE_DECIMALS)], axis=1)
        numbers = np.broadcast_to(np.arange(start, start + block.shape[1]), block.shape)
        best = np.concatenate([best, numbers], axis=1)
        order = np.lexsort((best, -scores), axis=1)[:, :k]
        best, scores = np.take_along_axis(best, order, axis=1), np.take_along_axis(scores, order, axis=1)
    return best
