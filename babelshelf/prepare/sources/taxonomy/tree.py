"""Negatives from a category tree: near ones share most of the true category's path, far ones least of it.

What shares just the first j levels of a category's path is its shell j. Shells hold neither its ancestors nor its
descendants: whether "Shoes > Boots" answers a query for "Shoes > Boots > Rain Boots" is a matter of opinion, so such
pairs are left without a label. In sorted order all that is under one ancestor is one range, so that a shell is a range
with a hole, and hundreds of thousands of draws are a few array operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Levels: TypeAlias = tuple[str, ...]
Ints: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Shells:
    """The shells of each path of a pool; all arrays have the shape (paths, levels of the deepest path).

    Attributes:
        size: members of the shell; 0 at the levels that a path has not.
        first: index of the first member.
        before: members that come before the hole.
        after: index of the first member after the hole.
    """

    size: Ints
    first: Ints
    before: Ints
    after: Ints


def shells(pool: Sequence[Levels]) -> Shells:
    """The shells of each path of `pool`, which must be sorted and unique."""
    ranges: dict[Levels, tuple[int, int]] = {}
    for index, path in enumerate(pool):
        for level in range(len(path) + 1):
            ranges[path[:level]] = (ranges.get(path[:level], (index, 0))[0], index + 1)
    table = np.zeros((4, len(pool), max(map(len, pool))), dtype=np.int64)
    for index, path in enumerate(pool):
        for level in range(len(path)):
            start, stop = ranges[path[:level]]
            hole, after = ranges[path[: level + 1]]
            first = start + (pool[start] == path[:level])  # the ancestor itself comes first in its range
            table[:, index, level] = (hole - first + stop - after, first, hole - first, after)
    return Shells(*table)


def draw_negatives(tree: Shells, own: Ints, near: Ints, far: Ints, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Draw distinct negatives for each query.

    Near ones come from the deepest shells, far ones from the shallowest; in both the next shell is drawn from only when
    the one before is used up. Where the two would meet, the tree cannot tell them apart, and all are drawn as far ones.

    Args:
        tree: the shells of a pool.
        own: index in the pool of each query's true category, shape (queries,).
        near: number of near negatives of each query, shape (queries,).
        far: number of far negatives of each query, shape (queries,).
        rng: source of all choices.

    Returns:
        Index of the query, and index in the pool of its negative, both of shape (near.sum() + far.sum(),).

    Raises:
        ValueError: a query is to have more negatives than its shells hold.
    """
    outward, inward = tree.size[own][:, ::-1], tree.size[own]
    total = inward.sum(axis=1)
    if (near + far > total).any():
        raise ValueError(
            f"{(near + far).max()} negatives for one query, but only {total.min()} categories to draw from"
        )
    meet = _reach(outward, near) + _reach(inward, far) > total
    far, near = np.where(meet, near + far, far), np.where(meet, 0, near)
    near_query, near_level, near_offset = _draw(outward, near, rng)
    far_query, far_level, far_offset = _draw(inward, far, rng)
    query = np.concatenate([near_query, far_query])
    level = np.concatenate([inward.shape[1] - 1 - near_level, far_level])
    offset = np.concatenate([near_offset, far_offset])
    return query, _member(tree, own[query], level, offset)


def _last_shell(sizes: Ints, counts: Ints) -> tuple[Ints, Ints]:
    """What the shells before the last one that is needed hold, and what that one holds, for each query."""
    reach = sizes.cumsum(axis=1)
    last = (reach >= counts[:, None]).argmax(axis=1)[:, None]
    size = np.take_along_axis(sizes, last, axis=1)
    return (np.take_along_axis(reach, last, axis=1) - size)[:, 0], size[:, 0]


def _reach(sizes: Ints, counts: Ints) -> Ints:
    """How far into the list of all shells each query draws."""
    inner, size = _last_shell(sizes, counts)
    return np.where(counts > 0, inner + size, 0)


def _draw(sizes: Ints, counts: Ints, rng: np.random.Generator) -> tuple[Ints, Ints, Ints]:
    """`counts` distinct members for each query, from the first shells: (query, column of `sizes`, place in the shell).

    All of the shells before the last one that is needed, and a systematic sample of that one: a random start and equal
    steps, so that each member is as likely as any other and none comes twice.
    """
    inner, size = _last_shell(sizes, counts)
    start = rng.integers(np.maximum(size, 1))
    step = size // np.maximum(counts - inner, 1)
    query = np.repeat(np.arange(len(counts)), counts)
    nth = np.arange(len(query)) - np.repeat(counts.cumsum() - counts, counts)
    sampled = inner[query] + (start[query] + (nth - inner[query]) * step[query]) % size[query]
    place = np.where(nth < inner[query], nth, sampled)
    reach = sizes.cumsum(axis=1)[query]
    column = (place[:, None] >= reach).sum(axis=1)
    at = column[:, None]
    passed = np.take_along_axis(reach, at, axis=1) - np.take_along_axis(sizes[query], at, axis=1)
    return query, column, place - passed[:, 0]


def _member(tree: Shells, own: Ints, level: Ints, offset: Ints) -> Ints:
    """Index in the pool of a shell's member."""
    before = tree.before[own, level]
    return np.where(offset < before, tree.first[own, level] + offset, tree.after[own, level] + offset - before)
