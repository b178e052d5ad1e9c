"""Which languages a result is measured in."""

from __future__ import annotations

from typing import Any

import pytest

from babelshelf.commands.measured_languages import measured_languages


def prepared(train: dict[str, int], test: dict[str, int]) -> dict[str, Any]:
    return {
        split: {"languages": {language: {"rows": rows} for language, rows in sizes.items()}}
        for split, sizes in (("train", train), ("test", test))
    }


@pytest.mark.parametrize(
    ("train", "test", "expected"),
    [
        ({"en": 90, "fr": 10}, {"en": 5, "fr": 5}, "qc is measured in en, fr (with labels in train); in no language"),
        ({"en": 990, "ko": 8}, {"ko": 5, "en": 5}, "en (with labels in train) and in ko (without labels in train)"),
        ({"en": 10}, {"de": 5, "pl": 5}, "in no language (with labels in train) and in de, pl (without"),
        ({"en": 9, "pt": 9}, {"en": 5}, "qc is measured in en (with labels in train); in no language without labels"),
    ],
)
def test_languages_of_test_are_told_apart(train: dict[str, int], test: dict[str, int], expected: str) -> None:
    assert expected in measured_languages("qc", prepared(train, test), 9)
