"""Score pairs with a classifier, on the CPU, whatever `score.backend` says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl

from babelshelf.classifier.model_folder import PairClassifier, load_model
from babelshelf.core.files import work_dir

CHUNK = 2**18  # pairs: the texts that they share are read from the cache of vectors once


class ClassifierScorer:
    """A `Scorer` whose prompts are the pairs themselves.

    Args:
        model: the classifier.
        cache: folder of the vectors, see `cached_vectors`.
    """

    chunk = CHUNK

    def __init__(self, model: PairClassifier, cache: Path) -> None:
        self._model, self._cache = model, cache

    def encode(self, rows: pl.DataFrame) -> pl.Series:
        """The pairs, a Struct of `query` and `candidate`, shape (rows,)."""
        return rows.select(pair=pl.struct("query", "candidate")).to_series()

    def order(self, prompts: pl.Series) -> np.ndarray:
        """As they are, int64, shape (prompts,)."""
        return np.arange(len(prompts))

    def score(self, prompts: pl.Series) -> np.ndarray:
        """p(yes) of each pair, float64, shape (prompts,)."""
        return self._model.p_yes(prompts.struct.unnest(), self._cache)


@contextmanager
def load(base: Path, model: Path) -> Iterator[ClassifierScorer]:
    """A scorer from what the stage `classifier` wrote; see `babelshelf.classifier.model_folder.load_model`."""
    yield ClassifierScorer(load_model(base, model), work_dir() / "encoder")
