"""The scripts of examples/ run as their docstrings say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import polars as pl

from babelshelf.core.rows import ROW_SCHEMA, write_rows


def test_plot_variant_counts_and_draws_the_rows_of_a_training_set(root: Path, tmp_path: Path) -> None:
    row = {"task": "qc", "query": "tent", "candidate": "Camping > Tents", "label": 1, "group": "1"}
    rows = [
        row | {"id": "qc-1", "language": "en", "origin": "original", "parent_id": None},
        row | {"id": "qc-1/de", "language": "de", "origin": "translated", "parent_id": "qc-1"},
        row | {"id": "qc-1/negative", "language": "en", "label": 0, "origin": "negative", "parent_id": "qc-1"},
    ]
    write_rows(tmp_path / "train.parquet", pl.DataFrame(rows, schema=ROW_SCHEMA))
    command = [sys.executable, root / "examples" / "plot_variant.py", "train.parquet", "plot.png"]
    output = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert all(origin in output for origin in ("original", "translated", "negative"))
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
