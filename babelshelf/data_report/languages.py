"""Whether queries are in the language that they are declared as: a report, not an error, as short texts hardly tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import polars as pl

from babelshelf.core.languages import number
from babelshelf.data_report.tables import SPLITS, Count, Finding, TaskData
from babelshelf.page.cells import EXAMPLES, cell, percent
from babelshelf.page.document import Block, Table, Text
from babelshelf.runtime.screen import progress
from babelshelf.text.language_id import Tolerance, identify, supported

CHUNK = 2048  # queries that are identified between two steps of the progress bar
JUDGED = {
    "identified": pl.String,  # the most likely language, null for a query that has no letters
    "confidence": pl.Float64,  # in it
    "declared_confidence": pl.Float64,  # in the declared one, null where it cannot be identified
    "contradicted": pl.Boolean,
}


def candidates(tasks: Sequence[TaskData]) -> list[str]:
    """The languages to choose from: all that some row of some task is declared as, and that can be identified."""
    return supported([language for data in tasks for language in data.rows["language"].unique()])


def languages(
    data: TaskData, choice: Sequence[str], tolerance: Tolerance, most: int | Literal["all"], seed: int
) -> Finding:
    """Compare declared with identified languages.

    Args:
        data: of a task.
        choice: languages to choose from, see `candidates`.
        tolerance: from where on a declared language counts as contradicted.
        most: unique queries of a split and language that are looked at.
        seed: of which they are.
    """
    if len(choice) < 2:
        return Finding("Languages", {}, [Text("There are no two languages that could be told apart.")])
    drawn = {split: sample(data.split(split), most, seed) for split in SPLITS}
    judged = {split: judge(queries, choice, tolerance, f"{data.task} {split}") for split, queries in drawn.items()}
    metrics = {split: _metrics(found) for split, found in judged.items()}
    blocks: list[Block] = [Text(_explained(tolerance, most))]
    counts = []
    for split, found in judged.items():
        wrong = int(found["contradicted"].sum())
        blocks.append(_confusion(f"{data.task}, {split}", found, choice))
        counts.append(Count(f"queries of {split} whose declared language is contradicted", wrong, found.height))
    contradicted = {split: found.filter("contradicted") for split, found in judged.items()}
    blocks += [_examples(f"{data.task}, {split}", found) for split, found in contradicted.items() if found.height]
    return Finding("Languages", metrics, blocks, counts)


def sample(rows: pl.DataFrame, most: int | Literal["all"], seed: int) -> pl.DataFrame:
    """Unique queries, columns `language` and `query`, sorted; of each language at most `most`, drawn at random."""
    unique = rows.select("language", "query").unique().sort("language", "query")
    parts = []
    for (language,), queries in unique.group_by("language", maintain_order=True):
        if most != "all" and queries.height > most:
            rng = np.random.default_rng([seed, number(str(language))])
            queries = queries[np.sort(rng.choice(queries.height, most, replace=False))]  # noqa: PLW2901
        parts.append(queries)
    return pl.concat(parts) if parts else unique


def judge(queries: pl.DataFrame, choice: Sequence[str], tolerance: Tolerance, name: str) -> pl.DataFrame:
    """The queries with the columns `JUDGED`; `name` is shown beside the progress bar."""
    found = pl.DataFrame(list(_judged(queries, choice, tolerance, name)), schema=JUDGED, orient="row")
    return queries.hstack(found)


def _judged(
    queries: pl.DataFrame, choice: Sequence[str], tolerance: Tolerance, name: str
) -> Iterator[tuple[str | None, float | None, float | None, bool]]:
    with progress(total=queries.height, desc=f"languages of {name}", unit="query") as bar:
        for part in queries.iter_slices(CHUNK):
            for declared, one in zip(part["language"], identify(part["query"].to_list(), choice), strict=True):
                if one is None:
                    yield None, None, None, False
                else:
                    contradicted = one.contradicts(declared, tolerance)
                    yield one.language, one.confidence, one.confidences.get(declared), contradicted
            bar.update(part.height)


def _metrics(judged: pl.DataFrame) -> dict[str, Any]:
    """`queries` that were looked at, `contradicted` and `agreeing` among them, in all and by declared language."""
    by_language = {str(language): _counts(part) for (language,), part in judged.group_by("language")}
    return _counts(judged) | {"languages": dict(sorted(by_language.items()))}


def _counts(judged: pl.DataFrame) -> dict[str, Any]:
    contradicted = int(judged["contradicted"].sum())
    return {
        "queries": judged.height,
        "agreeing": judged.filter(pl.col("identified") == pl.col("language")).height,
        "undecided": judged["identified"].null_count(),
        "contradicted": contradicted,
        "contradicted_share": contradicted / judged.height if judged.height else None,
    }


def _explained(tolerance: Tolerance, most: int | Literal["all"]) -> str:
    drawn = "all unique queries" if most == "all" else f"up to {most:,} unique queries of each split and language"
    return (
        f"Languages of {drawn}, identified by lingua among those that the data declares. Short queries often look like "
        "another language, so a declared language counts as contradicted only where another has a confidence of at "
        f"least {tolerance.min_confidence:g} and is {tolerance.ratio:g} times as likely. A query in Latin letters "
        f"needs at least {tolerance.min_letters} of them for that, and never contradicts a language of another script: "
        "brands are written so. Letters of another script tell at once."
    )


def _confusion(name: str, judged: pl.DataFrame, choice: Sequence[str]) -> Table:
    """A line a declared language, a column an identified one, in per cent of the line's queries."""
    rows = []
    for (declared,), part in judged.sort("language").group_by("language", maintain_order=True):
        counts = dict(part.group_by("identified").len().iter_rows())
        shares = [percent(counts[code] / part.height) if code in counts else "" for code in [*choice, None]]
        contradicted = int(part["contradicted"].sum())
        own = [f"{part.height:,}", f"{contradicted:,}", percent(contradicted / part.height)]
        rows.append([str(declared), *own, *shares])
    headings = ["Declared", "Queries", "Contradicted", "Contradicted, %", *choice, "none"]
    return Table(f"{name}: the most likely language, in per cent of the queries of the declared one", headings, rows)


def _examples(name: str, contradicted: pl.DataFrame) -> Table:
    """The contradictions that are the most certain, by how much likelier the other language is."""
    gap = pl.col("confidence") - pl.col("declared_confidence")
    worst = contradicted.sort(gap, "language", "query", descending=[True, False, False]).head(EXAMPLES)
    rows = [
        [cell(value) for value in row]
        for row in worst.select("query", "language", "identified", "confidence", "declared_confidence").iter_rows()
    ]
    caption = f"{name}: the most certain contradictions ({worst.height} of {contradicted.height:,})"
    headings = ["Query", "Declared", "Identified", "Confidence", "In the declared one"]
    return Table(caption, headings, rows, text_columns=3)
