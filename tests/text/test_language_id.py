"""Language identification: what it names, and how much it lets pass in short texts."""

from __future__ import annotations

import pytest

from babelshelf.core.errors import InputError
from babelshelf.text.language_id import Identification, Tolerance, identify, supported

LANGUAGES = ["en", "fr", "es", "ko", "pt", "ja", "th", "de", "it", "pl", "ar", "vi", "id"]
TOLERANCE = Tolerance(min_letters=6, min_confidence=0.8, ratio=10)


def may_be(declared: str, text: str, *more: str) -> bool:
    """Whether a text may be in the declared language."""
    found = identify([text], [*LANGUAGES, *more])[0]
    return found is None or not found.contradicts(declared, TOLERANCE)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("waterproof running shoes", "en"),
        ("chaussures de course imperméables", "fr"),
        ("zapatillas de correr para mujer", "es"),
        ("wasserdichte laufschuhe für damen", "de"),
        ("scarpe da corsa impermeabili", "it"),
        ("buty do biegania damskie", "pl"),
        ("tênis de corrida à prova d'água", "pt"),
        ("ランニングシューズ", "ja"),
        ("러닝화", "ko"),
        ("รองเท้าวิ่ง", "th"),
        ("حذاء رياضي", "ar"),
        ("giày chạy bộ nữ", "vi"),
    ],
)
def test_a_clear_text_is_named(text: str, language: str) -> None:
    found = identify([text], LANGUAGES)[0]
    assert found is not None
    assert found.language == language
    assert sum(found.confidences.values()) == pytest.approx(1, abs=1e-4)
    assert set(found.confidences) == set(LANGUAGES)
    assert found.confidence == max(found.confidences.values())


def test_answers_come_in_the_order_of_the_texts() -> None:
    found = identify(["러닝화", "12 345", "รองเท้าวิ่ง"], LANGUAGES)
    assert [one and one.language for one in found] == ["ko", None, "th"]


def test_latin_names_do_not_hide_another_script() -> None:
    found = identify(["nike air max 90 original スニーカー"], LANGUAGES)[0]
    assert found is not None
    assert found.language == "ja"


@pytest.mark.parametrize("text", ["", "  ", "123", "42 / 7", "👟"])
def test_a_text_without_letters_has_no_language(text: str) -> None:
    assert identify([text], LANGUAGES) == [None]
    assert may_be("de", text)


def test_the_order_of_the_languages_does_not_matter() -> None:
    assert identify(["schuhe 42"], LANGUAGES) == identify(["schuhe 42"], [*LANGUAGES[::-1], "en"])


def test_another_language_that_is_clearly_more_likely_is_refused() -> None:
    assert not may_be("de", "waterproof running shoes")
    assert not may_be("de", "ランニングシューズ")
    assert may_be("de", "wasserdichte laufschuhe")


@pytest.mark.parametrize(
    ("confidences", "letters", "contradicted"),
    [
        ({"en": 0.9, "de": 0.05, "ko": 0.0}, 20, True),
        ({"en": 0.79, "de": 0.05, "ko": 0.0}, 20, False),  # below min_confidence
        ({"en": 0.9, "de": 0.091, "ko": 0.0}, 20, False),  # not `ratio` times as likely
        ({"en": 0.9, "de": 0.05, "ko": 0.0}, 5, False),  # fewer letters than min_letters
        ({"de": 0.9, "en": 0.05, "ko": 0.0}, 20, False),  # the declared one is the best
        ({"en": 0.9, "fr": 0.05, "ko": 0.0}, 20, False),  # German was not to choose from
    ],
)
def test_tolerance(confidences: dict[str, float], letters: int, contradicted: bool) -> None:
    found = Identification(letters, non_latin=False, confidences=confidences)
    assert found.contradicts("de", TOLERANCE) is contradicted


def test_a_latin_text_never_contradicts_a_language_of_another_script() -> None:
    assert may_be("ko", "waterproof running shoes")


def test_another_script_is_decisive_in_a_short_text_but_a_sign_is_not() -> None:
    assert may_be("de", "靴")  # one letter
    assert not may_be("de", "くつ")
    assert may_be("de", "4 Ω lautsprecher für zuhause", "el")


def test_languages_that_are_not_known_are_left_out() -> None:
    assert supported(["de", "no", "lo", "de"]) == ["de", "no"]
    found = identify(["løpesko til dame"], ["no", "de", "lo"])[0]
    assert found is not None
    assert found.language == "no"
    assert not found.contradicts("lo", TOLERANCE)


def test_one_language_is_no_choice() -> None:
    with pytest.raises(InputError, match=r"\['de', 'lo'\].*two"):
        identify(["schuhe"], ["de", "lo"])
