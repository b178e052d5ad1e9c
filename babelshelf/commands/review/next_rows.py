"""Which rows are worth a person's look next: `babelshelf review --next N`.

*Flagged* rows go by expected gain: the entropy of the model's p(yes), in bits, times the training rows that the
decision settles (the row and its translations). That is what the model expects to learn from the label (uncertainty
sampling, Lewis and Gale, arXiv cmp-lg/9407020); where it is sure that a label is wrong, dropping the row costs little.

*Unlabelled* rows: first those of languages that have next to no labelled rows, then the others. Of each, the most
uncertain rows are a pool, of which those are taken that are far from each other: greedy k-center on vectors of the
pairs (farthest first, Gonzalez 1985; as active learning: Sener and Savarese, arXiv 1708.00489).

Both kinds alternate.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, zip_longest
from math import log2

import numpy as np

from babelshelf.commands.review.items import ReviewItem
from babelshelf.commands.review.text_vectors import TextVectors
from babelshelf.encoder.encoder import FloatArray

POOL = 10  # uncertain rows for each one that is taken of them


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
        vectors: of the texts; None: uncertainty alone decides.
    """
    best = sorted(flagged, key=expected_gain, reverse=True)[:count]
    parts = [[item for item in unlabelled if (item.language in absent) == is_absent] for is_absent in (True, False)]
    fresh = list(chain.from_iterable(uncertain_and_diverse(part, count, vectors) for part in parts))[:count]
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


def uncertain_and_diverse(items: Sequence[ReviewItem], count: int, vectors: TextVectors | None) -> list[ReviewItem]:
    """Up to `count` of the most uncertain items, far from each other."""
    pool = sorted(items, key=lambda item: entropy(item.p_yes), reverse=True)[: POOL * count]
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
