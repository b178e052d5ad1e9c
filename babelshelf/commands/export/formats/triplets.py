"""Columns query, positive and negative, as sentence-transformers trains an embedder on; Parquet."""

from __future__ import annotations

from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from babelshelf.commands.export.exported_pairs import by_query, used_by_query

if TYPE_CHECKING:
    from babelshelf.commands.export.exported_pairs import ExportedPairs

SOURCES = ("data",)
LIBRARY = "sentence-transformers"
SCHEMA = {"query": pl.String, "positive": pl.String, "negative": pl.String}


def write(source: ExportedPairs, folder: Path) -> None:
    """Write the files."""
    source.write(folder, ".parquet", table, used_by_query)


def table(rows: pl.DataFrame) -> pl.DataFrame:
    """As many triplets a query as it has positives or negatives, whichever are more; the others repeat in turn."""
    triplets = [
        (query, *pair)
        for query, positives, negatives in by_query(rows).select("query", "pos", "neg").iter_rows()
        for pair in islice(zip(cycle(positives), cycle(negatives), strict=False), max(len(positives), len(negatives)))
    ]
    return pl.DataFrame(triplets, schema=SCHEMA, orient="row")


def usage(source: ExportedPairs) -> str:
    """How sentence-transformers reads it."""
    return f"""\
```python
from datasets import load_dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

triplets = load_dataset("PATH-OR-ID", "{source.written[0].task}")
model = SentenceTransformer("BASE-MODEL")
loss = MultipleNegativesRankingLoss(model)
SentenceTransformerTrainer(model=model, train_dataset=triplets["train"], loss=loss).train()
```

A query has as many triplets as it has relevant candidates or others, whichever are more; queries that lack one of the
two are left out.
"""
