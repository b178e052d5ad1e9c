"""The training set that is exported: a variant of each task, with the labelled rows of dev."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import polars as pl

from babelshelf.core.errors import InputError
from babelshelf.core.files import replacing
from babelshelf.core.rows import read_labelled, read_table
from babelshelf.core.variants import VARIANTS

GROUP = ["language", "query"]  # what a query's positives and negatives are gathered by

Table = Callable[[pl.DataFrame], pl.DataFrame]


@dataclass(frozen=True)
class Written:
    """A file that a format wrote.

    Attributes:
        task, split: its rows'.
        file: its path in the export.
        entries: lines or rows in it.
        pairs: labelled pairs that it was made from.
        unused: of them, those that the format has no place for.
    """

    task: str
    split: str
    file: Path
    entries: int
    pairs: int
    unused: int = 0


@dataclass(frozen=True)
class ExportedPairs:
    """A training set.

    Attributes:
        variant: `original`, `translated`, `negatives` or `filtered`.
        data: the folder `data`.
        prompts: folder of the prompts, `prompts/<name>`.
        tasks: to export; none named: all that have the variant.
        scores: Parquet with `id` and `p_yes` of the training rows; None: without.
        source: of the pairs, `prepare.source`; "" where that is not known.
    """

    variant: str
    data: Path
    prompts: Path
    tasks: Sequence[str] = ()
    scores: Path | None = None
    source: str = ""
    written: list[Written] = field(default_factory=list)

    @cached_property
    def splits(self) -> Mapping[tuple[str, str], pl.DataFrame]:
        """Labelled rows by task and split: train of the variant, and dev.

        Raises:
            InputError: no task has the variant, or a task that was named has not.
        """
        tasks = list(self.tasks) or sorted(
            file.parent.name for file in self.data.glob(f"{self.variant}/*/train.parquet")
        )
        if not tasks:
            known = ", ".join(VARIANTS)
            raise InputError(
                f"{self.data / self.variant}: no training set there: run `dvc repro`, or name another variant: {known}"
            )
        found = {}
        for task in tasks:
            found[task, "train"] = self._with_scores(read_labelled(self.data / self.variant / task / "train.parquet"))
            dev = self.data / "original" / task / "dev.parquet"
            held_out = read_labelled(dev) if dev.is_file() else pl.DataFrame()
            if held_out.height:
                found[task, "dev"] = held_out
        return found

    def write(self, folder: Path, suffix: str, table: Table, used: Callable[[pl.DataFrame], int] = len) -> None:
        """Write `<task>/<split><suffix>` for each task and split, and remember what was written.

        Args:
            folder: of the export.
            suffix: `.parquet`, `.jsonl` or `.json`.
            table: labelled rows to the entries of the file.
            used: how many of some rows have a place in the format.
        """
        for (task, split), rows in self.splits.items():
            entries = table(rows)
            if split == "train" and not entries.height:
                raise InputError(f"data/{self.variant}/{task}: no row has a place in this format")
            if not entries.height:
                continue
            file = folder / task / f"{split}{suffix}"
            with replacing(file) as temporary:
                if suffix == ".parquet":
                    entries.write_parquet(temporary)
                elif suffix == ".jsonl":
                    entries.write_ndjson(temporary)
                else:
                    entries.write_json(temporary)
            counts = entries.height, rows.height, rows.height - used(rows)
            self.written.append(Written(task, split, file.relative_to(folder), *counts))

    def _with_scores(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows with `p_yes`, where there are scores.

        Raises:
            InputError: the scores lack a row.
        """
        if self.scores is None:
            return rows
        scores = read_table(self.scores)
        if not {"id", "p_yes"} <= set(scores.columns):
            raise InputError(f"{self.scores}: expected the columns id and p_yes, found {scores.columns}")
        scored = rows.join(scores.select("id", "p_yes"), on="id", how="left", maintain_order="left")
        if scored["p_yes"].null_count():
            lacking = scored.filter(pl.col("p_yes").is_null())
            raise InputError(
                f"{self.scores}: no p_yes of row {lacking['id'][0]!r} and {lacking.height - 1:,} others: "
                f"score the training set {self.variant!r}"
            )
        return scored


def by_query(rows: pl.DataFrame) -> pl.DataFrame:
    """Queries that have relevant and other candidates: `language`, `query`, and lists `pos` and `neg` of candidates.

    With `p_yes`, `pos_scores` and `neg_scores` too. A candidate that repeats counts once; one with both labels is left
    out. Queries and candidates keep the order of the rows.
    """
    scored = "p_yes" in rows.columns
    once = rows.group_by([*GROUP, "candidate"], maintain_order=True).agg(
        pl.col("label").first(),
        (pl.col("label").n_unique() == 1).alias("sure"),
        *([pl.col("p_yes").mean()] if scored else []),
    )
    positive = pl.col("label") == 1
    lists = [pl.col("candidate").filter(positive).alias("pos"), pl.col("candidate").filter(~positive).alias("neg")]
    if scored:
        lists += [
            pl.col("p_yes").filter(positive).alias("pos_scores"),
            pl.col("p_yes").filter(~positive).alias("neg_scores"),
        ]
    grouped = once.filter("sure").group_by(GROUP, maintain_order=True).agg(lists)
    return grouped.filter(pl.col("pos").list.len() > 0, pl.col("neg").list.len() > 0)


def used_by_query(rows: pl.DataFrame) -> int:
    """How many rows `by_query` has a place for."""
    kept = by_query(rows)
    listed = kept.select(*GROUP, candidate=pl.concat_list("pos", "neg")).explode("candidate")
    return rows.join(listed, on=[*GROUP, "candidate"], how="semi").height
