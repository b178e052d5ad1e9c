"""The lexicon translator: longest match in any script, and a glossary that is read strictly."""

from __future__ import annotations

from pathlib import Path

import pytest

from babelshelf.core.errors import InputError
from babelshelf.translate.backends.lexicon import LexiconTranslator, read_glossary

FIXTURE = Path(__file__).parents[3] / "tests" / "fixtures" / "glossary.tsv"


def translate(text: str, source: str, target: str) -> tuple[str, tuple[str, ...]]:
    translation = LexiconTranslator(read_glossary(FIXTURE), "test").translate([text], source, target)[0]
    return translation.text, translation.untranslated


@pytest.mark.parametrize(
    ("text", "source", "target", "expected"),
    [
        ("black running shoes", "en", "de", "schwarz Laufschuhe"),  # the longest term, not "shoes"; the source's order
        ("sac à dos noir", "fr", "de", "Rucksack schwarz"),  # through the row, not through "sac"
        ("BLACK, Bag!", "en", "de", "schwarz, Tasche!"),  # matched by key, punctuation stays
        ("黒ランニングシューズ", "ja", "de", "schwarz Laufschuhe"),  # over characters
        ("블랙 러닝 화", "ko", "de", "schwarz Laufschuhe"),  # spacing varies
        ("กระเป๋าสีดำ", "th", "de", "Tasche schwarz"),
        ("ﾊﾞｯｸﾞ", "ja", "de", "Tasche"),  # half-width
        ("black bag", "en", "ja", "黒 バッグ"),
        ("bagpipe", "en", "de", "bagpipe"),  # no match inside a word
    ],
)
def test_longest_match(text: str, source: str, target: str, expected: str) -> None:
    assert translate(text, source, target)[0] == expected


def test_what_is_not_in_the_glossary_stays_and_is_reported() -> None:
    text, untranslated = translate("Zyntavo X200 shiny case 1.5L", "en", "de")
    assert text == "Zyntavo X200 shiny Hülle 1.5L"
    assert untranslated == ("zyntavo", "x200", "shiny", "1", "5l")


def test_a_name_beside_an_unspaced_script_is_set_off() -> None:
    assert translate("Zyntavoケース15cm", "ja", "de") == ("Zyntavo Hülle 15cm", ("zyntavo", "15cm"))


def test_a_term_without_a_name_in_the_target_stays() -> None:
    assert translate("laptop bag", "en", "ar") == ("laptop حقيبة", ("laptop",))


def test_the_first_of_two_equal_names_wins_and_the_other_is_counted() -> None:
    translator = LexiconTranslator(read_glossary(FIXTURE), "test")
    assert translator.translate(["sac"], "fr", "de")[0].text == "Tasche"
    assert translator.counts == {"terms": 8, "duplicate_names": 1}


def test_a_language_without_a_column_is_an_error() -> None:
    with pytest.raises(InputError, match="no column 'pl'"):
        translate("bag", "en", "pl")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "line 1"),
        (b"fr\tde\nsac\tTasche\n", "line 1: no column 'en'"),
        (b"en\txx\n", "line 1: unknown language code 'xx'"),
        (b"en\tde\tde\n", "line 1: the column 'de' is there twice"),
        (b"en\tde\nbag\tTasche\nshoes\n", "line 3: 1 cells"),
        (b"en\tde\nbag\tTasche|Beutel\n", "line 2: 'Tasche|Beutel'"),
        (b"en\tde\nbag\t\xff\n", "line 2: not UTF-8"),
    ],
)
def test_a_bad_glossary_is_an_error_with_its_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "glossary.tsv"
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        read_glossary(path)
    assert message in str(error.value)


def test_a_missing_glossary_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_glossary(tmp_path / "glossary.tsv")
