"""The texts of all rows that a search may make: embedded once, so that any pair of them has its features at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from babelshelf.classifier.contrast import Neighbourhood, Reference
from babelshelf.classifier.features import PairFeatures, neighbourhoods
from babelshelf.classifier.lexical import LexicalTexts
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
        reference: of the rows that may be trained on, without labels, and so the same in all splits.
        neighbourhoods: of all texts, see `PairFeatures`.
    """

    numbers: pl.DataFrame
    vectors: FloatArray
    lexical: LexicalTexts
    reference: Reference
    neighbourhoods: Sequence[Neighbourhood]

    @classmethod
    def of(cls, rows: pl.DataFrame, further: Iterable[str], encoder: Encoder, cache: Path) -> PairTexts:
        """Embed queries, candidates and the last levels of candidates; see `classifier.features.pair_features`.

        Args:
            rows: those that may be trained on, with the columns `query` and `candidate`.
            further: queries and candidates of all other rows.
            encoder: embeds the texts.
            cache: folder of the vectors, see `cached_vectors`.
        """
        given = pl.concat([rows["query"], rows["candidate"], pl.Series("", list(further), pl.String)]).alias("text")
        distinct = pl.concat([given, _last(given)]).unique().sort()
        numbers = pl.DataFrame({"text": distinct, "number": np.arange(len(distinct), dtype=np.int32)})
        vectors = cached_vectors(distinct.to_list(), encoder, cache)
        is_path = given.str.contains(LEVEL, literal=True)
        candidate = _find(numbers, rows["candidate"])
        last = _find(numbers, _last(rows["candidate"])) if is_path.any() else None
        reference = Reference.of(vectors, candidate, last)
        queries = _find(numbers, pl.concat([given.filter(~is_path), rows["query"]]))
        return cls(numbers, vectors, LexicalTexts.of(distinct), reference, neighbourhoods(vectors, queries, reference))

    def find(self, texts: pl.Series) -> Numbers:
        """Numbers of known texts, shape (n,)."""
        return _find(self.numbers, texts)

    def features(self, rows: pl.DataFrame) -> PairFeatures:
        """Features of rows with the columns `query` and `candidate`."""
        query, candidate = self.find(rows["query"]), self.find(rows["candidate"])
        last = self.find(_last(rows["candidate"]))
        lexical = self.lexical.rows(query, candidate, last)
        return PairFeatures(self.vectors, query, candidate, last, lexical, self.reference, self.neighbourhoods)


def _find(numbers: pl.DataFrame, texts: pl.Series) -> Numbers:
    found = texts.alias("text").to_frame().join(numbers, on="text", how="left", maintain_order="left")["number"]
    return found.cast(pl.Int32).to_numpy()


def _last(candidates: pl.Series) -> pl.Series:
    return candidates.str.split(LEVEL).list.last().alias("text")
