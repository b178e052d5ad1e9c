"""Keys of texts: what is not shown does not tell two texts apart."""

from __future__ import annotations

import unicodedata

import polars as pl
import pytest

from babelshelf.text.keys import IGNORABLE, IGNORABLE_BUT_JOINERS, key, keys

INVISIBLE = [
    "\u200b",
    "\u200e",
    "\u200f",
    "\u2060",
    "\u200c",
    "\u200d",
    "\ufe0f",
    "\ufe0e",
    "\u00ad",
    "\u034f",
    "\u061c",
    "\u180e",
]
INVISIBLE += ["\u2066", "\u202a", "\ufeff", "\u3164", "\U000e0001", "\U000e0100"]


@pytest.mark.parametrize("char", INVISIBLE, ids=[f"U+{ord(char):04X}" for char in INVISIBLE])
def test_invisible_characters_leave_the_keys(char: str) -> None:
    texts = [f"red{char} shoes", f"red sh{char}oes", f"{char}Red shoes{char}"]
    assert {key(text) for text in texts} == {"red shoes"}
    assert keys(pl.Series(texts)).to_list() == ["red shoes"] * 3


def test_an_accent_after_an_invisible_character_belongs_to_its_letter() -> None:
    assert key("cafe\u200b\u0301") == key("café")
    assert keys(pl.Series(["cafe\u2060\u0301"])).to_list() == [key("café")]


def test_marks_that_are_shown_stay() -> None:
    assert key("की") != key("क")
    assert key("น้ำ") != key("นา")


def test_stored_texts_keep_the_two_joiners_alone() -> None:
    chars = pl.Series(["\u200c", "\u200d", "\u200b", "\u200e", "\ufe0f", "\u00ad"])
    assert chars.str.contains(f"[{IGNORABLE}]").all()
    assert chars.str.contains(f"[{IGNORABLE_BUT_JOINERS}]").to_list() == [False, False, True, True, True, True]


def test_no_letter_or_digit_of_a_name_is_ignorable() -> None:
    shown = pl.Series(
        [chr(code) for code in range(0x20, 0x3000) if unicodedata.category(chr(code)) in {"Lu", "Ll", "Nd"}]
    )
    assert not shown.str.contains(f"[{IGNORABLE}]").any()
