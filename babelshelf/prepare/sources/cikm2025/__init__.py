"""The data of CIKM AnalytiCup 2025 (multilingual e-commerce product search): a folder of JSON lines, one object a row.

train_QC.txt and train_QI.txt have labels: train, dev and test are cut out of them. dev_QC.txt, test_QC.txt, dev_QI.txt
and test_QI.txt have none, and become prediction sets. docs/sources/cikm2025.md says what becomes of each row.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from babelshelf.core.errors import InputError
from babelshelf.pairs.comma_paths import rebuild
from babelshelf.pairs.dropped_rows import MISSING_CANDIDATE, bad_rows, described
from babelshelf.pairs.readers import ENCODING, NOT_JSON, RAGGED, read_file
from babelshelf.pairs.rows import CODED, CONTROL, as_texts, parsed_rows
from babelshelf.prepare.from_pairs import SHOWN, Pairs, of_pairs, read_rows
from babelshelf.prepare.input_files import input_files
from babelshelf.prepare.marketplace import Inputs, Marketplace
from babelshelf.prepare.published import PublishedFile, as_files, published_file
from babelshelf.prepare.sources.cikm2025.params import SECTION, Params
from babelshelf.tables.prediction_sets import SCORABLE, UNLABELLED_SCHEMA
from babelshelf.text.keys import each_once

if TYPE_CHECKING:
    from babelshelf.pairs.params import FilesParams

__all__ = ["ONCE", "SECTION", "TASKS", "Params", "read", "read_pairs"]
TASKS = ("qc", "qi")
ONCE = True  # as a part of `mixed`: a submission could not tell the rows of two folders apart
SETS = ("dev", "test")
CANDIDATE = {"qc": "category_path", "qi": "item_title"}
UNDETERMINED = "und"  # ISO 639-2, of a row to predict whose language code is unknown
BROKEN_RECORD = (RAGGED, NOT_JSON, ENCODING)
NO_QUERY, NO_CANDIDATE, NO_LANGUAGE = ("empty_query",), (MISSING_CANDIDATE, "empty_candidate"), "unknown_language"


def read(inputs: Inputs, settings: Params, seed: int) -> Marketplace:
    """Read the competition's folder, cut dev and test out of train, and rebuild the levels of category paths.

    Args:
        inputs: the folder of each task.
        settings: of the source.
        seed: of the cut.

    Raises:
        InputError: a file is missing or can't be read, more train rows are bad than `max_bad_share` allows, a row of a
            prediction set is no JSON object or has no id of its own, or a split lacks a class.
    """
    return of_pairs(read_pairs(inputs, settings), seed)


def read_pairs(inputs: Inputs, settings: Params) -> Pairs:
    """Read the train files and the prediction sets, and rebuild the levels of category paths.

    Raises:
        InputError: a file is missing or can't be read, or a row of a prediction set is no JSON object or has no id of
            its own.
    """
    for task in settings.tasks:
        _check_folder(task, inputs[task])
    files = _files(settings)
    rows = read_rows(inputs, files)
    wanted: dict[str, pl.DataFrame] = {task: _read_sets(task, inputs[task], files) for task in settings.tasks}
    counts: dict[str, dict[str, Any]] = {task: {"unlabelled": _counted(table)} for task, table in wanted.items()}
    if "qc" in wanted:
        paths = pl.concat([rows.filter(task="qc")["candidate"].unique().cast(pl.String), wanted["qc"]["candidate"]])
        levels = rebuild(paths.filter(paths != "").unique().sort().to_list())
        counts["qc"]["category_paths"] = levels.counts
        wanted["qc"] = wanted["qc"].with_columns(pl.col("candidate").replace(levels.texts))
        with_levels = each_once(rows["candidate"], lambda texts: texts.replace(levels.texts).cast(CODED))
        rows = rows.with_columns(candidate=pl.when(task="qc").then(with_levels).otherwise("candidate"))
    return Pairs(rows, files, wanted, counts, input_files(inputs, files))


def file_of(folder: Path, task: str, split: str) -> Path:
    """Where the competition has a task's `train`, `dev` or `test`."""
    return folder / f"{split}_{task.upper()}.txt"


def ids_of(path: Path, task: str, split: str) -> pl.Series:
    """Ids of a prediction set's rows in the order of its file, as `read` makes them."""
    raw = read_file(path, _file(task), {"id": "id"})
    return raw.select(_id(task, split)).to_series()


