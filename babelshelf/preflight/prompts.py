"""What can go wrong with a base model's tokenizer: answers of several tokens, prompts that are too long.

Only models of a folder or of the hub's local cache are checked. The built-in LM learns its tokenizer from the prompts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from babelshelf.core.errors import InputError
from babelshelf.llm import base_model
from babelshelf.llm.params import NANO, NEWEST, SourceParams, is_folder
from babelshelf.llm.prompts import Template, answer_ids, load_template, longest_prompt, too_long

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PROMPTS = Path("prompts")
ORIGINAL = Path("data/original")
COLUMNS = ["id", "task", "language", "query", "candidate"]
SHOWN = 5  # ids of rows in a message
SHORTEST = pl.DataFrame({"task": ["qc"], "language": ["en"], "query": ["a"], "candidate": ["a"]})


def tokenizer_problems(lm: SourceParams, template: str, tasks: Sequence[str], max_length: int) -> Iterator[str]:
    """What the tokenizer of the base LM can't do with the prompts, a line each.

    Args:
        lm: the base LM.
        template: name of a folder of `prompts/`.
        tasks: of params.yaml.
        max_length: tokens of a prompt and its answer; the rows of `data/original` are checked where they are there.
    """
    try:
        tokenizer = local_tokenizer(lm)
        if tokenizer is None:
            return
        for task in tasks:
            prompt = load_template(PROMPTS / template / f"{task}.txt")
            answer_ids(prompt, tokenizer)
            for file in sorted((ORIGINAL / task).glob("*.parquet")):
                yield from _too_long(file, prompt, tokenizer, max_length)
    except InputError as error:
        yield f"base_model.lm.model: {lm.model}: {error.message}"


def longest(files: Sequence[Path], template: Path, lm: SourceParams, max_length: int) -> int:
    """Tokens of the longest prompt of the rows in `files`.

    Where no file is there yet, before `prepare`, those of the shortest prompt: what does not fit even so never will.
    `max_length` where there is no tokenizer yet.
    """
    tokenizer = local_tokenizer(lm) if template.is_file() else None
    if tokenizer is None:
        return max_length
    prompt = load_template(template)
    tables = [_rows(file) for file in files if file.is_file()] or [SHORTEST]
    return min(max_length, max(longest_prompt(rows, prompt, tokenizer) for rows in tables))


def local_tokenizer(lm: SourceParams) -> PreTrainedTokenizerBase | None:
    """The tokenizer of a model that is in a folder or in the hub's cache; None of another, or of the built-in one."""
    if lm.model == NANO:
        return None
    if is_folder(lm.model):
        folder: Path | None = base_model.local_folder(lm.model)
    else:
        folder = base_model.cached(lm.model, None if lm.revision == NEWEST else lm.revision)
    has_tokenizer = folder is not None and any(folder.glob("tokenizer*"))
    return base_model.load_tokenizer(folder) if folder is not None and has_tokenizer else None


def _too_long(file: Path, template: Template, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Iterator[str]:
    rows = _rows(file)
    overlong = rows.filter(too_long(rows, template, tokenizer, max_length))["id"].to_list()
    if overlong:
        ids = ", ".join(overlong[:SHOWN]) + (", ..." if len(overlong) > SHOWN else "")
        yield (
            f"sft.max_length: {max_length} tokens do not hold the query of {len(overlong):,} rows of {file} ({ids}): "
            "raise it, or shorten these queries"
        )


def _rows(file: Path) -> pl.DataFrame:
    return pl.read_parquet(file, columns=COLUMNS)
