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

People and judges come between the rule and this (`babelshelf.filter.decisions`): labels that people agree on are set
before the rule looks, and a panel of judges can confirm or contradict what it flags. A row whose label judges
contradict gets the other label, if the params say so, and its translations with it. That row is lost to its class, too,
so the cap counts it, and takes it first. It does not count what people decided.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from babelshelf.core.errors import InputError
from babelshelf.core.rows import ROW_SCHEMA, concat, positive_share
from babelshelf.filter import decisions, metrics
from babelshelf.filter.decisions import CELL, CONTRADICTED, JUDGES, ORDER, PARENT_DROPPED, PEOPLE, RELABELLED
from babelshelf.filter.params import RULES, FilterParams
from babelshelf.tables.truth import Truth

if TYPE_CHECKING:
    from babelshelf.filter.judges.panel import Votes


@dataclass(frozen=True)
class Filtered:
    """A filtered training set.

    Attributes:
        kept: the complete training set that remains, `ROW_SCHEMA`, in the order it was read.
        dropped: the rows that were left out, `ROW_SCHEMA` with `p_yes` and `reason` (`contradicted`, `judged_wrong` or
            `parent_dropped`).
        relabelled: the rows of `kept` that have another label now, `decisions.RELABELLED_SCHEMA`; None where neither
            people nor judges decided anything.
        judged: the rows that judges were asked about, `decisions.JUDGED_SCHEMA`; None where there are no judges.
        metrics: numbers of rows read, contradicted (by their own score), dropped and kept; label noise if the source
            has ground truth; and what people and judges decided, where they did.
        warnings_of_judges: a line for each judge that gave no vote on some rows.
    """

    kept: pl.DataFrame
    dropped: pl.DataFrame
    relabelled: pl.DataFrame | None
    judged: pl.DataFrame | None
    metrics: dict[str, Any]
    warnings_of_judges: tuple[str, ...] = ()

    @property
    def warnings(self) -> list[str]:
        """A line for each class of a language of which `max_dropped_share` kept some rows, or no row is left.

        And one for each judge that gave no vote on some rows.
        """
        would = "drop" if self.judged is None else "drop or relabel"
        kept_by_cap = [
            f"check: the filter would {would} {cell['marked']:,} of the {cell['read']:,} {origin} rows of {language} "
            f"with label {label}; max_dropped_share keeps {cell['kept_by_cap']:,} of them: the model has hardly "
            "learned this class"
            for language, labels in self.metrics["capped"].items()
            for label, origins in labels.items()
            for origin, cell in origins.items()
        ]
        cell = ["language", "label"]
        gone = self.dropped.group_by(cell).len().join(self.kept, on=cell, how="anti").sort(cell)
        return [*self.warnings_of_judges, *kept_by_cap] + [
            f"check: the filter dropped all {rows:,} rows of {language} with label {label}: a model of the rest "
            "will not predict it there; lower max_dropped_share"
            for language, label, rows in gone.iter_rows()
        ]


def filter_rows(
    rows: pl.DataFrame,
    scores: pl.DataFrame,
    truth: Truth,
    settings: FilterParams,
    *,
    agreed: pl.DataFrame | None = None,
    judge: Callable[[pl.DataFrame], Votes] | None = None,
) -> Filtered:
    """Drop the rows that the model contradicts; the module's docstring describes the policy.

    Args:
        rows: a training set, `ROW_SCHEMA`; rows without a label are kept.
        scores: `id` and `p_yes`, one for each row.
        truth: ground truth, for the metrics only.
        settings: the rule, and what it leads to.
        agreed: what people agree on, of `babelshelf.tables.reviews.agreed`; None: no people.
        judge: gives the votes on rows (`ROW_SCHEMA` and more); None: no judges.

    Raises:
        InputError: the scores are not one for each row, or all rows would be dropped.
    """
    scored = _with_scores(rows, scores).with_columns(was=pl.col("label"), settled=False)
    people = None if agreed is None or agreed.is_empty() else decisions.by_people(rows, agreed)
    if people is not None:
        scored = decisions.with_labels_of_people(scored, people)
    flagged = _contradicted(scored, settings)
    votes = None if judge is None else judge(decisions.to_judge(flagged))
    if votes is not None and settings.judges is not None:
        flagged = decisions.mark_judged(flagged, votes.rows, settings.judges)
    before = _with_derived(flagged, settings)
    after = capped(_with_derived(capped(flagged, settings.max_dropped_share), settings), settings.max_dropped_share)
    final = _relabel(after)
    kept = final.filter(pl.col("reason").is_null()).select(ROW_SCHEMA.names())
    if kept.is_empty():
        raise InputError(f"the filter dropped all {rows.height} rows: lower tasks.<task>.filter.max_dropped_share")
    decided = people is not None or votes is not None
    found = metrics.row_counts(final, relabels=decided) | {
        "positive_share": {"before": positive_share(rows), "after": positive_share(kept)},
        "capped": metrics.kept_by_cap(before, after),
        "noise": metrics.noise(final, truth),
    }
    judged = None if votes is None else decisions.judged_rows(scored, votes.rows)
    if people is not None:
        found["people"] = metrics.people_metrics(scored, people)
    if votes is not None and judged is not None:
        found["judges"] = metrics.panel_metrics(judged, votes.judges, truth)
    return Filtered(
        kept=kept,
        dropped=final.filter(pl.col("reason").is_not_null()).select(*ROW_SCHEMA.names(), "p_yes", "reason"),
        relabelled=_relabelled(scored, after, people) if decided else None,
        judged=judged,
        metrics=found,
        warnings_of_judges=() if votes is None else tuple(votes.warnings),
    )


