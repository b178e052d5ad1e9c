"""Features of pairs: the frozen encoder's vectors of query and candidate, combined; contrast and lexical features.

Each distinct text is embedded once. The features of a row are made when they are read, so that 10 million rows need
the memory of their texts' vectors and not of 1,500 numbers a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from babelshelf.classifier import contrast, lexical
from babelshelf.classifier.contrast import Neighbourhood, Reference
from babelshelf.classifier.lexical import LexicalTexts, Rows
from babelshelf.core.rows import LEVEL
from babelshelf.encoder.embedded_texts import EmbeddedTexts, Numbers
from babelshelf.encoder.encoder import Encoder, FloatArray

BLOCK = 8192  # rows whose features are made at once
SINGLE = 6  # of 1, 3, 6 and 12 the best out of fold on the pairs that docs/benchmarks.md names, 12 no better


class FeatureMatrix(Protocol):
    """Features by row: an array, or `PairFeatures`, which makes them when they are read."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Numbers of rows and of features."""
        ...

    def __getitem__(self, rows: Rows, /) -> FloatArray:
        """Features of some rows, float32."""
        ...


@dataclass(frozen=True)
class PairFeatures:
    """The features of pairs; `features[rows]`, with a slice or row numbers, makes those of some rows.

    For the unit vectors u of the query, v of the candidate and w of the last level of a category path, a row has
    u * v, |u - v|, v and, where candidates are category paths, u * w; then cos(u, v), cos(u, w), the features
    `contrast.NAMES` of cos(u, v) and, of paths, of cos(u, w), and `lexical.NAMES`. Without paths w is v.

    Attributes:
        vectors: of the distinct texts, shape (n_texts, dimension), float32.
        query, candidate, last: number of each row's query, candidate and last level of the candidate among the texts,
            shape (n_rows,).
        lexical: shape (n_rows, len(lexical.NAMES)), float32.
        reference: the training rows' candidates.
        neighbourhoods: of the queries among them; then, of paths, among the last levels.
    """

    vectors: FloatArray
    query: Numbers
    candidate: Numbers
    last: Numbers
    lexical: FloatArray
    reference: Reference
    neighbourhoods: Sequence[Neighbourhood]

    @property
    def levels(self) -> bool:
        """Whether candidates are category paths."""
        return self.reference.last is not None

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and of features."""
        return len(self.query), len(self.prior)

    @property
    def prior(self) -> FloatArray:
        """How large a feature's weight is expected to be, of standardized features: a single one more than one of many.

        Returns:
            Shape (n_features,): 1 for what each dimension of the vectors has, `SINGLE` for the others.
        """
        combined = (4 if self.levels else 3) * self.vectors.shape[1]
        single = 2 + len(self.neighbourhoods) * len(contrast.NAMES) + len(lexical.NAMES)
        return np.repeat(np.array([1, SINGLE], np.float32), [combined, single])

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.query)

    def __getitem__(self, rows: Rows) -> FloatArray:
        """Features of some rows, float32."""
        query = self.query[rows]
        u, v, w = (self.vectors[numbers] for numbers in (query, self.candidate[rows], self.last[rows]))
        features = np.empty((len(u), self.shape[1]), np.float32)
        columns = np.split(features, range(u.shape[1], 5 * u.shape[1], u.shape[1]), axis=1)
        product = np.multiply(u, v, out=columns[0])
        np.abs(np.subtract(u, v, out=columns[1]), out=columns[1])
        columns[2][:] = v
        if self.levels:
            np.multiply(u, w, out=columns[3])
        cosines = [product.sum(axis=1), np.einsum("ij,ij->i", u, w)]
        contrasts = [near.features(query, cosine) for near, cosine in zip(self.neighbourhoods, cosines, strict=False)]
        single = np.concatenate([np.stack(cosines, axis=1), *contrasts, self.lexical[rows]], axis=1)
        features[:, -single.shape[1] :] = single
        return features

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[np.generic]:
        """All features as an array."""
        return self[:].astype(dtype or np.float32, copy=False)

    def take(self, rows: Rows) -> PairFeatures:
        """The features of some rows, without making them."""
        own = {name: getattr(self, name)[rows] for name in ("query", "candidate", "last", "lexical")}
        return replace(self, **own)


def training_features(
    rows: pl.DataFrame, encoder: Encoder, cache: Path, *, training: Rows = slice(None)
) -> PairFeatures:
    """Features of rows that a classifier is fitted on; its `reference` is for those of other rows.

    Args:
        rows: with the columns `query` and `candidate`.
        encoder: embeds the texts.
        cache: folder of the vectors, see `cached_vectors`.
        training: which of the rows it is fitted on; all by default.
    """
    texts, numbers = _embedded(rows, encoder, cache)
    _, candidate, last = numbers
    levels = bool(rows["candidate"].str.contains(LEVEL, literal=True).any())
    reference = Reference.of(texts.vectors, candidate[training], last[training] if levels else None)
    return _features(texts, numbers, reference)


def pair_features(rows: pl.DataFrame, encoder: Encoder, cache: Path, reference: Reference) -> PairFeatures:
    """Features of other rows than those of the fit, whose `reference` is given; see `training_features`."""
    return _features(*_embedded(rows, encoder, cache), reference)


def pair_texts(rows: pl.DataFrame) -> list[pl.Series]:
    """Queries, candidates, and the last levels of candidates that are category paths."""
    return [rows["query"], rows["candidate"], rows["candidate"].str.split(LEVEL).list.last()]


def _embedded(rows: pl.DataFrame, encoder: Encoder, cache: Path) -> tuple[EmbeddedTexts, list[Numbers]]:
    """The texts of rows, and for each of `pair_texts` the rows' places among them."""
    columns = pair_texts(rows)
    texts = EmbeddedTexts.of(columns, encoder, cache)
    return texts, [texts.numbers(column) for column in columns]


def _features(texts: EmbeddedTexts, numbers: Sequence[Numbers], reference: Reference) -> PairFeatures:
    query, candidate, last = numbers
    lexical_features = LexicalTexts.of(texts.texts).rows(query, candidate, last)
    near = neighbourhoods(texts.vectors, query, reference)
    return PairFeatures(texts.vectors, query, candidate, last, lexical_features, reference, near)


def neighbourhoods(vectors: FloatArray, query: Numbers, reference: Reference) -> list[Neighbourhood]:
    """Those of `PairFeatures`, of the queries with some numbers."""
    parts = [reference.candidates] if reference.last is None else [reference.candidates, reference.last]
    return [Neighbourhood.of(vectors, query, part) for part in parts]


def blocks(rows: int) -> Iterator[slice]:
    """Slices of at most `BLOCK` rows that cover all rows."""
    for start in range(0, rows, BLOCK):
        yield slice(start, min(start + BLOCK, rows))
