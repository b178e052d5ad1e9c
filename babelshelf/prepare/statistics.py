"""What a data set is like: sizes and class shares by task, split and language.

After Table 1 of "A Data-Centric Approach to Multilingual E-Commerce Product Search" (CIKM AnalytiCup 2025).
"""

from __future__ import annotations

from typing import Any

import polars as pl

from babelshelf.prepare.marketplace import Marketplace
from babelshelf.tables.truth import Truth, relevant


def statistics(marketplace: Marketplace) -> dict[str, Any]:
    """`{task: {"candidates": catalogue's size, "train" | "dev" | "test": statistics}}`, and what is not of one task.

    That is `texts` by kind, `glossary_terms`, what the source has `left_out` of its input and, where it is made of
    several, `parts`, what each gave.
    """
    of_tasks: dict[str, Any] = {
        task: {
            "candidates": {"all": data.candidates.height, "in_train": int(data.candidates["in_train"].sum())},
            "train": split_statistics(data.train) | {"noise_share": noise_share(data.train, data.truth)},
            "dev": split_statistics(data.dev),
            "test": split_statistics(data.test),
        }
        for task, data in marketplace.tasks.items()
    }
    glossary = marketplace.glossary
    return of_tasks | {
        "texts": dict(marketplace.texts.group_by("kind").len().sort("kind").iter_rows()),
        "glossary_terms": 0 if glossary is None else glossary.height,
        "left_out": marketplace.counts,
        **({"parts": marketplace.parts} if marketplace.parts else {}),
    }


def split_statistics(rows: pl.DataFrame) -> dict[str, Any]:
    """Statistics of a table of rows; shares are null where no row is labelled.

    A query is a text in a language; `positive_share` is of the labelled rows.
    """
    queries = rows.select("language", "query").n_unique()
    by_language = rows.group_by("language").agg(rows=pl.len(), positive_share=pl.col("label").mean()).sort("language")
    return {
        "rows": rows.height,
        "queries": queries,
        "groups": rows["group"].n_unique(),
        "candidates": rows["candidate"].n_unique(),
        "rows_per_query": rows.height / queries if queries else None,
        "labelled_share": rows["label"].count() / rows.height if rows.height else None,
        "positive_share": rows["label"].mean(),
        "languages": {row.pop("language"): row for row in by_language.iter_rows(named=True)},
    }


def noise_share(rows: pl.DataFrame, truth: Truth) -> float | None:
    """Share of wrong labels among the labelled rows whose truth is known; null where none is."""
    labelled = rows.filter(pl.col("label").is_not_null())
    wrong = (labelled["label"] == 1) != relevant(labelled, truth)
    share = wrong.mean()
    return share if isinstance(share, float) else None
