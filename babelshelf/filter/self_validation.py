"""Self-validated data filtering: drop the training rows whose label is contradicted by a confident prediction.

A model is trained on the training set and then scores the same set, out of fold where it is a classifier. It learns the
general rule before the exceptions, so a row on which it confidently predicts the *other* label is probably labelled
wrongly ("A Data-Centric Approach to Multilingual E-Commerce Product Search", the section on self-validated data
filtering). A rule, a module of `babelshelf.filter.rules`, says what is confident enough.

Rows that were derived from a dropped row:

- A *translated* row has the candidate and the label of its parent. If the parent's label is wrong, so is that of the
  translation. With `derived: drop` it is dropped with its parent, whatever its own score. With `derived: judge` it is
  dropped only if its own score contradicts its label, as in the paper.
- A *mined negative* has label 0 because its candidate differs from that of its parent, not because the parent's label
  is right. It is judged by its own score under both policies.
- At most `max_dropped_share` of the rows of a class in a language and of an origin are dropped, so of all rows of a
  class, a language or an origin, too: if the model contradicts more, it has hardly learned them, and without these rows
  the next model would never predict the class. The rows that the model contradicts with the most confidence are dropped
  first, then translations of dropped rows.
- A parent is not dropped for its translations: the error may be in the translation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from babelshelf.core.errors import InputError
from babelshelf.core.rows import ROW_SCHEMA, positive_share
from babelshelf.filter.params import RULES, FilterParams
from babelshelf.tables.truth import Truth, relevant

CELL = ("language", "label", "origin")  # of whose rows a share is dropped at most
CONTRADICTED = "contradicted"
PARENT_DROPPED = "parent_dropped"


@dataclass(frozen=True)
class Filtered:
    """A filtered training set.

    Attributes:
        kept: the complete training set that remains, `ROW_SCHEMA`, in the order it was read.
        dropped: the rows that were left out, `ROW_SCHEMA` with `p_yes` and `reason` (`contradicted` or
            `parent_dropped`).
        metrics: numbers of rows read, contradicted (by their own score), dropped and kept, and label noise if the
            source has ground truth.
    """

    kept: pl.DataFrame
    dropped: pl.DataFrame
    metrics: dict[str, Any]

    @property
    def warnings(self) -> list[str]:
        """A line for each class of a language of which `max_dropped_share` kept some rows, or no row is left."""
        kept_by_cap = [
            f"check: the filter would drop {cell['marked']:,} of the {cell['read']:,} {origin} rows of {language} with "
            f"label {label}; max_dropped_share keeps {cell['kept_by_cap']:,} of them: the model has hardly learned "
            "this class"
            for language, labels in self.metrics["capped"].items()
            for label, origins in labels.items()
            for origin, cell in origins.items()
        ]
        cell = ["language", "label"]
        gone = self.dropped.group_by(cell).len().join(self.kept, on=cell, how="anti").sort(cell)
        return kept_by_cap + [
            f"check: the filter dropped all {rows:,} rows of {language} with label {label}: a model of the rest "
            "will not predict it there; lower max_dropped_share"
            for language, label, rows in gone.iter_rows()
        ]


def filter_rows(rows: pl.DataFrame, scores: pl.DataFrame, truth: Truth, settings: FilterParams) -> Filtered:
    """Drop the rows that the model contradicts; the module's docstring describes the policy.

    Args:
        rows: a training set, `ROW_SCHEMA`; rows without a label are kept.
        scores: `id` and `p_yes`, one for each row.
        truth: ground truth, for the metrics only.
        settings: the rule, and what it leads to.

    Raises:
        InputError: the scores are not one for each row, or all rows would be dropped.
    """
    scored = _contradicted(_with_scores(rows, scores), settings)
    marked = capped(scored, settings.max_dropped_share)
    if settings.derived == "drop":
        scored = _drop_translations(scored)
        marked = capped(_drop_translations(marked), settings.max_dropped_share)
    dropped = marked.filter(pl.col("reason").is_not_null())
    if dropped.height == marked.height:
        raise InputError(f"the filter dropped all {marked.height} rows: lower tasks.<task>.filter.max_dropped_share")
    kept = marked.filter(pl.col("reason").is_null()).select(ROW_SCHEMA.names())
    metrics = _counts(marked) | {
        "positive_share": {"before": positive_share(rows), "after": positive_share(kept)},
        "capped": _kept_by_cap(scored, marked),
        "noise": _noise(marked, truth),
    }
    return Filtered(kept=kept, dropped=dropped, metrics=metrics)


def _contradicted(scored: pl.DataFrame, settings: FilterParams) -> pl.DataFrame:
    """Add the column `reason`: `CONTRADICTED` where the rule flags the row."""
    labelled = scored.filter(pl.col("label").is_not_null())
    flags = (
        RULES.load(settings.rule).flagged(labelled, settings) if labelled.height else pl.Series([], dtype=pl.Boolean)
    )
    flagged = pl.col("id").is_in(labelled.filter(flags)["id"].implode())
    return scored.with_columns(reason=pl.when(flagged).then(pl.lit(CONTRADICTED)))


def capped(marked: pl.DataFrame, share: float) -> pl.DataFrame:
    """At most `share` of the rows of each class, language and origin keep their reason to be dropped.

    Args:
        marked: columns `id`, `language`, `label`, `origin`, `p_yes` and `reason`, null where a row is kept.
        share: from 0 to 1.
    """
    wrong = pl.when(pl.col("label") == 1).then(1 - pl.col("p_yes")).otherwise("p_yes")  # confidence in the other label
    placed = marked.with_row_index("row").sort(
        pl.col("reason").is_null(), pl.col("reason") == PARENT_DROPPED, -wrong, "id", maintain_order=True
    )
    place = pl.int_range(pl.len()).over(CELL)
    room = (pl.len().over(CELL) * share + 1e-9).floor()
    return placed.with_columns(reason=pl.when(place < room).then("reason")).sort("row").drop("row")


def _drop_translations(marked: pl.DataFrame) -> pl.DataFrame:
    """Mark the translations of contradicted rows; one level is enough, as translations are not translated again."""
    contradicted = marked.filter(pl.col("reason").is_not_null())["id"].implode()
    orphaned = (pl.col("origin") == "translated") & pl.col("parent_id").is_in(contradicted)
    return marked.with_columns(reason=pl.coalesce("reason", pl.when(orphaned).then(pl.lit(PARENT_DROPPED))))


def _with_scores(rows: pl.DataFrame, scores: pl.DataFrame) -> pl.DataFrame:
    joined = rows.join(scores.select("id", "p_yes"), on="id", how="left", maintain_order="left")
    valid = pl.col("p_yes").is_between(0, 1).fill_null(value=False)
    if not rows.height == scores.height == joined.filter(valid).height:
        raise InputError(
            f"the scores ({scores.height}) are not one p_yes from 0 to 1 for each of the {rows.height} training rows: "
            "they belong to another training set, run score_train again"
        )
    return joined
