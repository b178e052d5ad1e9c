"""Score pairs with a classifier, on the CPU, whatever `score.backend` says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl

from babelshelf.classifier.model_folder import PairClassifier, load_model

CHUNK = 2**18  # pairs


class ClassifierScorer:
    """A `Scorer` whose prompts are the numbers of the rows that it was last given.

    Args:
        model: the classifier.
        cache: folder of the vectors, see `cached_vectors`.
    """

    chunk = CHUNK

    def __init__(self, model: PairClassifier, cache: Path) -> None:
        self._model, self._cache = model, cache

    def encode(self, rows: pl.DataFrame) -> pl.Series:
        """Numbers of the rows, Int64, shape (rows,); the texts of all rows are embedded, each once."""
        self._features = self._model.features(rows, self._cache)
        return pl.Series("row", np.arange(rows.height))

    def order(self, prompts: pl.Series) -> np.ndarray:
        """As they are, int64, shape (prompts,)."""
        return np.arange(len(prompts))

    def score(self, prompts: pl.Series) -> np.ndarray:
        """p(yes) of each pair, float64, shape (prompts,)."""
        return self._model.classifier.predict(self._features.take(prompts.to_numpy()))


@contextmanager
def load(base: Path, model: Path, vectors: Path) -> Iterator[ClassifierScorer]:
    """A scorer from what the stage `classifier` wrote; see `babelshelf.classifier.model_folder.load_model`.

    Args:
        base: `models/base`.
        model: folder of the classifier.
        vectors: folder of the cache of vectors.
    """
    yield ClassifierScorer(load_model(base, model), vectors)
