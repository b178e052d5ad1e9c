"""Compare the declared languages of queries with the identified ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import polars as pl

from babelshelf.core.languages import number
from babelshelf.core.rows import SPLITS
from babelshelf.data_report.tables import Count, Finding, TaskTables
from babelshelf.page.cells import EXAMPLES, cell, percent
from babelshelf.page.document import Block, Table, Text
from babelshelf.runtime.screen import progress
from babelshelf.text.language_id import Tolerance, identify, supported

CHUNK = 2048  # queries between two steps of the progress bar
JUDGED = {
    "identified": pl.String,  # most likely language, null for a query without letters
    "confidence": pl.Float64,  # of the identified language
    "declared_confidence": pl.Float64,  # of the declared language, null if lingua does not support it
    "contradicted": pl.Boolean,
}


def candidates(tasks: Sequence[TaskTables]) -> list[str]:
    """All declared languages of all tasks that can be identified."""
    return supported([language for data in tasks for language in data.rows["language"].unique()])


def languages(
    data: TaskTables, choice: Sequence[str], tolerance: Tolerance, most: int | Literal["all"], seed: int
) -> Finding:
    """Compare declared with identified languages.

    Args:
        data: tables of a task.
        choice: candidate languages, see `candidates`.
        tolerance: when a declared language counts as contradicted.
        most: maximum number of unique queries for each split and language.
        seed: the pipeline's seed, for the sample.
    """
    if len(choice) < 2:
        return Finding("Languages", {}, [Text("Fewer than two of the declared languages can be identified.")])
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
    """A random sample of at most `most` unique queries of each language, sorted; columns `language` and `query`."""
    unique = rows.select("language", "query").unique().sort("language", "query")
    parts = []
    for (language,), queries in unique.group_by("language", maintain_order=True):
        if most != "all" and queries.height > most:
            rng = np.random.default_rng([seed, number(str(language))])
            queries = queries[np.sort(rng.choice(queries.height, most, replace=False))]  # noqa: PLW2901
        parts.append(queries)
    return pl.concat(parts) if parts else unique


def judge(queries: pl.DataFrame, choice: Sequence[str], tolerance: Tolerance, name: str) -> pl.DataFrame:
    """Add the columns `JUDGED` to the queries; `name` labels the progress bar."""
    judged = pl.DataFrame(list(_judged(queries, choice, tolerance, name)), schema=JUDGED, orient="row")
    return queries.hstack(judged)


def _judged(
    queries: pl.DataFrame, choice: Sequence[str], tolerance: Tolerance, name: str
) -> Iterator[tuple[str | None, float | None, float | None, bool]]:
    with progress(total=queries.height, desc=f"languages of {name}", unit="query") as bar:
        for part in queries.iter_slices(CHUNK):
            for declared, identification in zip(
                part["language"], identify(part["query"].to_list(), choice), strict=True
            ):
                if identification is None:
                    yield None, None, None, False
                else:
                    contradicted = identification.contradicts(declared, tolerance)
                    declared_confidence = identification.confidences.get(declared)
                    yield identification.language, identification.confidence, declared_confidence, contradicted
            bar.update(part.height)


def _metrics(judged: pl.DataFrame) -> dict[str, Any]:
    """Numbers of `queries`, `contradicted`, `agreeing` and `undecided` ones, overall and by declared language."""
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
        f"Languages of {drawn}, identified by lingua among the declared languages. Short queries are often identified "
        "wrongly, so a declared language counts as contradicted only if another one has a confidence of at least "
        f"{tolerance.min_confidence:g} and is {tolerance.ratio:g} times as likely. A query in Latin letters needs at "
        f"least {tolerance.min_letters} letters for that, and never contradicts a language of another script, as "
        "brands are written in Latin letters. A query in another script needs no minimum."
    )


def _confusion(name: str, judged: pl.DataFrame, choice: Sequence[str]) -> Table:
    """Row-normalized confusion table: a row for each declared language, a column for each identified one."""
    rows = []
    for (declared,), part in judged.sort("language").group_by("language", maintain_order=True):
        counts = dict(part.group_by("identified").len().iter_rows())
        shares = [percent(counts[code] / part.height) if code in counts else "" for code in [*choice, None]]
        contradicted = int(part["contradicted"].sum())
        sizes = [f"{part.height:,}", f"{contradicted:,}", percent(contradicted / part.height)]
        rows.append([str(declared), *sizes, *shares])
    headings = ["Declared", "Queries", "Contradicted", "Contradicted, %", *choice, "none"]
    return Table(f"{name}: the most likely language, in per cent of the queries of the declared one", headings, rows)


def _examples(name: str, contradicted: pl.DataFrame) -> Table:
    """The contradictions with the largest difference of confidences."""
    gap = pl.col("confidence") - pl.col("declared_confidence")
    worst = contradicted.sort(gap, "language", "query", descending=[True, False, False]).head(EXAMPLES)
    rows = [
        [cell(value) for value in row]
        for row in worst.select("query", "language", "identified", "confidence", "declared_confidence").iter_rows()
    ]
    caption = f"{name}: the most certain contradictions ({worst.height} of {contradicted.height:,})"
    headings = ["Query", "Declared", "Identified", "Confidence", "Confidence of the declared one"]
    return Table(caption, headings, rows, text_columns=3)
