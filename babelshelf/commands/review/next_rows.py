"""Which rows are worth a person's look next: `babelshelf review --next N`.

A row is worth what the model expects to learn from its label, the entropy of p(yes) in bits (uncertainty sampling,
Lewis and Gale, arXiv cmp-lg/9407020), times the training rows that a decision settles: the row and its translations.
The rows that are worth the most are a pool, of which those are taken that are far from each other: greedy k-center on
vectors of the pairs (farthest first, Gonzalez 1985; as active learning: Sener and Savarese, arXiv 1708.00489).

Of the unlabelled rows, those of languages that have next to no labelled rows come first, then the others. Flagged and
unlabelled rows alternate.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, zip_longest
from math import log2

import numpy as np

from babelshelf.commands.review.items import ReviewItem
from babelshelf.commands.review.text_vectors import TextVectors
from babelshelf.encoder.encoder import FloatArray

POOL = 3  # rows for each one that is taken of them


def next_rows(
    flagged: Sequence[ReviewItem],
    unlabelled: Sequence[ReviewItem],
    count: int,
    *,
    absent: frozenset[str],
    vectors: TextVectors | None,
) -> list[ReviewItem]:
    """The `count` items that are worth the most, the best first; fewer if there are not so many.

    Args:
        flagged: rows that the filter flagged.
        unlabelled: rows without a label.
        count: how many.
        absent: languages with next to no labelled rows.
        vectors: of the texts; None: the expected gain alone decides.
    """
    best = valuable_and_diverse(flagged, count, vectors)
    parts = [[item for item in unlabelled if (item.language in absent) == is_absent] for is_absent in (True, False)]
    fresh = list(chain.from_iterable(valuable_and_diverse(part, count, vectors) for part in parts))[:count]
    both = chain.from_iterable(zip_longest(best, fresh))
    return [item for item in both if item is not None][:count]


def expected_gain(item: ReviewItem) -> float:
    """Entropy of p(yes), in bits, times the training rows that the decision settles."""
    return entropy(item.p_yes) * (1 + item.translations)


def entropy(p_yes: float | None) -> float:
    """Of a yes or no with this probability, in bits; 1 where it is unknown."""
    if p_yes is None:
        return 1.0
    return -sum(p * log2(p) for p in (p_yes, 1 - p_yes) if p > 0)


def valuable_and_diverse(items: Sequence[ReviewItem], count: int, vectors: TextVectors | None) -> list[ReviewItem]:
    """Up to `count` of the items with the largest expected gain, far from each other."""
    pool = sorted(items, key=expected_gain, reverse=True)[: POOL * count]
    if vectors is None or len(pool) <= 1:
        return pool[:count]
    return [pool[place] for place in farthest_first(vectors.pair_vectors(pool), count)]


def farthest_first(points: FloatArray, count: int) -> list[int]:
    """Places of up to `count` points: the first one, then always the one that is farthest from all before.

    Args:
        points: shape (n_points, dimension).
        count: how many.
    """
    places = [0]
    distance = np.linalg.norm(points - points[0], axis=1)
    while len(places) < min(count, len(points)):
        distance[places[-1]] = -1  # taken, also if another point is equal
        places.append(int(distance.argmax()))
        distance = np.where(distance < 0, -1, np.minimum(distance, np.linalg.norm(points - points[places[-1]], axis=1)))
    return places
