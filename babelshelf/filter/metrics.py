"""What the filter counts: rows by what became of them, the cap, label noise where the truth is known, and judges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from babelshelf.filter.decisions import CELL, CONTRADICTED, JUDGES, WHO
from babelshelf.tables.truth import Truth, relevant


def kept_by_cap(before: pl.DataFrame, after: pl.DataFrame) -> dict[str, dict[str, dict[str, dict[str, int]]]]:
    """`{language: {label: {origin: {read, marked, kept_by_cap}}}}` where the cap kept rows."""
    cells = (
        before.select(*CELL, marked=pl.col("reason").is_not_null())
        .with_columns(dropped=after["reason"].is_not_null())
        .group_by(CELL)
        .agg(read=pl.len(), marked=pl.col("marked").sum(), kept_by_cap=(pl.col("marked") & ~pl.col("dropped")).sum())
        .filter(pl.col("kept_by_cap") > 0)
        .sort(CELL)
    )
    found: dict[str, dict[str, dict[str, dict[str, int]]]] = {}
    for row in cells.iter_rows(named=True):
        counts = {name: row[name] for name in ("read", "marked", "kept_by_cap")}
        found.setdefault(row["language"], {}).setdefault(str(row["label"]), {})[row["origin"]] = counts
    return found


def row_counts(final: pl.DataFrame, *, relabels: bool) -> dict[str, Any]:
    """Numbers of rows read, contradicted, dropped and kept, in all and by origin, language and label.

    Args:
        final: rows with `reason`, why they are dropped, or null; `was`, the label that they came with; and `label`.
        relabels: whether to count the rows that have another label now, too.
    """
    label = pl.col("was").cast(pl.String).fill_null("unlabelled")
    groups = {"by_origin": pl.col("origin"), "by_language": pl.col("language"), "by_label": label}
    total: dict[str, Any] = _count(final, pl.lit("all"), relabels)["all"]
    return total | {name: _count(final, key, relabels) for name, key in groups.items()}


def _count(final: pl.DataFrame, key: pl.Expr, relabels: bool) -> dict[str, dict[str, int]]:
    """`{key: {read, contradicted, dropped, kept}}`, sorted by key; with `relabelled`, a part of those kept."""
    columns = {
        "read": pl.len(),
        "contradicted": (pl.col("reason") == CONTRADICTED).sum(),
        "dropped": pl.col("reason").is_not_null().sum(),
        "kept": pl.col("reason").is_null().sum(),
    }
    if relabels:
        columns["relabelled"] = (pl.col("reason").is_null() & pl.col("label").ne_missing(pl.col("was"))).sum()
    counts = final.group_by(key=key).agg(**columns).sort("key")
    return dict(zip(counts["key"], counts.drop("key").iter_rows(named=True), strict=True))


def noise(final: pl.DataFrame, truth: Truth) -> dict[str, Any]:
    """Wrong labels before and after, and precision and recall of the rows that were dropped or relabelled, by origin.

    Empty without ground truth. `precision` is missing if no row was changed and `recall` if no label is wrong, as they
    are undefined. `final` is that of `row_counts`.
    """
    known = final.with_columns(is_relevant=relevant(final, truth)).with_columns(
        wrong=pl.col("was").cast(pl.Boolean) != pl.col("is_relevant"),
        still_wrong=pl.col("label").cast(pl.Boolean) != pl.col("is_relevant"),
    )
    return {str(origin): _noise(part) for (origin,), part in sorted(known.drop_nulls("wrong").group_by("origin"))}


def _noise(known: pl.DataFrame) -> dict[str, float]:
    wrong, dropped = known["wrong"], known["reason"].is_not_null()
    changed = dropped | (known["label"] != known["was"])
    detected = int((wrong & changed).sum())
    result: dict[str, float] = {"rows": known.height, "share_before": float(wrong.sum()) / known.height}
    if not dropped.all():
        result["share_after"] = float((known["still_wrong"] & ~dropped).sum()) / int((~dropped).sum())
    if changed.any():
        result["precision"] = detected / int(changed.sum())
    if wrong.any():
        result["recall"] = detected / int(wrong.sum())
    return result


def people_metrics(rows: pl.DataFrame, people: pl.DataFrame) -> dict[str, int]:
    """How many rows people decided on, themselves or as translations, and how many labels they confirmed and changed.

    Args:
        rows: with `id` and `was`, the label that a row came with.
        people: of `decisions.by_people`.
    """
    joined = rows.select("id", "was").join(people, on="id", how="inner")
    changed = int(joined["decided"].ne_missing(joined["was"]).sum())
    own = int((joined["about"] == joined["id"]).sum())
    return {"decided": joined.height, "own": own, "confirmed": joined.height - changed, "relabelled": changed}


def panel_metrics(judged: pl.DataFrame, judges: Mapping[str, Mapping[str, int]], truth: Truth) -> dict[str, Any]:
    """Counts of rows by what the majority said, and of each judge; with ground truth, also the shares that are right.

    Args:
        judged: `JUDGED_SCHEMA`.
        judges: by name, the counts of its answers, calls and tokens.
        truth: of the source.
    """
    agrees = judged["majority"] == judged["label"]
    counts = {"asked": judged.height, "confirmed": int(agrees.sum()), "contradicted": int((~agrees).sum())}
    counts["undecided"] = judged["majority"].null_count()
    known = judged.with_columns(is_relevant=relevant(judged, truth)).drop_nulls("is_relevant")
    decided = known.drop_nulls("majority")
    result: dict[str, Any] = counts | _share_right(decided["majority"] == 1, decided["is_relevant"])
    result["label_right"] = _share_right(known["label"] == 1, known["is_relevant"]).get("right")
    result["panel"] = {name: dict(own) | _right(known, name) for name, own in judges.items()}
    return {key: value for key, value in result.items() if value is not None}


def _right(known: pl.DataFrame, judge: str) -> dict[str, float]:
    """The share of a judge's votes that the truth agrees with; empty where there are none."""
    yes, no = (pl.col(name).list.contains(judge) for name in WHO[JUDGES][:2])
    voted = known.select("is_relevant", yes=yes, no=no).filter(pl.col("yes") | pl.col("no"))
    return _share_right(voted["yes"], voted["is_relevant"])


def _share_right(said: pl.Series, is_relevant: pl.Series) -> dict[str, float]:
    return {"right": float((said == is_relevant).mean())} if said.len() else {}  # type: ignore[arg-type]
