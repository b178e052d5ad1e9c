"""Metrics of what a student was taught: counts of pairs, and what the teacher said of them."""

from __future__ import annotations

from typing import Any

import polars as pl
from sklearn.metrics import average_precision_score

from babelshelf.distill.teaching import Scores
from babelshelf.distill.unlabelled import DISTANCES


def lesson_metrics(train: pl.DataFrame, pairs: pl.DataFrame, scores: tuple[Scores, Scores]) -> dict[str, Any]:
    """Counts of training rows and of unlabelled pairs by language and distance, and the teacher's scores of them.

    Args:
        train: the training rows.
        pairs: of `unlabelled.PAIR_SCHEMA`.
        scores: the teacher's p(yes) of both.
    """
    scored = pairs.with_columns(p_yes=pl.Series(scores[1], dtype=pl.Float64))
    by_language = scored.group_by("language", "distance").len().sort("language")
    counts: dict[str, dict[str, int]] = {}
    for language, distance, count in by_language.iter_rows():
        counts.setdefault(language, dict.fromkeys(DISTANCES, 0))[distance] = count
    means = dict(scored.group_by("distance").agg(pl.col("p_yes").mean()).iter_rows())
    labelled = train["label"].is_not_null()
    return {
        "rows": train.height,
        "unlabelled_pairs": pairs.height,
        "unlabelled": counts,
        "teacher": {
            "average_precision": average_precision_score(
                train["label"].filter(labelled), scores[0][labelled.to_numpy()]
            ),
            "mean_p_yes": {distance: means[distance] for distance in DISTANCES if distance in means},
        },
    }
