"""A table of pairs that is searched for those most like a pair, by the encoder's vectors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from babelshelf.classifier.features import pair_texts
from babelshelf.encoder.embedded_texts import EmbeddedTexts, Numbers
from babelshelf.encoder.encoder import Encoder, FloatArray


@dataclass(frozen=True)
class PairTable:
    """Pairs with their vectors.

    Attributes:
        rows: with the columns `query` and `candidate`.
        vectors: of the distinct texts, shape (n_texts, dimension), float32.
        query, candidate: number of each row's query and candidate among the texts, shape (n_rows,).
    """

    rows: pl.DataFrame
    vectors: FloatArray
    query: Numbers
    candidate: Numbers

    @classmethod
    def of(cls, rows: pl.DataFrame, encoder: Encoder, cache: Path) -> PairTable:
        """Embed the texts of the rows; the stage `classifier` left those of its training set in the shared cache.

        Args:
            rows: see the class.
            encoder: the encoder.
            cache: see `cached_vectors`.
        """
        texts = EmbeddedTexts.of(pair_texts(rows), encoder, cache)
        return cls(rows, texts.vectors, texts.numbers(rows["query"]), texts.numbers(rows["candidate"]))

    def labelled(self) -> PairTable:
        """The rows that have a label, of a table with the column `label`."""
        has_label = self.rows["label"].is_not_null()
        kept = has_label.to_numpy()
        return PairTable(self.rows.filter(has_label), self.vectors, self.query[kept], self.candidate[kept])

    def nearest(
        self, query: FloatArray, candidate: FloatArray, count: int, among: npt.NDArray[np.bool_] | None = None
    ) -> pl.DataFrame:
        """The rows most like a pair.

        Args:
            query: unit vector of the pair's query, shape (dimension,).
            candidate: likewise, of its candidate.
            count: how many rows at most.
            among: which rows are looked at, shape (n_rows,); None: all.

        Returns:
            The rows with the column `similarity`, the mean of both cosines, the highest first; ties in the rows' order.
        """
        similarity = ((self.vectors @ query)[self.query] + (self.vectors @ candidate)[self.candidate]) / 2
        numbers = np.arange(len(similarity)) if among is None else np.flatnonzero(among)
        order = numbers[np.argsort(-similarity[numbers], kind="stable")[:count]]
        pairs = self.rows.select(pl.all().gather(order))
        return pairs.with_columns(similarity=pl.Series(similarity[order], dtype=pl.Float64))
