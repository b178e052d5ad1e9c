"""Contrast features of pairs: the cosine of query and candidate beside those of the query with other candidates.

A cosine of 0.5 says little by itself: it is high for a query whose nearest candidate has 0.4, and low for one that many
candidates are nearer to. So it is compared with those of some candidates of the training rows. The scale of cosines
also differs by language, so this carries over to languages without labels. No label is used.
The mean over the nearest is the query's half of cross-domain similarity local scaling (CSLS; Conneau et al., "Word
translation without parallel data", arXiv 1710.04087); the candidate's half gained nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from babelshelf.encoder.embedded_texts import Numbers
from babelshelf.encoder.encoder import FloatArray

MOST = 2048  # reference candidates
NEAREST = 10  # of them, that are a query's neighbourhood
BLOCK = 1024  # queries that are compared at once
NAMES = (
    "below_best",  # cosine of query and candidate minus that of the query with its nearest reference candidate
    "below_near",  # minus the mean over its nearest reference candidates
    "standard",  # in standard deviations from the mean over all reference candidates
)
EPSILON = 1e-6


@dataclass(frozen=True)
class Reference:
    """What features of pairs need of the training rows.

    Attributes:
        candidates: unit vectors of at most `MOST` distinct candidates, shape (n, dimension), float32.
        last: those of the last levels of category paths; None where candidates are no paths.
    """

    candidates: FloatArray
    last: FloatArray | None

    @classmethod
    def of(cls, vectors: FloatArray, candidate: Numbers, last: Numbers | None) -> Reference:
        """Of training rows.

        Args:
            vectors: of the distinct texts in a fixed order, shape (n_texts, dimension).
            candidate: numbers of the rows' candidates, shape (n_rows,).
            last: numbers of their last levels; None where candidates are no paths.
        """
        return cls(vectors[_some(candidate)], None if last is None else vectors[_some(last)])


@dataclass(frozen=True)
class Neighbourhood:
    """Cosines of queries with reference vectors.

    Attributes:
        best: the highest, shape (n_texts,), float32; 0 for texts that are no query.
        near: mean of the `NEAREST` highest.
        mean, deviation: mean and standard deviation of all.
    """

    best: FloatArray
    near: FloatArray
    mean: FloatArray
    deviation: FloatArray

    @classmethod
    def of(cls, vectors: FloatArray, query: Numbers, reference: FloatArray) -> Neighbourhood:
        """Of the queries among some texts.

        Args:
            vectors: of the texts, shape (n_texts, dimension).
            query: numbers of the queries, which may repeat.
            reference: shape (n, dimension).
        """
        neighbourhood = cls(*(np.zeros(len(vectors), np.float32) for _ in range(4)))
        queries = np.unique(query)
        nearest = min(NEAREST, len(reference))
        for start in range(0, len(queries), BLOCK):
            own = queries[start : start + BLOCK]
            cosines = vectors[own] @ reference.T
            neighbourhood.mean[own], neighbourhood.deviation[own] = cosines.mean(axis=1), cosines.std(axis=1)
            cosines.partition(-nearest, axis=1)
            neighbourhood.best[own] = cosines[:, -nearest:].max(axis=1)
            neighbourhood.near[own] = cosines[:, -nearest:].mean(axis=1)
        return neighbourhood

    def features(self, query: Numbers, cosine: FloatArray) -> FloatArray:
        """The features `NAMES` of pairs, by the numbers of their queries and their cosines.

        Returns:
            Shape (n_pairs, len(NAMES)).
        """
        standard = (cosine - self.mean[query]) / (self.deviation[query] + EPSILON)
        return np.stack([cosine - self.best[query], cosine - self.near[query], standard], axis=1)


def _some(numbers: Numbers) -> Numbers:
    """At most `MOST` of the distinct numbers, at random, ascending."""
    distinct = np.unique(numbers)
    if len(distinct) <= MOST:
        return distinct
    chosen: Numbers = np.sort(np.random.default_rng(0).choice(distinct, MOST, replace=False))
    return chosen
