"""Where nothing was learned, or too much was lost: what `show`, the report, `score` and `summarize.json` warn about.

Each rule reads what the stage `evaluate` wrote of a task and yields sentences without a full stop.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

MOST_FILTERED = 0.2  # of the rows of a class or a language
FEWEST_TRAIN_ROWS = 20  # of a language or class, of which a share says something
FEWEST_TEST_ROWS = 30  # of a language: with fewer its F1 is chance
FEWEST_DEV_ROWS = 50  # of a language: with as many, the standard error of a share of 0.8 is 6 points


def all_yes_margin(part: Mapping[str, float]) -> float:
    """Lower bound of F1's interval minus F1 of answering "yes" to all pairs; above 0, F1 is significantly better.

    `part` is one part (`all`, `in_train` or `absent`) of what `evaluate` wrote.
    """
    return part["f1_low"] - part["all_yes_f1"]


def warnings(evaluated: Mapping[str, Any]) -> list[str]:
    """All warnings of a task, the gravest first; `evaluated` is what `evaluate` wrote, also of an older version."""
    return [*no_better_than_all_yes(evaluated), *further(evaluated)]


def further(evaluated: Mapping[str, Any]) -> list[str]:
    """Those that do not follow from the table of results."""
    rules = (languages_no_better_than_all_yes, filtered_too_much, too_few_dev_rows)
    return [warning for rule in rules for warning in rule(evaluated)]


def no_better_than_all_yes(evaluated: Mapping[str, Any]) -> Iterator[str]:
    """All languages, or those absent from train: F1 whose interval does not lie above that of all-"yes"."""
    for part, where in (("all", ""), ("absent", " in languages absent from train")):
        if part in evaluated and all_yes_margin(evaluated[part]) <= 0:
            values = evaluated[part]
            interval = f"{_percent(values['f1_low'])}–{_percent(values['f1_high'])}"
            yield (
                f'F1{where} is not clearly above answering "yes" to every pair ({interval} against '
                f"{_percent(values['all_yes_f1'])})"
            )


def languages_no_better_than_all_yes(evaluated: Mapping[str, Any]) -> Iterator[str]:
    """Single languages whose F1, without an interval, is not above that of all-"yes", if they have enough rows."""
    behind = [
        f"{language} ({_percent(values['f1'])} against {_percent(values['all_yes_f1'])})"
        for language, values in evaluated["languages"].items()
        if "all_yes_f1" in values and values.get("rows", 0) >= FEWEST_TEST_ROWS and values["f1"] <= values["all_yes_f1"]
    ]
    if behind:
        yield f'F1 is no better than answering "yes" to every pair in {", ".join(behind)}'


def filtered_too_much(evaluated: Mapping[str, Any]) -> Iterator[str]:
    """Classes and languages that lost more than `MOST_FILTERED` of their training rows in the filter."""
    for name, kind in (("label", "with label"), ("language", "in")):
        lost = [
            f"{key} ({counts['dropped']:,} of {counts['read']:,})"
            for key, counts in evaluated.get("filtered", {}).get(name, {}).items()
            if counts["read"] >= FEWEST_TRAIN_ROWS and counts["dropped"] > MOST_FILTERED * counts["read"]
        ]
        if lost:
            yield f"the filter dropped over {MOST_FILTERED:.0%} of the training rows {kind} {', '.join(lost)}"


def too_few_dev_rows(evaluated: Mapping[str, Any]) -> Iterator[str]:
    """Languages of test with too few labelled rows of dev for their threshold to be trusted."""
    few = [f"{language} ({rows})" for language, rows in evaluated.get("dev_rows", {}).items() if rows < FEWEST_DEV_ROWS]
    if few:
        yield f"dev has fewer than {FEWEST_DEV_ROWS} labelled rows, too few to check a threshold, of {', '.join(few)}"


def filtered_rows(kept: pl.DataFrame, dropped: pl.DataFrame) -> dict[str, dict[str, dict[str, int]]]:
    """`{language | label: {key: {read, dropped}}}` of a filtered training set, sorted by key.

    Args:
        kept: rows with the columns `language` and `label`.
        dropped: likewise.
    """
    columns = [pl.col("language"), pl.col("label").cast(pl.String)]
    parts = ((kept, False), (dropped, True))
    both = pl.concat([table.select(*columns, dropped=pl.lit(is_dropped)) for table, is_dropped in parts])
    return {column: _counts(both, column) for column in ("language", "label")}


def dev_rows(languages: Sequence[str], calibrated: Mapping[str, Any]) -> dict[str, int]:
    """Labelled rows of dev in each language of test; empty of an older version's metrics of `calibrate`."""
    known = calibrated.get("rows_by_language")
    return {} if known is None else {language: known.get(language, 0) for language in languages}


def _counts(rows: pl.DataFrame, column: str) -> dict[str, dict[str, int]]:
    counted = rows.drop_nulls(column).group_by(column).agg(read=pl.len(), dropped=pl.col("dropped").sum()).sort(column)
    return {key: {"read": read, "dropped": dropped} for key, read, dropped in counted.iter_rows()}


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"
