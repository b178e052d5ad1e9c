"""Prompts: a row becomes an instruction that ends where the model answers "yes" or "no".

A template is a text file `prompts/<name>/<task>.txt` with the fields `{language}` (ISO 639-1), `{language_name}`,
`{query}`, `{candidate}`, `{kind}` and `{kind_title}` (category path, item title), and `{answer}` at its end. The prompt
is all before `{answer}`; one space before it belongs to the answer, as byte-pair encodings keep a space with the word
that follows it.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from babelshelf.core import languages
from babelshelf.core.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

FRAME = 64  # bytes at most that a tokenizer and the fields of a template add to its text and the query
LONGEST = 1000  # rows that are tokenized to find the longest prompt
KINDS = {"qc": "category path", "qi": "item title"}


@dataclass(frozen=True)
class Template:
    """A prompt's text with its fields, and the two answers as they follow it.

    Attributes:
        source: the whole text of the template, as it is kept with a model.
        text: what comes before the answer.
        no, yes: the answers, with the space that belongs to them.
    """

    source: str
    text: str
    no: str
    yes: str

    def render(self, row: dict[str, str]) -> str:
        """The prompt of a row (`task`, `language`, `query`, `candidate`)."""
        kind = KINDS[row["task"]]
        return self.text.format(
            language=row["language"],
            language_name=languages.name(row["language"]),
            query=row["query"],
            candidate=row["candidate"],
            kind=kind,
            kind_title=kind.capitalize(),
        )


@dataclass(frozen=True)
class Encoded:
    """Token ids of prompts (without answers), and how many candidates were shortened to fit."""

    ids: list[list[int]]
    shortened: int


def parse(text: str, name: str) -> Template:
    """A template from its text; `name` is for the error message."""
    before, field, after = text.partition("{answer}")
    if not field or after.strip():
        raise InputError(f"{name}: a template must end with {{answer}}")
    space = " " if before.endswith(" ") else ""
    return Template(source=text, text=before.removesuffix(" "), no=f"{space}no", yes=f"{space}yes")


def load_template(file: Path) -> Template:
    """The template of `prompts/<name>/<task>.txt`.

    Raises:
        InputError: there is no such file, or it is no template; the message names the file.
    """
    if not file.is_file():
        known = ", ".join(
            sorted(folder.name for folder in file.parents[1].glob("*/") if (folder / file.name).is_file())
        )
        raise InputError(
            f"{file}: no such prompt; there are {known or '(none)'}; prompts/README.md says how to add one"
        )
    return parse(file.read_text(encoding="utf-8"), str(file))


def answer_ids(template: Template, tokenizer: PreTrainedTokenizerBase) -> tuple[int, int]:
    """Token ids of "no" and "yes" as they follow the prompt.

    Raises:
        InputError: an answer is not exactly one token at the prompt's boundary, so that p(yes) would be of something
            else than the answer.
    """
    row = {"task": "qc", "language": "en", "query": "shoes", "candidate": "Shoes > Running Shoes"}
    prompt = template.render(row)
    prefix = tokenizer(prompt)["input_ids"]
    tokens = []
    for answer in (template.no, template.yes):
        ids = tokenizer(prompt + answer)["input_ids"]
        if len(ids) != len(prefix) + 1 or ids[:-1] != prefix:
            raise InputError(_not_one_token(answer, prefix, ids, tokenizer))
        tokens.append(int(ids[-1]))
    if tokens[0] == tokens[1]:
        raise InputError("this tokenizer has one token for yes and no alike: its vocabulary lacks both words")
    return tokens[0], tokens[1]


def _not_one_token(answer: str, prefix: list[int], ids: list[int], tokenizer: PreTrainedTokenizerBase) -> str:
    """Why an answer is not one token after the prompt, and the fix."""
    if prefix and prefix[-1] == ids[-1] and ids[-1] in tokenizer.all_special_ids:
        token = tokenizer.convert_ids_to_tokens(ids[-1])
        return (
            f"the answer {answer!r} is not one token at the end of the prompt, as this tokenizer appends {token} to "
            "each text: switch that off (add_eos_token: false in its tokenizer_config.json, or its post-processor)"
        )
    if ids[: len(prefix)] == prefix:
        tokens = " ".join(tokenizer.convert_ids_to_tokens(ids[len(prefix) :]))
        return (
            f"the answer {answer!r} is not one token of this tokenizer but {len(ids) - len(prefix)} ({tokens}): its "
            "vocabulary lacks the word, so set another base model"
        )
    return (
        f"the answer {answer!r} is not one token of this tokenizer at the end of the prompt, with which it merges: "
        "put a space or a line break before {answer} in the template"
    )


def encode(rows: pl.DataFrame, template: Template, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Encoded:
    """Token ids of the rows' prompts, at most `max_length - 1` each, so that the answer always fits.

    A longer prompt loses the end of its candidate, never of its query or instruction. A special token that stands in
    a query or candidate, such as `<|pad|>`, is encoded as the text that it is.

    Raises:
        InputError: prompts are too long even with an empty candidate; the message has their number and the first.
    """
    texts = rows.select("id", "task", "language", "query", "candidate")
    records = without_special_tokens(texts, tokenizer).to_dicts()
    ids = token_ids([template.render(record) for record in records], tokenizer)
    exceeding = [index for index, prompt in enumerate(ids) if len(prompt) >= max_length]
    over = list[str]()
    for index in exceeding:
        ids[index] = _shortened(records[index], template, tokenizer, max_length)
        if not ids[index]:
            over.append(records[index]["id"])
    if over:
        others = f" and {len(over) - 1:,} more rows" if len(over) > 1 else ""
        raise InputError(f"row {over[0]!r}{others}: its query alone exceeds max_length ({max_length} tokens)")
    return Encoded(ids=ids, shortened=len(exceeding))


def too_long(rows: pl.DataFrame, template: Template, tokenizer: PreTrainedTokenizerBase, max_length: int) -> pl.Series:
    """Which rows no prompt can hold, even with an empty candidate, Boolean, shape (rows,)."""
    empty = without_special_tokens(rows.with_columns(candidate=pl.lit("")), tokenizer)
    # A text has at most one token a byte: only long queries need to be tokenized.
    frame = len(template.text.encode()) + FRAME
    possible = empty["query"].str.len_bytes() + frame >= max_length
    lengths = [len(ids) for ids in token_ids(_texts(empty.filter(possible), template), tokenizer)]
    mask = pl.Series([False]).new_from_index(0, rows.height)
    return mask.scatter(possible.arg_true(), [length >= max_length for length in lengths])


def longest_prompt(rows: pl.DataFrame, template: Template, tokenizer: PreTrainedTokenizerBase) -> int:
    """Tokens of the longest prompt, among the `LONGEST` rows of the most bytes; 0 without rows."""
    size = pl.col("query").str.len_bytes() + pl.col("candidate").str.len_bytes()
    return max(map(len, token_ids(_texts(rows.top_k(LONGEST, by=size), template), tokenizer)), default=0)


def _texts(rows: pl.DataFrame, template: Template) -> list[str]:
    return [template.render(row) for row in rows.select("task", "language", "query", "candidate").to_dicts()]


def without_special_tokens(rows: pl.DataFrame, tokenizer: PreTrainedTokenizerBase) -> pl.DataFrame:
    """The rows with a space after the first character of each special token in a query or candidate.

    So the tokenizer reads it as text, wherever the prompt is encoded. A template may hold special tokens: it is left as
    it is.
    """
    special = [token for token in tokenizer.all_special_tokens if len(token) > 1]
    if not special:
        return rows
    apart = [f"{token[0]} {token[1:]}" for token in special]
    return rows.with_columns(pl.col("query", "candidate").str.replace_many(special, apart))


def token_ids(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> list[list[int]]:
    """Token ids of texts, as the tokenizer gives them (with its BOS token where it has one)."""
    if not texts:
        return []
    if not tokenizer.is_fast:
        ids: list[list[int]] = tokenizer(list(texts))["input_ids"]
        return ids
    # Called itself, as what transformers makes around the ids takes half as long again.
    backend = tokenizer.backend_tokenizer
    backend.no_padding()
    backend.no_truncation()
    return [encoding.ids for encoding in backend.encode_batch_fast(texts)]


def as_series(encoded: Encoded) -> pl.Series:
    """The prompts' token ids as `List(Int32)`, in a fifth of the memory that Python's lists take."""
    return pl.Series(encoded.ids, dtype=pl.List(pl.Int32))


def _shortened(
    record: dict[str, str], template: Template, tokenizer: PreTrainedTokenizerBase, max_length: int
) -> list[int]:
    """The longest prompt that fits, by bisection over the candidate's characters; empty where none fits.

    Not by words: some scripts have no spaces.
    """

    def ids(characters: int) -> list[int]:
        shorter = record | {"candidate": record["candidate"][:characters]}
        tokens: list[int] = tokenizer(template.render(shorter))["input_ids"]
        return tokens

    if len(ids(0)) >= max_length:
        return []
    too_many = bisect.bisect_left(range(len(record["candidate"]) + 1), max_length, key=lambda n: len(ids(n)))
    return ids(too_many - 1)
