"""Several sources of labelled pairs: another one for each task, or several for one.

Each part is read as it would be alone. Then the rules of duplicates, pairs with both labels and leaks hold over all of
them together: no query is in train by one part and in test by another. docs/sources/mixed.md explains the params.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from babelshelf.core.errors import InputError
from babelshelf.core.rows import HELD_OUT, SPLITS
from babelshelf.pairs.dropped_rows import bad_rows
from babelshelf.pairs.rows import CODED
from babelshelf.pairs.splits import HOLDOUT, KEPT, assign_splits, with_needs
from babelshelf.prepare.from_pairs import Pairs, assembled, both_labels_by_task, check_share, counts, with_extras
from babelshelf.prepare.marketplace import Inputs, Marketplace
from babelshelf.prepare.params import SOURCES
from babelshelf.prepare.sources.mixed.params import SECTION, Params, PartParams, Parts, resolve
from babelshelf.prepare.statistics import split_statistics

if TYPE_CHECKING:
    from babelshelf.pairs.params import FilesParams

__all__ = ["SECTION", "TASKS", "Params", "read", "resolve"]
TASKS = ("qc", "qi")


class Part(NamedTuple):
    """A part that was read: its params, its pairs (ids and files name the part), and its bad rows."""

    params: PartParams
    pairs: Pairs
    dropped: pl.DataFrame


def read(inputs: Inputs, settings: Parts, seed: int) -> Marketplace:
    """Read all parts, split each, and settle what is between them.

    Args:
        inputs: of each task, what DVC watches; each part's path is one of these or within.
        settings: the parts, and the params of each one's source.
        seed: of the cuts.

    Returns:
        All tasks that a part has; `counts` are of all parts together, `parts` has those of each, with the statistics of
        its train, dev and test.

    Raises:
        InputError: a part can't be read, or more of its rows are bad than its `max_bad_share` allows (of all parts
            together); a query is in two splits; or a split lacks a class.
    """
    parts = _read_parts(inputs, settings)
    rows = pl.concat([part.pairs.rows for part in parts])
    settled = assign_splits(_with_splits(parts, settings.mixed, seed), _with_policies(parts[0], settings.mixed), seed)
    dropped = pl.concat([part.dropped for part in parts])
    market = assembled(settled, settings.mixed.tasks, both_labels_by_task(rows), dropped, seed)
    for part in parts:
        market = with_extras(market, replace(part.pairs, counts={}, inputs={}))
    return replace(market, parts={part.params.name: _counted(part, settled) for part in parts})


def _read_parts(inputs: Inputs, settings: Parts) -> list[Part]:
    parts, problems = [], []
    for params in settings.mixed.parts:
        try:
            parts.append(_read_part(params, inputs, settings))
        except InputError as error:
            problems += [f"{params.name}: {line}" for line in error.message.splitlines()]
    if problems:
        raise InputError("\n".join(problems))
    return parts


def _read_part(params: PartParams, inputs: Inputs, settings: Parts) -> Part:
    """The pairs of a part; dropped and messages have files by the name of the part."""
    path = Path(params.path)
    _check_links(path, inputs)
    read_pairs = SOURCES.load(params.source).read_pairs
    pairs: Pairs = read_pairs(dict.fromkeys(TASKS, path), settings.settings[params.name])
    dropped = bad_rows(pairs.rows, pairs.settings)
    check_share(pairs.rows, dropped, pairs.settings)
    rows = pairs.rows.select(sorted(pairs.rows.columns)).with_columns(
        part=pl.lit(params.name, CODED),
        id=pl.format("{}-{}-{}", "task", pl.lit(params.name), pl.col("id").str.slice(len("qc-"))),
        file=_named(params).cast(CODED),
    )
    return Part(params, replace(pairs, rows=rows), dropped.with_columns(file=_named(params)))


def _check_links(path: Path, inputs: Inputs) -> None:
    """Raise InputError for a folder that is linked into one that DVC watches: it does not look into such links."""
    for inner in (path, *path.parents):
        if inner in inputs.values():
            return
        if inner.is_symlink() and inner.is_dir():
            raise InputError(
                f"{inner}: a link to a folder, in which DVC sees no change: make a folder, and link the files"
            )


def _named(params: PartParams) -> pl.Expr:
    return pl.format("{}: {}", pl.lit(params.name), "file")


def _with_splits(parts: Sequence[Part], mixed: Params, seed: int) -> pl.DataFrame:
    """The rows of all parts with the split of each in `given`, as its part says or as it is cut here.

    Parts are cut one after the other. What is free to go anywhere joins the rows that earlier parts have of its query,
    so that a part's splits stay as they are, whatever comes after it.
    """
    rows = _numbered([])
    for part in parts:
        own = _as_given(part)
        cut = assign_splits(_numbered([rows, own]), _with_policies(part, mixed), seed).tail(own.height)
        # what its part says of a row that is held out stays, or it would follow its query into dev or test
        held_out = pl.when(pl.col("drop") == HOLDOUT).then(own["given"])
        split = cut.select(pl.coalesce(held_out, "given", "split")).to_series()
        own = own.with_columns(given=split, **{f"needs_{name}": pl.lit(value=False) for name in HELD_OUT})
        rows = _numbered([rows, own])
    return rows


def _numbered(tables: Sequence[pl.DataFrame]) -> pl.DataFrame:
    there = [table.drop("order", strict=False) for table in tables if table.width]
    return pl.concat(there).with_row_index("order") if there else pl.DataFrame()


def _as_given(part: Part) -> pl.DataFrame:
    """A part's rows with what it lacks of dev and test; if it is for training alone, nothing, and all are train."""
    rows = with_needs(part.pairs.rows)
    if part.params.splits == "own":
        return rows
    return rows.with_columns(
        given=pl.lit("train", CODED), needs_dev=pl.lit(value=False), needs_test=pl.lit(value=False)
    )


def _with_policies(part: Part, mixed: Params) -> FilesParams:
    """The part's shares of dev and test, and what holds over all parts."""
    split = part.pairs.settings.split.model_copy(update=mixed.split.model_dump())
    return part.pairs.settings.model_copy(update={"split": split, "conflicts": mixed.conflicts})


def _counted(part: Part, settled: pl.DataFrame) -> dict[str, Any]:
    """By task: what of the part's rows was kept and dropped, what its source counts, and statistics of its splits."""
    found: dict[str, Any] = {}
    for task in part.params.tasks:
        rows = settled.filter(part=part.params.name, task=task)
        kept = rows.filter(KEPT).with_columns(group="key")
        splits = {split: split_statistics(kept.filter(split=split)) for split in SPLITS}
        found[task] = counts(rows) | part.pairs.counts.get(task, {}) | splits
        if inputs := part.pairs.inputs.get(task):
            found[task]["not_read"] = inputs["not_read"]
    return found
