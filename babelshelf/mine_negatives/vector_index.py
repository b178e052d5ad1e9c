"""Find each vector's nearest among many with FAISS, exactly or by an approximate index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import faiss
import numpy as np
import numpy.typing as npt

from babelshelf.core.errors import InputError
from babelshelf.runtime.screen import progress

if TYPE_CHECKING:
    from babelshelf.mine_negatives.params import MineNegativesParams

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

STREAM = 12  # this module's own stream of random numbers among those of the pipeline's seed

CODES = {"fp32": "Flat", "fp16": "SQfp16", "sq8": "SQ8"}  # names of faiss.index_factory
ADD_BLOCK = 65536  # vectors that are read and added at once
SEARCH_BLOCK = 1024  # queries between two steps of the progress bar
TRAIN_POINTS = 64  # vectors a cluster that k-means sees; FAISS warns below MIN_POINTS
MIN_POINTS = 39
EXACT_BLOCK = 8192  # vectors that a query is compared with at once, where an index found too few
MISSING = -2.0  # below any cosine: the score of what an index did not find, which FAISS gives the lowest float
RANGE_POINTS = 100_000  # vectors that give the ranges of sq8's codes
TIE_DECIMALS = 5  # cosines in float32 that differ by less are one: the order of a sum may differ by text length
TIE_SLACK = 16  # neighbours that are searched beyond the asked ones, so that few rows end within a tie


def check_index(settings: MineNegativesParams, vectors: int) -> None:
    """Raise InputError if the index can't be made of so few vectors."""
    most = max(vectors // MIN_POINTS, 1)
    if settings.index == "ivf" and settings.ivf.lists > most:
        raise InputError(
            f"mine_negatives.ivf.lists is {settings.ivf.lists}, but {vectors} candidates are enough for {most}: "
            "lower it, or set mine_negatives.index to flat"
        )


def nearest(
    queries: FloatArray, rows: IntArray, vectors: FloatArray, k: int, *, settings: MineNegativesParams, seed: int
) -> IntArray:
    """Indices of the `k` vectors nearest to each query by inner product, equal ones in their order in `vectors`.

    The same for the same seed: k-means is seeded, and a graph is built by one thread, since its links depend on the
    order in which vectors come.

    Args:
        queries: shape (n, dimension); read in blocks, so that it may be a memory map.
        rows: which of `queries` are asked, shape (q,).
        vectors: what is searched, unit vectors of shape (m, dimension); read in blocks too.
        k: at most m.
        settings: the index. `flat` compares with every vector, and is exact with codes of fp32; a query of which an
            approximate index finds less than `k` is compared with every vector.
        seed: of the clusters.

    Returns:
        Shape (q, k), nearest first.
    """
    if k > len(vectors):
        raise ValueError(f"{k} neighbours are asked of {len(vectors)} vectors")
    return search(build_index(vectors, settings, seed), queries, rows, vectors, k)


def search(index: faiss.Index, queries: FloatArray, rows: IntArray, vectors: FloatArray, k: int) -> IntArray:
    """Like `nearest`, of the index that `build_index` made of `vectors`."""
    found = np.empty((len(rows), k), dtype=np.int64)
    with progress(total=len(rows), desc="find neighbours", unit="query") as bar:
        for start in range(0, len(rows), SEARCH_BLOCK):
            block = np.ascontiguousarray(queries[rows[start : start + SEARCH_BLOCK]])
            found[start : start + len(block)] = _complete(_search(index, block, k, TIE_SLACK), block, vectors)
            bar.update(len(block))
    return found


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
    """How much of an approximate index is looked at to answer a query; it may change after the index is built."""
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
    """Like `nearest`; FAISS leaves open which of equal vectors it returns, so search on until the tie at k ends.

    Where an approximate index finds less than `k`, the last are -1.
    """
    wide = min(k + slack, index.ntotal)
    scores, found = index.search(queries, wide)
    scores = np.maximum(scores, MISSING).round(TIE_DECIMALS)
    order = np.lexsort((found, -scores), axis=1)[:, :k]
    result: IntArray = np.take_along_axis(found, order, axis=1)
    tied = np.flatnonzero((scores[:, k - 1] == scores[:, -1]) & (found[:, -1] >= 0))
    if wide < index.ntotal and len(tied):
        result[tied] = _search(index, queries[tied], k, 4 * slack)
    return result


def _complete(found: IntArray, queries: FloatArray, vectors: FloatArray) -> IntArray:
    """`found`, with the rows in which something is missing searched among all vectors, block by block."""
    short = np.flatnonzero((found < 0).any(axis=1))
    if len(short):
        found[short] = _exact(queries[short], vectors, found.shape[1])
    return found


def _exact(queries: FloatArray, vectors: FloatArray, k: int) -> IntArray:
    """Exact neighbours without an index; equals in their order in `vectors`."""
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
