"""The texts of all rows that a search may make: embedded once, so that any pair of them has its features at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from babelshelf.classifier.features import PairFeatures, blocks
from babelshelf.classifier.lexical import NAMES, LexicalTexts
from babelshelf.core.rows import LEVEL
from babelshelf.encoder.encoder import Encoder, FloatArray
from babelshelf.encoder.vector_cache import cached_vectors

Numbers = npt.NDArray[np.int32]


@dataclass(frozen=True)
class PairTexts:
    """Distinct texts with their vectors.

    Attributes:
        numbers: columns `text` and `number`.
        vectors: shape (n_texts, dimension), float32.
        lexical: what the lexical features need of each text.
        levels: whether there are category paths, see `PairFeatures`.
    """

    numbers: pl.DataFrame
    vectors: FloatArray
    lexical: LexicalTexts
    levels: bool

    @classmethod
    def of(cls, texts: Iterable[str], encoder: Encoder, cache: Path) -> PairTexts:
        """Embed queries, candidates and the last levels of candidates; see `classifier.features.pair_features`."""
        given = pl.Series("text", list(texts), pl.String)
        distinct = pl.concat([given, _last(given)]).unique().sort()
        numbers = pl.DataFrame({"text": distinct, "number": np.arange(len(distinct), dtype=np.int32)})
        vectors, levels = cached_vectors(distinct.to_list(), encoder, cache), given.str.contains(LEVEL, literal=True)
        return cls(numbers, vectors, LexicalTexts.of(distinct), bool(levels.any()))

    def find(self, texts: pl.Series) -> Numbers:
        """Numbers of known texts, shape (n,)."""
        found = texts.to_frame("text").join(self.numbers, on="text", how="left", maintain_order="left")["number"]
        return found.cast(pl.Int32).to_numpy()

    def features(self, rows: pl.DataFrame) -> PairFeatures:
        """Features of rows with the columns `query` and `candidate`."""
        query, candidate = self.find(rows["query"]), self.find(rows["candidate"])
        last = self.find(_last(rows["candidate"]))
        lexical = np.empty((rows.height, len(NAMES)), np.float32)
        for part in blocks(rows.height):
            lexical[part] = self.lexical.features(query[part], candidate[part], last[part])
        return PairFeatures(self.vectors, query, candidate, last, lexical, self.levels)


def _last(candidates: pl.Series) -> pl.Series:
    return candidates.str.split(LEVEL).list.last().alias("text")
