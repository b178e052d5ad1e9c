"""Levels of category paths in which commas separate levels, and names hold commas too.

`home,kitchen, dining & bar,cups` has three levels: names hold ", ", so a comma without a space ends a level. Where
most commas of a set have a space, they say nothing alone, and the set of all paths has to: the text before a comma is a
category where it is a path itself, or goes on in several ways.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass

from babelshelf.core.rows import LEVEL

TIGHT = re.compile(r",(?! )")


@dataclass(frozen=True)
class Levels:
    """The tree of a set of paths.

    Attributes:
        texts: each path with `LEVEL` between its levels.
        counts: `paths`; `comma_in_name`, paths with a name that holds a comma; `ambiguous`, paths with a comma that can
            be read both ways, which is taken as part of a name; `merged`, paths whose text another path has too.
    """

    texts: dict[str, str]
    counts: dict[str, int]


def rebuild(paths: Collection[str]) -> Levels:
    """Find the levels of all paths of a task, each of them given once."""
    spaced = sum(path.count(", ") for path in paths)
    tight = sum(path.count(",") for path in paths) - spaced
    split = _by_commas(paths) if tight >= spaced else _by_tree(paths)
    found = {path: split(path) for path in paths}
    texts = {path: LEVEL.join(levels) or path for path, (levels, _) in found.items()}
    counts = {
        "paths": len(paths),
        "comma_in_name": sum(any("," in level for level in levels) for levels, _ in found.values()),
        "ambiguous": sum(ambiguous for _, ambiguous in found.values()),
        "merged": len(texts) - len(set(texts.values())),
    }
    return Levels(texts, counts)


Split = Callable[[str], tuple[list[str], bool]]  # a path to its levels, and whether a comma of it is ambiguous


def _by_commas(paths: Collection[str]) -> Split:
    """A comma without a space ends a level; one with a space is ambiguous where what is before it is a category too."""
    categories = {path[: comma.start()] for path in paths for comma in TIGHT.finditer(path)} | set(paths)

    def split(path: str) -> tuple[list[str], bool]:
        both = any(path[: comma.start()] in categories for comma in re.finditer(", ", path))
        return _stripped(TIGHT.split(path)), both

    return split


def _by_tree(paths: Collection[str]) -> Split:
    """A comma ends a level where what is before it is a path, or goes on in several ways; else it is ambiguous."""
    following: defaultdict[str, set[str]] = defaultdict(set)
    for path in paths:
        for comma in re.finditer(", ", path):
            following[path[: comma.start()]].add(path[comma.end() :].partition(", ")[0])
    categories = {start for start, names in following.items() if len(names) > 1} | set(paths)

    def split(path: str) -> tuple[list[str], bool]:
        commas = [comma.start() for comma in re.finditer(", ", path)]
        ends = [comma for comma in commas if path[:comma] in categories]
        starts = [0, *(end + 2 for end in ends)]
        levels = [path[start:end] for start, end in zip(starts, [*ends, len(path)], strict=True)]
        return _stripped(levels), len(ends) < len(commas)

    return split


def _stripped(levels: list[str]) -> list[str]:
    return [level.strip() for level in levels if level.strip()]
