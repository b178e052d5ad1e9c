"""From files of labelled pairs to a `Marketplace`: all records read, bad ones counted, splits cut, classes checked.

Each row is kept, or counted under the reason why it is not: the counts are, by task, `read`, `kept`, `dropped` by
reason, and `noticed` (rows that are kept). Where the files hold positive pairs alone, random negatives are added to
each split, and counted under `random_negatives`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import polars as pl

from babelshelf.core.errors import InputError
from babelshelf.core.rows import ROW_SCHEMA, SPLITS
from babelshelf.pairs.dropped_rows import PROBLEMS, bad_rows, counted, described
from babelshelf.pairs.encodings import check_scripts
from babelshelf.pairs.rows import CODED, as_texts, read_task
from babelshelf.pairs.splits import KEPT, PAIR, assign_splits, both_labels
from babelshelf.prepare import random_negatives
from babelshelf.prepare.input_files import with_sizes
from babelshelf.prepare.marketplace import Inputs, Marketplace, TaskData
from babelshelf.tables.prediction_sets import UNLABELLED_SCHEMA
from babelshelf.tables.truth import no_truth

if TYPE_CHECKING:
    from babelshelf.pairs.params import FilesParams

SHOWN = 20  # bad rows that a message shows
NOTICED = ("cleaned", "control", "mojibake", "long")


@dataclass(frozen=True)
class Pairs:
    """What a source of labelled pairs has read, before anything is split.

    Attributes:
        rows: as `read_rows` gives them.
        settings: splits, policies, and what the columns are called.
        unlabelled: rows to predict by task, with the columns of `UNLABELLED_SCHEMA` and maybe others.
        counts: what else was counted, by task.
        inputs: of `input_files`, by task; none where a source has no files to count.
    """

    rows: pl.DataFrame
    settings: FilesParams
    unlabelled: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    counts: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    inputs: Mapping[str, dict[str, Any]] = field(default_factory=dict)


def of_pairs(pairs: Pairs, seed: int) -> Marketplace:
    """The marketplace of one source's pairs; raises InputError as `marketplace` does."""
    return with_extras(marketplace(pairs.rows, pairs.settings, seed), pairs)


def with_extras(market: Marketplace, pairs: Pairs) -> Marketplace:
    """`market` with the rows to predict and the counts that the pairs bring besides."""
    tasks = {
        task: replace(market.tasks[task], unlabelled=table.select(UNLABELLED_SCHEMA.names()))
        for task, table in pairs.unlabelled.items()
    }
    counts = {task: market.counts[task] | more for task, more in pairs.counts.items()}
    counts = market.counts | counts
    sizes = {task: with_sizes(task, counts[task], found) for task, found in pairs.inputs.items()}
    return replace(market, tasks=market.tasks | tasks, counts=counts | sizes)


def marketplace(rows: pl.DataFrame, settings: FilesParams, seed: int) -> Marketplace:
    """Split the rows of all tasks, and count what is left out.

    Args:
        rows: as `read_rows` gives them.
        settings: splits, and policies.
        seed: of the cut, and of random negatives.

    Returns:
        The tasks of `settings.tasks`; without truth, with the texts of train, and with the bad rows.

    Raises:
        InputError: more rows are bad than `max_bad_share` allows (the first of them and their count), a query is in two
            splits, or a split lacks a class.
    """
    dropped = bad_rows(rows, settings)
    check_share(rows, dropped, settings)
    pairs = both_labels_by_task(rows)
    return assembled(assign_splits(rows, settings, seed), settings.tasks, pairs, dropped, seed)


def assembled(
    settled: pl.DataFrame, names: Sequence[str], pairs: Mapping[str, int], dropped: pl.DataFrame, seed: int
) -> Marketplace:
    """The marketplace of rows that have their splits.

    Args:
        settled: as `splits.assign_splits` gives them.
        names: of the tasks.
        pairs: with both labels, by task.
        dropped: the bad rows.
        seed: of random negatives.

    Raises:
        InputError: a split lacks a class.
    """
    tasks: dict[str, TaskData] = {}
    counted_rows: dict[str, dict[str, Any]] = {}
    negatives = random_negatives.random_negatives(settled, seed)
    for task in names:
        rows, added = settled.filter(task=task), negatives.filter(task=task)
        tasks[task] = _task_data(rows.filter(KEPT), added)
        check_splits(task, with_negatives(rows.filter(KEPT), added))
        drawn = random_negatives.counted(rows, added)
        counted_rows[task] = counts(rows) | {"pairs_with_both_labels": pairs[task]}
        counted_rows[task] |= {"random_negatives": drawn} if drawn else {}
    return Marketplace(
        tasks=tasks,
        texts=_texts(settled.filter(KEPT, split="train")),
        counts=counted_rows,
        dropped=dropped,
    )


def read_rows(inputs: Inputs, settings: FilesParams) -> pl.DataFrame:
    """All records of all tasks (see `rows.read_task`), numbered in `order`; raise the InputErrors of all."""
    tables, problems = [], []
    for task in settings.tasks:
        try:
            tables.append(read_task(task, inputs[task], settings))
        except InputError as error:
            problems += error.message.splitlines()
    if problems:
        raise InputError("\n".join(dict.fromkeys(problems)))
    check_scripts(pl.concat([table.select("language", "query", "candidate") for table in tables]))
    return pl.concat(tables, rechunk=True).with_row_index("order")


