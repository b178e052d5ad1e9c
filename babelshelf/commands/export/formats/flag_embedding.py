"""JSON lines with query, pos and neg, as FlagEmbedding trains embedders and rerankers on; with scores for a teacher."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from babelshelf.commands.export.exported_pairs import by_query, used_by_query

if TYPE_CHECKING:
    from babelshelf.commands.export.exported_pairs import ExportedPairs

SOURCES = ("data",)
LIBRARY = "FlagEmbedding"


def write(source: ExportedPairs, folder: Path) -> None:
    """Write the files."""
    source.write(folder, ".jsonl", table, used_by_query)


def table(rows: pl.DataFrame) -> pl.DataFrame:
    """A query a line: lists `pos` and `neg`, and with p(yes) `pos_scores` and `neg_scores` in the same order."""
    return by_query(rows).drop("language")


def usage(source: ExportedPairs) -> str:
    """How FlagEmbedding reads it."""
    file = source.written[0].file
    scored = source.scores is not None
    teacher = " --knowledge_distillation True" if scored else ""
    scores = (
        "`pos_scores` and `neg_scores` are p(yes) of a trained model, in the order of `pos` and `neg`."
        if scored
        else "There are no `pos_scores` and `neg_scores`: leave `--knowledge_distillation` at False."
    )
    return f"""\
```sh
torchrun --nproc_per_node 1 -m FlagEmbedding.finetune.reranker.encoder_only.base \\
  --model_name_or_path BASE-MODEL --train_data {file} --train_group_size 8{teacher} --output_dir reranker
```

{scores} A query without a relevant candidate, or without another, is left out: FlagEmbedding draws one of each.
"""
