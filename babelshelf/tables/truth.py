"""What is known of the world behind the labels, kept apart from them: to measure noise and false negatives by.

Only a simulated source knows it. No stage trains on it, and no param is chosen by it but where the README says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from babelshelf.core.rows import read_table, write_table

FACTS_SCHEMA = pl.Schema([("key", pl.String()), ("facts", pl.List(pl.String()))])


@dataclass(frozen=True)
class Truth:
    """What a source knows of the world behind its labels; for measuring only, never for training.

    A candidate is relevant to a query where it has all the facts that the query asks for.

    Attributes:
        groups: `FACTS_SCHEMA`, key is a row's `group`: the facts that its query asks for.
        candidates: `FACTS_SCHEMA`, key is the candidate's text: the facts that it has.

    Both are empty for a source that knows nothing but its labels.
    """

    groups: pl.DataFrame
    candidates: pl.DataFrame


def no_truth() -> Truth:
    """The truth of a source that knows nothing but its labels."""
    return Truth(groups=FACTS_SCHEMA.to_frame(), candidates=FACTS_SCHEMA.to_frame())


def read_truth(folder: Path) -> Truth:
    """The truth that `write_truth` wrote to `folder`."""
    return Truth(groups=read_table(folder / "groups.parquet"), candidates=read_table(folder / "candidates.parquet"))


def write_truth(folder: Path, truth: Truth) -> None:
    """Write the two tables of `truth` into `folder`."""
    write_table(folder / "groups.parquet", truth.groups)
    write_table(folder / "candidates.parquet", truth.candidates)


def relevant(pairs: pl.DataFrame, truth: Truth) -> pl.Series:
    """True relevance of `(group, candidate)` pairs.

    Args:
        pairs: a table with the columns `group` and `candidate`.
        truth: the facts of groups and candidates.

    Returns:
        Boolean series, one value a pair, null where the truth does not know the group or the candidate.
    """
    asked = truth.groups.rename({"key": "group", "facts": "asked"})
    had = truth.candidates.rename({"key": "candidate", "facts": "had"})
    joined = (
        pairs.select("group", "candidate")
        .join(asked, on="group", how="left", maintain_order="left")
        .join(had, on="candidate", how="left", maintain_order="left")
    )
    return joined.select(relevant=pl.col("asked").list.set_difference("had").list.len() == 0).to_series()
