"""Distinct texts with their vectors, for tables in which texts repeat: each text is embedded once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from babelshelf.encoder.encoder import Encoder, FloatArray
from babelshelf.encoder.vector_cache import cached_vectors

Numbers = npt.NDArray[np.int32]  # places of texts in `EmbeddedTexts`


@dataclass(frozen=True)
class EmbeddedTexts:
    """Distinct texts in ascending order, and their vectors.

    Attributes:
        texts: String, shape (n_texts,).
        vectors: unit vectors, shape (n_texts, dimension), float32.
    """

    texts: pl.Series
    vectors: FloatArray

    @classmethod
    def of(cls, columns: Sequence[pl.Series], encoder: Encoder, cache: Path) -> EmbeddedTexts:
        """The texts of some columns; `cache`: see `cached_vectors`."""
        texts = distinct_texts(columns)
        return cls(texts, cached_vectors(texts.to_list(), encoder, cache))

    def numbers(self, texts: pl.Series) -> Numbers:
        """The place of each text, shape (n,); all must be among the distinct ones."""
        places = pl.DataFrame({"text": self.texts, "number": np.arange(len(self.texts), dtype=np.int32)})
        joined = texts.alias("text").to_frame().join(places, on="text", how="left", maintain_order="left")
        numbers: Numbers = joined["number"].to_numpy()
        return numbers


def distinct_texts(columns: Sequence[pl.Series]) -> pl.Series:
    """The texts of some columns, each once, sorted: the list whose vectors the cache has."""
    return pl.concat([column.unique().alias("text") for column in columns]).unique().sort()