def check_share(rows: pl.DataFrame, dropped: pl.DataFrame, settings: FilesParams) -> None:
    """Raise InputError with the first bad rows and their count if a task has more than `max_bad_share`, or no rows."""
    for task in settings.tasks:
        read, bad = rows.filter(task=task).height, dropped.filter(task=task).height
        if not read:
            raise InputError(f"{task}: no rows: give a file that has some")
        if bad > settings.max_bad_share * read:
            lines = described(dropped, SHOWN)
            most = f"max_bad_share allows {settings.max_bad_share:.2%}"
            total = (
                f"{bad} of {read} {task} rows are bad ({bad / read:.2%}), {most}; in all {dropped.height}, the first:"
            )
            raise InputError("\n".join([total, *lines]))


def counts(rows: pl.DataFrame) -> dict[str, Any]:
    """`read`, `kept`, `dropped` by reason, and `noticed`, of the rows of one task, and the first three by file.

    Raises:
        InputError: the rows that were read are not those that are kept and dropped.
    """
    kept = rows.select("drop", *NOTICED).filter(KEPT)
    files = _by_file(rows)
    for of_file in files.values():
        if of_file["read"] != of_file["kept"] + sum(of_file["dropped"].values()):
            raise InputError(f"the rows that were read, kept and dropped do not tally: {files}")
    if rows.height != sum(of_file["read"] for of_file in files.values()):
        raise InputError(f"{rows.height:,} rows were read, but the files have others: {files}")
    return {
        "read": rows.height,
        "kept": kept.height,
        "bad": rows.filter(pl.col("drop").is_in(list(PROBLEMS))).height,
        "dropped": dict(counted(rows)),
        "noticed": {name: int(kept[name].sum()) for name in NOTICED},
        "files": files,
    }


def _by_file(rows: pl.DataFrame) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    sizes = rows.group_by("file").len().sort(pl.col("file").cast(pl.String))
    dropped = rows.filter(~KEPT).group_by("file", "drop").len().with_columns(pl.col("file", "drop").cast(pl.String))
    kept = dict(rows.filter(KEPT).group_by(pl.col("file").cast(pl.String)).len().iter_rows())
    for file, read in sizes.with_columns(pl.col("file").cast(pl.String)).iter_rows():
        reasons = dict(dropped.filter(pl.col("file") == file).sort("drop").select("drop", "len").iter_rows())
        found[file] = {"read": read, "kept": kept.get(file, 0), "dropped": reasons}
    return found


def both_labels_by_task(rows: pl.DataFrame) -> dict[str, int]:
    """Pairs with both labels, by task."""
    needed = rows.select(*PAIR, "label", "drop")  # the rest would be copied
    return {str(task): both_labels(part) for (task,), part in needed.group_by("task")}


def with_negatives(rows: pl.DataFrame, negatives: pl.DataFrame) -> pl.DataFrame:
    """The rows that are kept, then the random negatives, with the columns of both."""
    return pl.concat([rows, negatives.select(rows.columns)]) if negatives.height else rows


def _task_data(rows: pl.DataFrame, negatives: pl.DataFrame) -> TaskData:
    original = rows.with_columns(origin=pl.lit("original", CODED), parent_id=pl.lit(None, dtype=pl.String))
    added = negatives.with_columns(origin=pl.lit("negative", CODED))
    tables = [original, added] if added.height else [original]
    columns = ("split", *ROW_SCHEMA.names())
    table = pl.concat([table.with_columns(group=pl.col("key")).select(columns) for table in tables])
    train, dev, test = (as_texts(table.filter(split=split).drop("split")) for split in SPLITS)
    candidates = rows.group_by("candidate").agg(in_train=(pl.col("split") == "train").any()).sort("candidate")
    return TaskData(train=train, dev=dev, test=test, candidates=as_texts(candidates), truth=no_truth())


def check_splits(task: str, rows: pl.DataFrame) -> None:
    """Raise InputError where train, dev or test of a task's rows (with `split` and `label`) lacks a class."""
    for split in SPLITS:
        labels = rows.filter(split=split)["label"]
        if labels.n_unique() < 2:
            raise InputError(
                f"{task}: {split} has {len(labels)} rows, and not both relevant and irrelevant pairs: give more rows, "
                "correct the mapping of labels, or change the shares of the section's split"
            )


def _texts(train: pl.DataFrame) -> pl.DataFrame:
    """Queries and candidates of train, sorted, so that nothing tells which pair up.

    A candidate counts as of the language that most of its rows have.
    """
    asked = train.select("language", text="query", kind=pl.lit("query", CODED)).unique()
    offered = train.group_by(text="candidate").agg(
        language=pl.col("language").mode().min(), kind=pl.lit("candidate", CODED)
    )
    texts = pl.concat([table.select("text", "language", "kind") for table in (asked, offered)]).unique()
    return as_texts(texts).sort("text", "language", "kind")
