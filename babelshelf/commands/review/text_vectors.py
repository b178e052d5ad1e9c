"""Vectors of the rows' texts by the pipeline's encoder, and the labelled rows that are nearest to a pair."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from babelshelf.classifier.params import ClassifierParams
from babelshelf.commands.review.items import ReviewItem
from babelshelf.core.files import work_dir
from babelshelf.core.params import load
from babelshelf.core.rows import LEVEL
from babelshelf.encoder.embedder import load_embedder
from babelshelf.encoder.encoder import Encoder, FloatArray
from babelshelf.encoder.vector_cache import cached_vectors
from babelshelf.tables.reviews import PAIR

EMBEDDER = Path("models/base/embedder")
MOST_TEXTS = 200_000  # of more, the vectors would take too long to make and too much memory
SHOWN = 3


@dataclass(frozen=True)
class LabelledNeighbour:
    """A labelled row near a pair.

    Attributes:
        language, query, candidate, label: of the row.
        similarity: mean cosine of the two queries and of the two candidates.
    """

    language: str
    query: str
    candidate: str
    label: int
    similarity: float


class TextVectors:
    """Unit vectors of all texts of rows.

    Args:
        rows: `ROW_SCHEMA`.
        encoder: embeds the texts.
        cache: folder of the vectors; after a stage `classifier` has run on these rows it has them.
    """

    def __init__(self, rows: pl.DataFrame, encoder: Encoder, cache: Path) -> None:
        last = rows["candidate"].str.split(LEVEL).list.last()  # the classifier embeds it, too: one list, one cache
        texts = pl.concat([rows["query"].unique(), rows["candidate"].unique(), last.unique()]).unique().sort()
        self._number = {text: number for number, text in enumerate(texts)}
        self._vectors = cached_vectors(texts.to_list(), encoder, cache)
        # Labels that people gave in the data: not those of negatives, nor of translations, which would echo the row.
        labelled = rows.filter(pl.col("label").is_not_null(), pl.col("origin") == "original")
        self._labelled, self._ids = labelled.select(*PAIR, "label"), labelled["id"].to_numpy()
        self._queries, self._candidates = (
            np.array([self._number[text] for text in self._labelled[name]], int) for name in ("query", "candidate")
        )

    def nearest(self, item: ReviewItem, count: int = SHOWN) -> list[LabelledNeighbour]:
        """The nearest labelled rows, nearest first, but not the item's own pair and the row it was translated from."""
        if item.query not in self._number or item.candidate not in self._number or not self._labelled.height:
            return []
        query, candidate = self._of(item.query), self._of(item.candidate)
        similarity = (self._vectors @ query)[self._queries] + (self._vectors @ candidate)[self._candidates]
        same = (self._queries == self._number[item.query]) & (self._candidates == self._number[item.candidate])
        similarity[same | (self._ids == item.parent_id)] = -np.inf
        places = np.argsort(-similarity, kind="stable")[:count]
        return [
            LabelledNeighbour(**self._labelled.row(int(place), named=True), similarity=float(similarity[place]) / 2)
            for place in places
            if np.isfinite(similarity[place])
        ]

    def pair_vectors(self, items: list[ReviewItem]) -> FloatArray:
        """Vectors of pairs: that of the query and that of the candidate, shape (n_items, 2 * dimension)."""
        return np.stack([np.concatenate([self._of(item.query), self._of(item.candidate)]) for item in items])

    def _of(self, text: str) -> FloatArray:
        vector: FloatArray = self._vectors[self._number[text]]
        return vector


def load_vectors(rows: pl.DataFrame) -> TextVectors | None:
    """Vectors of the rows by `models/base/embedder`; None where the pipeline has none, or there are too many texts."""
    texts = rows["query"].n_unique() + rows["candidate"].n_unique()
    if not EMBEDDER.exists() or texts > MOST_TEXTS:
        return None
    return TextVectors(rows, load_embedder(EMBEDDER, load(ClassifierParams, "classifier")), work_dir() / "encoder")
