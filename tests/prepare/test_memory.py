"""The stage `prepare` on many rows, as a process of its own: its memory grows by little with each row."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from babelshelf.core.files import read_json
from benchmarks.prepare import run, write_pairs

FEW, MANY = 100_000, 400_000
BYTES_PER_ROW = 800  # so that 10 million rows, of some 180 bytes of JSON each, fit in 8 GB; it was 560 when measured


@pytest.mark.slow
def test_memory_a_row_is_bounded_and_all_rows_are_there(tmp_path: Path) -> None:
    peaks = {}
    for rows in (FEW, MANY):
        folder = tmp_path / str(rows)
        folder.mkdir()
        _, peaks[rows] = run(write_pairs(folder / "pairs.jsonl", rows), folder)
        counts = read_json(folder / "metrics.json")["left_out"]["qi"]
        assert counts["read"] == rows == counts["kept"] + sum(counts["dropped"].values())
        splits = [pl.scan_parquet(folder / f"data/original/qi/{name}.parquet") for name in ("train", "dev", "test")]
        assert pl.concat(splits).select(pl.len()).collect().item() == counts["kept"]
    assert (peaks[MANY] - peaks[FEW]) / (MANY - FEW) < BYTES_PER_ROW, peaks
