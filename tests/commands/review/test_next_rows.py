"""Which rows are worth a person's look next, and the labelled rows near to a pair."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from babelshelf.commands.review.items import ReviewItem, read_filtered
from babelshelf.commands.review.next_rows import entropy, expected_gain, farthest_first, next_rows
from babelshelf.commands.review.text_vectors import LabelledNeighbour, TextVectors
from tests.helpers.hash_encoder import HashEncoder
from tests.helpers.review_folder import ROWS, row, write_review_folder


def item(
    name: str,
    *,
    queue: str = "unlabelled",
    p_yes: float | None = 0.5,
    language: str = "en",
    candidate: str = "Lamp",
    translations: int = 0,
) -> ReviewItem:
    return ReviewItem(
        queue=queue,
        task="qi",
        language=language,
        query=name,
        candidate=candidate,
        label=None if queue == "unlabelled" else 1,
        origin="original",
        id=name,
        parent_id=None,
        p_yes=p_yes,
        judges={},
        translations=translations,
    )


def names(items: list[ReviewItem]) -> str:
    return " ".join(one.query for one in items)


def test_entropy_is_in_bits() -> None:
    assert [entropy(p) for p in (0.0, 0.5, 1.0, None)] == [0, 1, 0, 1]
    assert entropy(0.25) == pytest.approx(0.811, abs=1e-3) == pytest.approx(entropy(0.75), abs=1e-3)


def test_the_gain_of_a_flagged_row_counts_its_translations() -> None:
    sure, unsure = item("a", queue="flagged", p_yes=0.01), item("b", queue="flagged", p_yes=0.25)
    many = item("c", queue="flagged", p_yes=0.01, translations=20)
    ranked = sorted([sure, unsure, many], key=expected_gain, reverse=True)
    assert names(ranked) == "c b a"
    assert expected_gain(many) == pytest.approx(21 * expected_gain(sure))


def test_flagged_and_unlabelled_rows_alternate_and_absent_languages_come_first() -> None:
    flagged = [item(name, queue="flagged", p_yes=p) for name, p in (("f1", 0.2), ("f2", 0.1), ("f3", 0.01))]
    fresh = [item("u1", p_yes=0.5), item("u2", p_yes=0.9), item("u3", p_yes=0.99, language="pl")]
    found = next_rows(flagged, fresh, 5, absent=frozenset({"pl"}), vectors=None)
    assert names(found) == "f1 u3 f2 u1 f3"
    assert names(next_rows([], fresh, 2, absent=frozenset(), vectors=None)) == "u1 u2"
    assert names(next_rows(flagged, [], 9, absent=frozenset(), vectors=None)) == "f1 f2 f3"


def test_farthest_first_takes_the_corners() -> None:
    points = np.array([[0, 0], [0.1, 0], [10, 0], [10, 0.1], [0, 10], [0, 0]], np.float32)
    assert farthest_first(points, 3) == [0, 3, 4]
    assert sorted(farthest_first(points, 9)) == [0, 1, 2, 3, 4, 5]


def test_uncertain_rows_that_are_alike_are_not_all_taken(tmp_path: Path) -> None:
    texts = ["red lamp", "red lamps", "blue suede shoe"]
    rows = [row(text, text, "X", label=None) for text in texts]
    filtered = read_filtered("qi", write_review_folder(tmp_path / "r", rows) / "data")
    vectors = TextVectors(filtered.rows, HashEncoder(), tmp_path / "cache")
    found = next_rows([], filtered.items("unlabelled"), 2, absent=frozenset(), vectors=vectors)
    assert [one.query for one in found] == ["red lamp", "blue suede shoe"]


def test_the_nearest_rows_are_labelled_by_people_and_of_other_pairs(tmp_path: Path) -> None:
    filtered = read_filtered("qi", write_review_folder(tmp_path / "r") / "data")
    encoder = HashEncoder()
    vectors = TextVectors(filtered.rows, encoder, tmp_path / "cache")
    by_id = {one["id"]: one for one in ROWS}
    translated = next(one for one in filtered.items("disputed", filtered.rows) if one.id == "c/en")
    found = vectors.nearest(translated, count=9)
    assert found[0].query == "blue shoe"  # its candidate
    assert {one.query for one in found} == {by_id[name]["query"] for name in "abde"}  # not c, its original
    assert found == sorted(found, key=lambda one: one.similarity, reverse=True)
    assert isinstance(found[0], LabelledNeighbour)
    TextVectors(filtered.rows, encoder, tmp_path / "cache")
    assert len(encoder.calls) == 1
