"""Texts that are encoded once more than the file is are shown, with two rows; usual texts are not."""

from __future__ import annotations

import html
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus

import polars as pl
import pytest

from babelshelf.pairs.column_profiles import ColumnProfile, read_profiles
from babelshelf.pairs.encoded_texts import guess_encoded
from babelshelf.pairs.formats import detect
from babelshelf.pairs.guesses import Outcome

USUAL = [
    "grüne Jacke & Hose",
    "AT&T phone",
    "100% cotton shirt",
    "C++ book",
    "it's 5 < 6",
    "usb_c cable",
    "café crème",
    "C:\\new",
]


def profile(folder: Path, texts: list[str]) -> ColumnProfile:
    path = folder / "pairs.csv"
    pl.DataFrame({"query": texts, "label": ["1"] * len(texts)}).write_csv(path)
    return read_profiles([path], detect(path).how)[0][0]


def in_jsx(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode()


@pytest.mark.parametrize(
    ("name", "encode"),
    [
        ("HTML entities", html.escape),
        ("HTML entities", lambda text: text.encode("ascii", "xmlcharrefreplace").decode()),
        ("HTML entities", lambda text: text.replace(" ", "&nbsp;")),
        ("HTML tags", lambda text: f"<b>{text}</b>"),
        ("HTML tags", lambda text: text.replace(" ", "<br/>")),
        ("HTML tags", lambda text: f'<span class="t">{text}</span>'),
        ("escapes", in_jsx),
        ("escapes", lambda text: "".join(f"\\u{ord(char):04x}" if char > "~" else char for char in text)),
        ("percent-encoding", quote),
        ("percent-encoding", lambda text: text.replace(" ", "%20")),
        ("percent-encoding", quote_plus),
        ("mojibake", lambda text: text.encode().decode("cp1252")),
        ("mojibake", lambda text: text.encode().decode("latin-1")),
        ("mojibake", lambda text: text.encode("latin-1").decode("utf-8", "replace")),
        ("formulas", lambda text: f'="{text}"'),
        ("apostrophes before the text", lambda text: f"'{text.replace(chr(39), '')}"),
        ("plus signs in place of spaces", quote_plus),
        ("underscores in place of spaces", lambda text: text.replace(" ", "_")),
    ],
)
def test_encoded_texts_are_shown(tmp_path: Path, name: str, encode: Callable[[str], str]) -> None:
    guesses = list(guess_encoded(profile(tmp_path, [encode(text) for text in USUAL]), "pairs.csv"))
    assert f"{name} in 'query'" in {guess.subject for guess in guesses}
    assert {guess.outcome for guess in guesses} == {Outcome.CHECK}
    assert all(1 <= len(guess.examples) <= 2 for guess in guesses)


def test_usual_texts_are_not(tmp_path: Path) -> None:
    assert list(guess_encoded(profile(tmp_path, USUAL * 20), "pairs.csv")) == []


def test_an_entity_between_levels_is_a_separator(tmp_path: Path) -> None:
    assert list(guess_encoded(profile(tmp_path, ["Home &gt; Lamps", "Home &raquo; Beds"]), "pairs.csv")) == []
