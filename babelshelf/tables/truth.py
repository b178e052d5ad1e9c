"""Ground truth of simulated sources, for measuring label noise and false negatives.

Other sources have none. It is used for metrics only: no stage trains on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from babelshelf.core.rows import read_table, write_table

FACTS_SCHEMA = pl.Schema([("key", pl.String()), ("facts", pl.List(pl.String()))])


@dataclass(frozen=True)
class Truth:
    """Ground truth: a candidate is relevant to a query if it has all facts that the query requires.

    Attributes:
        groups: `FACTS_SCHEMA`; the key is a row's `group`, the facts are those that its query requires.
        candidates: `FACTS_SCHEMA`; the key is the candidate's text, the facts are those that it has.

    Both are empty for sources without ground truth.
    """

    groups: pl.DataFrame
    candidates: pl.DataFrame


def no_truth() -> Truth:
    """Empty ground truth, for sources without one."""
    return Truth(groups=FACTS_SCHEMA.to_frame(), candidates=FACTS_SCHEMA.to_frame())


def read_truth(folder: Path) -> Truth:
    """Read what `write_truth` wrote to `folder`."""
    return Truth(groups=read_table(folder / "groups.parquet"), candidates=read_table(folder / "candidates.parquet"))


def write_truth(folder: Path, truth: Truth) -> None:
    """Write `groups.parquet` and `candidates.parquet` into `folder`."""
    write_table(folder / "groups.parquet", truth.groups)
    write_table(folder / "candidates.parquet", truth.candidates)


def relevant(pairs: pl.DataFrame, truth: Truth) -> pl.Series:
    """True relevance of `(group, candidate)` pairs.

    Args:
        pairs: a table with the columns `group` and `candidate`.
        truth: the facts of groups and candidates.

    Returns:
        Boolean series, shape (n_pairs,); null where the group or the candidate has no ground truth.
    """
    required = truth.groups.rename({"key": "group", "facts": "required"})
    present = truth.candidates.rename({"key": "candidate", "facts": "present"})
    joined = (
        pairs.select("group", "candidate")
        .join(required, on="group", how="left", maintain_order="left")
        .join(present, on="candidate", how="left", maintain_order="left")
    )
    return joined.select(relevant=pl.col("required").list.set_difference("present").list.len() == 0).to_series()
