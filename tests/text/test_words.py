"""Words in any script."""

from __future__ import annotations

import pytest

from babelshelf.text.words import spans, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Women's T-Shirt, 1.5L", ["women", "s", "t", "shirt", "1", "5l"]),
        ("X200ケース", ["x200", "ケ", "ー", "ス"]),
        ("สีดำ 5", ["สี", "ดํ", "า", "5"]),  # a letter keeps its marks
        ("حَقيبة", ["حَقيبة"]),
        ("Ａ４・紙", ["a4", "紙"]),
        ("café", ["café"]),
        ("😀 -", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_spans_point_into_the_text() -> None:
    text = "Schwarze Größe, 靴"
    assert [(text[start:end], word) for start, end, word in spans(text)] == [
        ("Schwarze", "schwarze"),
        ("Größe", "grösse"),
        ("靴", "靴"),
    ]
