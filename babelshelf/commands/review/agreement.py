"""What people agree and disagree on: `babelshelf review --agreement`."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from babelshelf.tables.reviews import VOTES, agreed, agreement

SHOWN = 20  # disagreements


def agreement_lines(task: str, decisions: pl.DataFrame) -> Iterator[str]:
    """Lines for the screen: numbers of decisions, kappa of each two people, and the first pairs in dispute.

    Args:
        task: its name.
        decisions: of `read_reviews`.
    """
    votes = agreed(decisions)
    people = decisions["reviewer"].n_unique()
    settled = votes["label"].count()
    yield f"{task}: {votes.height:,} pairs, {people} people; {settled:,} pairs have a label that most agree on"
    for first, second, pairs, alike, kappa in agreement(decisions).iter_rows():
        measured = "kappa undefined: one answer to all" if kappa is None else f"Cohen's kappa {kappa:.2f}"
        yield f"  {first} and {second}: {pairs:,} pairs in common, {alike / pairs:.0%} alike, {measured}"
    different = votes.filter(pl.sum_horizontal((pl.col(name).list.len() > 0).cast(pl.Int8) for name in VOTES) > 1)
    if different.height:
        yield f"  {different.height:,} pairs with different answers{_limit(different.height)}:"
    for row in different.head(SHOWN).iter_rows(named=True):
        said = "; ".join(f"{name}: {', '.join(row[name])}" for name in VOTES if row[name])
        yield f"    {row['language']}  {row['query']}  |  {row['candidate']}  ({said})"


def _limit(count: int) -> str:
    return f", the first {SHOWN}" if count > SHOWN else ""