def _contradicted(scored: pl.DataFrame, settings: FilterParams) -> pl.DataFrame:
    """Add the column `reason`: `CONTRADICTED` where the rule flags the row; it does not see what people decided."""
    labelled = scored.filter(pl.col("label").is_not_null() & ~pl.col("settled"))
    flags = (
        RULES.load(settings.rule).flagged(labelled, settings) if labelled.height else pl.Series([], dtype=pl.Boolean)
    )
    flagged = pl.col("id").is_in(labelled.filter(flags)["id"].implode())
    return scored.with_columns(reason=pl.when(flagged).then(pl.lit(CONTRADICTED)))


def _with_derived(marked: pl.DataFrame, settings: FilterParams) -> pl.DataFrame:
    """Mark the translations that follow a marked row."""
    if "decided" in marked.columns:
        marked = decisions.follow_relabelled(marked)
    return _drop_translations(marked) if settings.derived == "drop" else marked


def capped(marked: pl.DataFrame, share: float) -> pl.DataFrame:
    """At most `share` of the rows of each class, language and origin keep their reason to leave the class.

    Args:
        marked: columns `id`, `language`, `label`, `origin`, `p_yes` and `reason`, null where a row stays as it is.
        share: from 0 to 1.
    """
    wrong = pl.when(pl.col("label") == 1).then(1 - pl.col("p_yes")).otherwise("p_yes")  # confidence in the other label
    order = pl.col("reason").replace_strict(ORDER, return_dtype=pl.Int8)
    placed = marked.with_row_index("row").sort(pl.col("reason").is_null(), order, -wrong, "id", maintain_order=True)
    place = pl.int_range(pl.len()).over(CELL)
    room = (pl.len().over(CELL) * share + 1e-9).floor()
    return placed.with_columns(reason=pl.when(place < room).then("reason")).sort("row").drop("row")


def _relabel(marked: pl.DataFrame) -> pl.DataFrame:
    """The rows with the labels of the judges; a row that is relabelled has no reason to be dropped."""
    if "decided" not in marked.columns:
        return marked
    changes = pl.col("reason") == RELABELLED
    return marked.with_columns(
        label=pl.when(changes).then("decided").otherwise("label"),
        reason=pl.when(changes.not_().fill_null(value=True)).then("reason"),
    )


def _relabelled(scored: pl.DataFrame, marked: pl.DataFrame, people: pl.DataFrame | None) -> pl.DataFrame:
    """`decisions.RELABELLED_SCHEMA`, in the order of the rows: those that people and those that judges relabelled."""
    tables = [decisions.RELABELLED_SCHEMA.to_frame()]
    if people is not None:
        theirs = scored.join(people, on="id", how="inner").filter(pl.col("decided").ne_missing(pl.col("was")))
        tables.append(decisions.relabelled_by(PEOPLE, theirs))
    if "decided" in marked.columns:
        tables.append(decisions.relabelled_by(JUDGES, marked.filter(pl.col("reason") == RELABELLED)))
    order = scored.select("id").with_row_index("row")
    return concat(*tables).join(order, on="id").sort("row").drop("row")


def _drop_translations(marked: pl.DataFrame) -> pl.DataFrame:
    """Mark the translations of dropped rows; one level is enough, as translations are not translated again."""
    contradicted = marked.filter(pl.col("reason") != RELABELLED)["id"].implode()
    translated = (pl.col("origin") == "translated") & ~pl.col("settled")
    orphaned = translated & pl.col("parent_id").is_in(contradicted)
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
