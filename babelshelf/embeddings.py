"""Embed texts with a sentence-transformers model from a folder, and find each vector's nearest with FAISS."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import faiss
import numpy as np
import numpy.typing as npt
from sentence_transformers import SentenceTransformer
from tqdm import tqdm

from babelshelf.errors import InputError
from babelshelf.pointer import weights

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

FACTORY = {"flat": "Flat"}  # names of faiss.index_factory
SEARCH_BLOCK = 1024  # queries between two steps of the progress bar
TIE_DECIMALS = 5  # cosines in float32 that differ by less are one: the order of a sum may differ by text length
TIE_SLACK = 16  # neighbours that are searched beyond the asked ones, so that few rows end within a tie


def load_embedder(folder: Path) -> SentenceTransformer:
    """The sentence-transformers model of a folder; nothing is looked up on the hub."""
    if not (weights(folder) / "modules.json").is_file():
        raise InputError(
            f"{folder}: no sentence-transformers model (no modules.json in it); run `dvc repro base_model`"
        )
    return SentenceTransformer(str(weights(folder)), local_files_only=True)


def encode(embedder: SentenceTransformer, texts: Sequence[str], batch_size: int) -> FloatArray:
    """Unit vectors of `texts`, shape (n, dimension), with a progress bar."""
    vectors = embedder.encode(
        list(texts), batch_size=batch_size, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=True
    )
    return np.ascontiguousarray(vectors, dtype=np.float32)


def nearest(queries: FloatArray, vectors: FloatArray, k: int, index: Literal["flat"]) -> IntArray:
    """Indices of the `k` vectors nearest to each query by inner product, equal ones in their order in `vectors`.

    Args:
        queries: shape (n, dimension).
        vectors: what is searched, shape (m, dimension).
        k: at most m.
        index: `flat` compares with every vector.

    Returns:
        Shape (n, k), nearest first.
    """
    if k > len(vectors):
        raise ValueError(f"{k} neighbours are asked of {len(vectors)} vectors")
    searched = faiss.index_factory(vectors.shape[1], FACTORY[index], faiss.METRIC_INNER_PRODUCT)
    searched.add(vectors)
    found = np.empty((len(queries), k), dtype=np.int64)
    with tqdm(total=len(queries), desc="nearest candidates", unit="query") as progress:
        for start in range(0, len(queries), SEARCH_BLOCK):
            block = queries[start : start + SEARCH_BLOCK]
            found[start : start + len(block)] = _search(searched, block, k, TIE_SLACK)
            progress.update(len(block))
    return found


def _search(index: faiss.Index, queries: FloatArray, k: int, slack: int) -> IntArray:
    """Like `nearest`; FAISS leaves open which of equal vectors it returns, so search on until the tie at k ends."""
    wide = min(k + slack, index.ntotal)
    scores, found = index.search(queries, wide)
    scores = scores.round(TIE_DECIMALS)
    order = np.lexsort((found, -scores), axis=1)[:, :k]
    result: IntArray = np.take_along_axis(found, order, axis=1)
    tied = np.flatnonzero(scores[:, k - 1] == scores[:, -1])
    if wide < index.ntotal and len(tied):
        result[tied] = _search(index, queries[tied], k, 4 * slack)
    return result