def _files(settings: Params) -> FilesParams:
    files = {task: _file(task) for task in settings.tasks}
    split = {"leaks": "error", **settings.split.model_dump()}
    return as_files(settings, files, split, ["train", "dev", "test"])


def _file(task: str) -> PublishedFile:
    columns = {"query": "origin_query", "candidate": CANDIDATE[task], "label": "label", "language": "language"}
    return published_file(file_of(Path(), task, "train").name, "jsonl", columns | {"id": "id", "split": ""})


def _check_folder(task: str, folder: Path) -> None:
    train = file_of(folder, task, "train")
    if not train.is_file():
        raise InputError(
            f"{train}: no such file in the folder that prepare.input.{task} names, or the path of a part of `mixed`"
        )


def _read_sets(task: str, folder: Path, files: FilesParams) -> pl.DataFrame:
    """The rows of those prediction sets that are there, `UNLABELLED_SCHEMA` and `reason` (see `_read_set`)."""
    none = UNLABELLED_SCHEMA.to_frame().with_columns(reason=pl.lit(None, pl.String))
    there = [split for split in SETS if file_of(folder, task, split).is_file()]
    return pl.concat([none, *(_read_set(task, file_of(folder, task, split), split, files) for split in there)])


def _read_set(task: str, path: Path, split: str, files: FilesParams) -> pl.DataFrame:
    """All rows of a prediction set; `reason` says which text is missing, or that the language is unknown."""
    own = _file(task)
    wanted = {role: name for role, (name,) in own.columns.names().items() if role != "label"}
    labelled = read_file(path, own, wanted).with_columns(label=pl.lit("1"))  # or all would be left out for having none
    rows = as_texts(parsed_rows(labelled, own, files, split)).with_columns(task=pl.lit(task), file=pl.lit(path.name))
    _refuse_broken(rows, files)
    reason = pl.col("drop")
    return rows.select(
        _id(task, split),
        split=pl.lit(split),
        task="task",
        language=pl.col("language").fill_null(UNDETERMINED),
        query=pl.when(~reason.is_in(NO_QUERY).fill_null(value=False)).then("query"),
        candidate=pl.when(~reason.is_in(NO_CANDIDATE).fill_null(value=False), pl.col("candidate") != "").then(
            "candidate"
        ),
        label=pl.lit(None, pl.Int8),
        origin=pl.lit("original"),
        parent_id=pl.lit(None, pl.String),
        group="key",
        reason=reason,
    ).select(*UNLABELLED_SCHEMA.names(), "reason")


def _id(task: str, split: str) -> pl.Expr:
    own = pl.col("id").str.replace_all(CONTROL, " ").str.strip_chars()
    return pl.format("{}-{}-{}", pl.lit(task), pl.lit(split), own).alias("id")


def _refuse_broken(rows: pl.DataFrame, files: FilesParams) -> None:
    """A submission needs each row once, so one that can't be read, or has no id of its own, can't be left out."""
    drop = (
        pl.when(pl.col("drop").is_in(BROKEN_RECORD))
        .then("drop")
        .when(pl.col("id").fill_null("") == "")
        .then(pl.lit("empty_id"))
        .when(pl.col("id").is_duplicated())
        .then(pl.lit("duplicate_id"))
    )
    value = pl.when(pl.col("drop").is_in(BROKEN_RECORD)).then("value").otherwise(pl.col("id").fill_null(""))
    bad = bad_rows(rows.with_columns(drop=drop, value=value), files)
    if bad.height:
        total = f"{bad.height} of {rows.height} rows to predict are bad, and a submission needs each; the first:"
        raise InputError("\n".join([total, *described(bad, SHOWN)]))


def _counted(rows: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """Of each prediction set `read`, `scored`, `unscored` by reason, and `unknown_language` (of those scored)."""
    found = {}
    for (split,), part in rows.group_by("split", maintain_order=True):
        scored = part.filter(SCORABLE)
        reasons = part.filter(~SCORABLE).group_by("reason").len().sort("reason")
        found[str(split)] = {
            "read": part.height,
            "scored": scored.height,
            "unscored": dict(reasons.iter_rows()),
            "unknown_language": scored.filter(reason=NO_LANGUAGE).height,
        }
    return found
