"""LLaMA-Factory's alpaca format with its dataset_info.json: the prompt of training and the answer yes or no."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from babelshelf.llm.prompts import Template, load_template

if TYPE_CHECKING:
    from babelshelf.commands.export.exported_pairs import ExportedPairs

SOURCES = ("data",)
LIBRARY = "llama-factory"
COLUMNS = {"prompt": "instruction", "query": "input", "response": "output"}


def write(source: ExportedPairs, folder: Path) -> None:
    """Write the files, and the file that LLaMA-Factory finds them by."""
    templates = {task: load_template(source.prompts / f"{task}.txt") for task, _ in source.splits}
    source.write(folder, ".json", partial(table, templates=templates))
    info = {_name(source, one.task, one.split): _entry(one.file) for one in source.written}
    (folder / "dataset_info.json").write_text(json.dumps(info, indent=2) + "\n", encoding="utf-8")


def table(rows: pl.DataFrame, templates: dict[str, Template]) -> pl.DataFrame:
    """Prompts as `instruction`, no `input`, and the answer, with the space that belongs to it, as `output`."""
    template = templates[rows["task"][0]]
    prompts = [template.render(row) for row in rows.select("task", "language", "query", "candidate").to_dicts()]
    answer = pl.when(pl.col("label") == 1).then(pl.lit(template.yes)).otherwise(pl.lit(template.no))
    return rows.select(instruction=pl.Series(prompts, dtype=pl.String), input=pl.lit(""), output=answer)


def usage(source: ExportedPairs) -> str:
    """How LLaMA-Factory reads it."""
    first = source.written[0]
    return f"""\
```sh
llamafactory-cli train --stage sft --do_train true --finetuning_type lora --template empty --dataset_dir FOLDER \\
  --dataset {_name(source, first.task, first.split)} --model_name_or_path BASE-MODEL --output_dir OUT
```

The prompt is that of `{source.prompts}`, and `--template empty` adds nothing to it, no BOS token either. Where a prompt
ends with a space, the space is the answer's first character.
"""


def _name(source: ExportedPairs, task: str, split: str) -> str:
    return f"babelshelf_{source.variant}_{task}_{split}"


def _entry(file: Path) -> dict[str, object]:
    return {"file_name": file.as_posix(), "columns": COLUMNS}
