"""A prompt as a chat template in Jinja, so that other tools build our prompt from a query and a candidate.

The messages are one with the role `query` and one with the role `document`, as sentence-transformers and vLLM give
them. All text stands in expressions: Jinja drops a newline at the end of a template, but not at the end of an
expression.
"""

from __future__ import annotations

import json
import string
import sys
from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING

import polars as pl

from babelshelf.core import languages
from babelshelf.core.errors import InputError
from babelshelf.llm.prompts import KINDS, Template, encode

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MESSAGE = (
    '{{%- set {name} = messages | selectattr("role", "eq", "{role}") | map(attribute="content") | first{parts} -%}}\n'
)
ROLES = {"query": "query", "candidate": "document"}

# Pairs in several scripts, that both ways to tokenize a prompt are compared on.
SAMPLES = (
    ("en", "red shoes", "Shoes > Running Shoes"),
    ("de", "Größe 38, weiß", "Straßenschuhe für Damen (38 bis 42)"),
    ("ja", "赤い靴", "ランニングシューズ 26.5cm"),
    ("th", "รองเท้าวิ่ง", "รองเท้า > รองเท้ากีฬา"),
    ("ar", "حذاء أحمر", "أحذية > أحذية رياضية"),
    ("ko", " 빨간 운동화", "운동화 270mm\nblack"),
    ("en", "{{ 7 }} {% raw %}", '"quoted" \\ {curly} 100%'),
)


def chat_template(
    template: Template, task: str, tokenizer: PreTrainedTokenizerBase, *, language: str, prefix: str
) -> str:
    """The chat template that renders the prompt of a pair, without the answer.

    Args:
        template: of the model.
        task: `qc` or `qi`.
        tokenizer: a special token of it that stands in a query or candidate is taken apart, as `prompts.encode` does.
        language: ISO 639-1 code, where the caller gives no variable `language`.
        prefix: what stands before the prompt: the BOS token, for a caller that adds none.

    Raises:
        InputError: a field of the template has a format of its own.
    """
    fields = list(_fields(template))
    special = [token for token in tokenizer.all_special_tokens if len(token) > 1]
    apart = "".join(f" | replace({_text(token)}, {_text(f'{token[0]} {token[1:]}')})" for token in special)
    lines = [MESSAGE.format(name=name, role=role, parts=apart) for name, role in ROLES.items()]
    if {"language", "language_name"} & {field for _, field in fields}:
        lines.append(f"{{%- set code = language | default({_text(language)}) -%}}\n")
    if "language_name" in {field for _, field in fields}:
        lines.append(f"{{%- set names = {json.dumps(_names(), ensure_ascii=False)} -%}}\n")
        unknown = "raise_exception('language: no code of ISO 639-1: ' ~ code)"
        lines.append(f"{{%- if code not in names -%}}{{{{- {unknown} -}}}}{{%- endif -%}}\n")
    values = {
        "query": "query",
        "candidate": "candidate",
        "language": "code",
        "language_name": "names[code]",
        "kind": _text(KINDS[task]),
        "kind_title": _text(KINDS[task].capitalize()),
    }
    parts = [_text(prefix)] if prefix else []
    for text, field in fields:
        parts += [_text(text)] if text else []
        parts += [values[field]] if field else []
    return "".join([*lines, *(f"{{{{- {part} -}}}}" for part in parts)])


def candidate_is_last(template: Template) -> bool:
    """Whether only fixed text follows the candidate, so that a cut at the end of the prompt loses no query."""
    return [field for _, field in _fields(template) if field in ROLES][-1] == "candidate"


def bos(tokenizer: PreTrainedTokenizerBase) -> str:
    """What the tokenizer puts before each text: its BOS token, or nothing."""
    return "".join(tokenizer.convert_ids_to_tokens(tokenizer("")["input_ids"]))


def check_tokens(template: Template, task: str, tokenizer: PreTrainedTokenizerBase, *, adds_bos: bool) -> None:
    """Compare the tokens of prompts by the tokenizer's chat template with those that the model was trained with.

    Args:
        template: of the model.
        task: `qc` or `qi`.
        tokenizer: has the chat template.
        adds_bos: whether the caller lets the tokenizer put its BOS token before the rendered prompt.

    Raises:
        InputError: they differ, as where a tokenizer reads a text after the BOS token in another way than at its start.
    """
    special = [token for token in tokenizer.all_special_tokens if len(token) > 1]
    samples = [*SAMPLES, ("en", f"a {' '.join(special)}", f"b{''.join(special)}")]
    rows = pl.DataFrame(samples, schema=["language", "query", "candidate"], orient="row")
    rows = rows.with_columns(task=pl.lit(task), id=pl.col("query"))
    for row, expected in zip(rows.to_dicts(), encode(rows, template, tokenizer, sys.maxsize).ids, strict=True):
        messages = [{"role": role, "content": row[name]} for name, role in ROLES.items()]
        rendered = tokenizer.apply_chat_template(messages, language=row["language"], tokenize=False)
        if tokenizer(rendered, add_special_tokens=adds_bos)["input_ids"] != expected:
            raise InputError(
                f"the tokens of the prompt of {row['query']!r}, as another tool gets them, are not those of training: "
                "this tokenizer can't be exported with a chat template; serve the model as docs/serving.md says"
            )


def _fields(template: Template) -> Iterator[tuple[str, str | None]]:
    """The template's pieces: a text, and the field after it."""
    for text, field, form, conversion in string.Formatter().parse(template.text):
        if form or conversion:
            raise InputError(f"the prompt's field {field!r} has a format of its own, which can't be exported")
        yield text, field


def _names() -> dict[str, str]:
    """English names of all languages of ISO 639-1."""
    codes = ("".join(letters) for letters in product(string.ascii_lowercase, repeat=2))
    return {code: languages.name(code) for code in codes if languages.is_code(code)}


def _text(text: str) -> str:
    """A string literal of Jinja, which has JSON's escapes; other characters as they are."""
    return json.dumps(text, ensure_ascii=False)
