"""Paths that are written from known levels come back as those levels, or the separator is to be checked."""

from __future__ import annotations

import re
from dataclasses import dataclass

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from babelshelf.core.rows import LEVEL
from babelshelf.pairs.comma_paths import rebuild
from babelshelf.pairs.guesses import Outcome
from babelshelf.pairs.separators import guess_separator, unwrapped

MARKS = [" > ", ">", "/", " / ", "|", " | ", "::", ": ", " >> ", "->", " → ", "\\", "; ", ",", ", ", " - "]
MARKS += [".", "_", "~"]
NAMES = ["Home & Garden", "TV/Audio", "Kids' Wear (0-2)", "T-Shirts", "Table, Chairs", "No. 5", "A/C", "50% wool"]
NAMES += ["Büro - Bedarf", "靴", "घर और रसोई", "Size 1:2", "Red Lamps", "Bed & Bath; Towels", "C++", "Women", "Men"]
NAMES += ["USB_C", "Outdoor|Sport", "Shoes", "Bags", "Toys", "Books", "DVD > Film", "Food", "Pets", "Hats", "Lamps"]


@dataclass(frozen=True)
class Tree:
    """Paths of known levels, and the mark that they are written with."""

    paths: list[tuple[str, ...]]
    mark: str


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """Names may hold the mark in another style, but not as it is written between levels."""
    mark = draw(st.sampled_from(MARKS))
    names = [name for name in NAMES if mark not in name and mark.strip() != name]
    name = st.sampled_from(names)
    paths = draw(st.lists(st.lists(name, min_size=1, max_size=4).map(tuple), min_size=3, max_size=40, unique=True))
    return Tree(paths, mark)


def as_read(paths: list[str], separator: str) -> list[str]:
    """As `pairs.rows` reads them."""
    apart = pl.DataFrame({"value": paths}).select(unwrapped(pl.col("value")))["value"]
    if separator == ",":
        return apart.replace(rebuild(apart.to_list()).texts).to_list()
    return apart.str.replace_all(rf"\s*{re.escape(separator)}\s*", LEVEL).to_list() if separator else apart.to_list()


@given(tree=trees())
def test_levels_come_back_or_are_to_be_checked(tree: Tree) -> None:
    written = [tree.mark.join(path) for path in tree.paths]
    guess = guess_separator(pl.DataFrame({"value": written, "count": [2] * len(written)}))
    if guess.outcome is Outcome.SURE:
        assert as_read(written, str(guess.value)) == [LEVEL.join(path) for path in tree.paths]
