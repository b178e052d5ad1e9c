"""The texts of all rows that a search may make: embedded once, so that any pair of them has its features at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from babelshelf.classifier.contrast import Neighbourhood, Reference
from babelshelf.classifier.features import PairFeatures, neighbourhoods, pair_texts
from babelshelf.classifier.lexical import LexicalTexts
from babelshelf.core.rows import LEVEL
from babelshelf.encoder.embedded_texts import EmbeddedTexts
from babelshelf.encoder.encoder import Encoder


@dataclass(frozen=True)
class PairTexts:
    """Distinct texts with their vectors.

    Attributes:
        embedded: the texts.
        lexical: what the lexical features need of each text.
        reference: of the rows that may be trained on, without labels, and so the same in all splits.
        neighbourhoods: of all texts, see `PairFeatures`.
    """

    embedded: EmbeddedTexts
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
        given = pl.concat([rows["query"], rows["candidate"], pl.Series("", list(further), pl.String)])
        texts = EmbeddedTexts.of([given, given.str.split(LEVEL).list.last()], encoder, cache)
        is_path = given.str.contains(LEVEL, literal=True)
        _, candidate, last = map(texts.numbers, pair_texts(rows))
        reference = Reference.of(texts.vectors, candidate, last if is_path.any() else None)
        queries = texts.numbers(pl.concat([given.filter(~is_path), rows["query"]]))
        near = neighbourhoods(texts.vectors, queries, reference)
        return cls(texts, LexicalTexts.of(texts.texts), reference, near)

    def features(self, rows: pl.DataFrame) -> PairFeatures:
        """Features of rows with the columns `query` and `candidate`."""
        query, candidate, last = map(self.embedded.numbers, pair_texts(rows))
        lexical = self.lexical.rows(query, candidate, last)
        return PairFeatures(self.embedded.vectors, query, candidate, last, lexical, self.reference, self.neighbourhoods)
