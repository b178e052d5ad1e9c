"""Prompts end where the answer is one token, and only a candidate is ever shortened."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from babelshelf.base_model.nano_lm import train_tokenizer
from babelshelf.core.errors import InputError
from babelshelf.llm.prompts import Encoded, answer_ids, encode, load_template, parse
from tests.helpers import tiny_lm

TOKENIZER = tiny_lm.tokenizer()
ROW = {"id": "a", "task": "qc", "language": "de", "query": "{rote} schuhe", "candidate": "Shoes > Sneakers"}


def encoded(max_length: int, **fields: str) -> Encoded:
    return encode(pl.DataFrame([ROW | fields]), tiny_lm.TEMPLATE, TOKENIZER, max_length)


def test_short_prompt_has_all_fields_and_leaves_the_space_to_the_answer() -> None:
    template = tiny_lm.TEMPLATE
    assert template.render(ROW) == "de: Shoes > Sneakers < {rote} schuhe ?"
    assert (template.no, template.yes) == (" no", " yes")


@pytest.mark.parametrize(("task", "kind"), [("qc", "category path"), ("qi", "item title")])
def test_alpaca_prompt_names_the_language_and_the_kind(root: Path, task: str, kind: str) -> None:
    template = load_template(root / "prompts" / "alpaca" / "qc.txt")
    prompt = template.render(ROW | {"task": task})
    assert "written in German." in prompt
    assert f"Decide whether the {kind} is relevant" in prompt
    assert f"Query: {{rote}} schuhe\n{kind.capitalize()}: Shoes > Sneakers\n" in prompt
    assert prompt.endswith("### Response:\n")
    assert (template.no, template.yes) == ("no", "yes")


@pytest.mark.parametrize("text", ["<|pad|>", "red <|end|> shoes", "a<|pad|><|end|>b", "<|end|>"])
@pytest.mark.parametrize("field", ["query", "candidate"])
def test_special_tokens_in_a_users_text_are_text(text: str, field: str) -> None:
    special = set(TOKENIZER.all_special_ids)
    assert special & set(TOKENIZER(text)["input_ids"])  # or the test would say nothing
    assert not special & set(encoded(64, **{field: text}).ids[0])
    plain = TOKENIZER.decode(encoded(64, **{field: text}).ids[0])
    assert text.replace("<|", "< |") in plain


@pytest.mark.parametrize("text", ["{query} {candidate}", "{query} {answer} {candidate}"])
def test_a_template_that_does_not_end_with_the_answer_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"mine: a template must end with \{answer\}"):
        parse(text, "mine")


def test_an_unknown_template_is_refused_with_the_known_ones(root: Path) -> None:
    with pytest.raises(InputError, match=r"long/qc\.txt: no such prompt; there are .*alpaca, .*short"):
        load_template(root / "prompts" / "long" / "qc.txt")


def test_answer_ids_are_no_then_yes() -> None:
    no, yes = answer_ids(tiny_lm.TEMPLATE, TOKENIZER)
    assert (TOKENIZER.decode([no]), TOKENIZER.decode([yes])) == (" no", " yes")


@pytest.mark.parametrize("known", [" no", " yes"])
def test_an_answer_of_several_tokens_is_refused(known: str) -> None:
    other = train_tokenizer([known] * 10, 512)
    missing = {" no": " yes", " yes": " no"}[known]
    with pytest.raises(InputError, match=f"the answer '{missing}' is not one token"):
        answer_ids(tiny_lm.TEMPLATE, other)


def test_prompts_that_fit_are_encoded_as_they_are_and_in_order() -> None:
    rows = tiny_lm.rows()
    found = encode(rows, tiny_lm.TEMPLATE, TOKENIZER, 512)
    assert [TOKENIZER.decode(ids) for ids in found.ids] == [
        tiny_lm.TEMPLATE.render(row).lower() for row in rows.to_dicts()
    ]
    assert found.shortened == 0


def test_the_answer_still_fits_after_the_longest_prompt() -> None:
    length = len(encoded(512).ids[0])
    assert encoded(length + 1).shortened == 0
    assert encoded(length).shortened == 1
    assert len(encoded(length).ids[0]) < length


def test_only_the_end_of_a_long_candidate_is_lost_and_it_is_counted() -> None:
    candidate = "漢" * 40 + "字" * 160  # the end is another character than the beginning
    long, short = ROW | {"candidate": candidate}, ROW | {"id": "b"}
    found = encode(pl.DataFrame([short, long, short]), tiny_lm.TEMPLATE, TOKENIZER, 80)
    assert found.shortened == 1
    assert found.ids[0] == found.ids[2] == encoded(512).ids[0]
    prompt = TOKENIZER.decode(found.ids[1])
    kept = prompt.count("漢") + prompt.count("字")
    assert 0 < kept < 200
    assert prompt == f"de: {candidate[:kept]} < {{rote}} schuhe ?"
    # as long as can be: one character more, of three bytes with a token each, would not fit
    assert 80 - 3 <= len(found.ids[1]) < 80
    assert len(encoded(512, candidate=candidate[: kept + 1]).ids[0]) >= 80


def test_a_query_that_is_too_long_alone_is_refused_by_its_row() -> None:
    with pytest.raises(InputError, match=r"row 'a': its query alone exceeds max_length \(40 tokens\)"):
        encoded(40, query="漢" * 40)
