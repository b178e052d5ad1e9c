"""Parquet shards in a folder that all machines see: prompts for Ray's replicas, and the p(yes) that they write."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import polars as pl

from babelshelf.core.files import replacing
from babelshelf.core.rows import write_table


class Shards:
    """The shards of one list of prompts.

    Attributes:
        prompts: folder of the shards to score, columns `number` and `tokenized_prompt`.
        p_yes: folder of the scored shards, columns `number` and `p_yes`.
        finished: folder in which Ray records the rows that it has written (`ray.data.checkpoint`).
    """

    def __init__(self, folder: Path) -> None:
        self.prompts, self.p_yes, self.finished = (folder / name for name in ("prompts", "p_yes", "finished"))

    def write(self, prompts: pl.Series, rows: int) -> None:
        """Write the prompts in shards of `rows` rows, unless an earlier run that was killed did."""
        if self.prompts.is_dir():
            return
        table = pl.DataFrame({"number": np.arange(len(prompts)), "tokenized_prompt": prompts})
        with replacing(self.prompts) as temporary:
            for number, shard in enumerate(table.iter_slices(rows)):
                write_table(temporary / f"{number:06}.parquet", shard)

    def count_finished(self) -> int:
        """Number of rows that earlier runs have scored and written completely."""
        files = [file for file in self.finished.glob("*.parquet") if not file.name.endswith(".pending.parquet")]
        return sum(pl.scan_parquet(file).select(pl.len()).collect().item() for file in files)

    def read(self, rows: int) -> np.ndarray:
        """p(yes) in the order of the prompts, shape (rows,).

        Raises:
            RuntimeError: rows are missing, or there are too many.
        """
        table = pl.read_parquet(self.p_yes / "*.parquet").sort("number")
        if table["number"].to_list() != list(range(rows)):
            raise RuntimeError(
                f"{self.p_yes}: Ray wrote {table.height} rows of {rows}: remove the folder and start again"
            )
        return table["p_yes"].to_numpy()


def digest(prompts: pl.Series) -> str:
    """Hash of tokenized prompts: of the tokens, and of where each prompt ends."""
    hashed = hashlib.blake2b(digest_size=16)
    for numbers in (prompts.list.len(), prompts.explode()):
        hashed.update(numbers.to_numpy().data)
    return hashed.hexdigest()
