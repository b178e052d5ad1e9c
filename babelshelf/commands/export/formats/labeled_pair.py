"""Columns query, candidate and label, as sentence-transformers trains a CrossEncoder on; Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from babelshelf.commands.export.exported_pairs import ExportedPairs

SOURCES = ("data",)
LIBRARY = "sentence-transformers"


def write(source: ExportedPairs, folder: Path) -> None:
    """Write the files: a column more would be taken as a text of the pair."""
    source.write(folder, ".parquet", table)


def table(rows: pl.DataFrame) -> pl.DataFrame:
    """The pairs; the label is 1.0 or 0.0, or p(yes) where there are scores."""
    label = pl.col("p_yes") if "p_yes" in rows.columns else pl.col("label").cast(pl.Float64)
    return rows.select("query", "candidate", label=label)


def usage(source: ExportedPairs) -> str:
    """How sentence-transformers reads it."""
    return f"""\
```python
from datasets import load_dataset
from sentence_transformers import CrossEncoder, CrossEncoderTrainer
from sentence_transformers.cross_encoder.losses import BinaryCrossEntropyLoss

pairs = load_dataset("PATH-OR-ID", "{source.written[0].task}")
model = CrossEncoder("BASE-MODEL", num_labels=1)
CrossEncoderTrainer(model=model, train_dataset=pairs["train"], loss=BinaryCrossEntropyLoss(model)).train()
```
"""
