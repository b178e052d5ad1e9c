"""A table of pairs that is searched for those most like a pair, by the encoder's vectors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from babelshelf.classifier.features import distinct_texts
from babelshelf.encoder.encoder import Encoder, FloatArray
from babelshelf.encoder.vector_cache import cached_vectors


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
    query: npt.NDArray[np.int32]
    candidate: npt.NDArray[np.int32]

    @classmethod
    def of(cls, rows: pl.DataFrame, encoder: Encoder, cache: Path) -> PairTable:
        """Embed the texts of the rows; the stage `classifier` left those of its training set in the shared cache.

        Args:
            rows: see the class.
            encoder: the encoder.
            cache: see `cached_vectors`.
        """
        texts = distinct_texts(rows)
        position = pl.DataFrame({"text": texts, "number": np.arange(len(texts), dtype=np.int32)})
        query, candidate = (
            rows.select(text=name).join(position, on="text", how="left", maintain_order="left")["number"].to_numpy()
            for name in ("query", "candidate")
        )
        return cls(rows, cached_vectors(texts.to_list(), encoder, cache), query, candidate)

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
        found = self.rows.select(pl.all().gather(order))
        return found.with_columns(similarity=pl.Series(similarity[order], dtype=pl.Float64))
