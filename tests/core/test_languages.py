"""What names a language is understood, what does not is refused, and all of ISO 639-1 has a name and a script."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from babelshelf.core.errors import InputError
from babelshelf.core.languages import ALIASES, LATIN, NAMES, find, is_code, name, normalize, number, scripts

CODES = [code for a in string.ascii_lowercase for b in string.ascii_lowercase if is_code(code := a + b)]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        *(("de", "de"), (" DE ", "de"), ("pt-BR", "pt"), ("zh_Hant_TW", "zh"), ("deu", "de"), ("ger", "de")),
        *(("vn", "vi"), ("jp", "ja"), ("kr", "ko"), ("in", "id"), ("iw", "he"), ("cmn", "zh"), ("fil", "tl")),
        *(("French", "fr"), ("Deutsch", "de"), ("日本語", "ja"), ("Brazilian Portuguese", "pt"), ("english", "en")),
    ],
)
def test_what_names_a_language(text: str, code: str) -> None:
    assert find(text) == normalize(text, "here") == code


@pytest.mark.parametrize("text", ["", "xx", "1", "e", "us", "und", "mul", "null", "klingon", "red shoes", "🙂" * 9])
def test_what_names_none(text: str) -> None:
    assert find(text) is None
    with pytest.raises(InputError, match=r"^here: unknown language code"):
        normalize(text, "here")


@given(st.text(max_size=80))
def test_any_text_is_a_code_or_none(text: str) -> None:
    found = find(text)
    assert found is None or is_code(found)


def test_all_codes_have_a_name_a_script_and_a_number_of_their_own() -> None:
    assert len(CODES) > 180
    assert set(NAMES) < set(CODES)
    assert not set(ALIASES) & set(CODES)
    assert len({number(code) for code in CODES}) == len(CODES)
    assert [number(code) for code in NAMES] == list(range(len(NAMES)))  # what was drawn for them stays as it was
    assert all(name(code) and scripts(code) for code in CODES)
    assert name("sv") == "Swedish"


def test_scripts() -> None:
    assert {code for code in NAMES if scripts(code) != LATIN} == {"ko", "ja", "ar", "th"}
    assert (scripts("ru"), scripts("zh"), scripts("sv")) == (("CYRILLIC",), ("CJK",), LATIN)
