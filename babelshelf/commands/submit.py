"""Submissions to CIKM AnalytiCup 2025: the rows of dev and test with `prediction` 0 or 1 added, checked and zipped.

Run by `babelshelf submit`, after `dvc repro predict@qc predict@qi`, or with `--final` after
`dvc repro predict_final@qc predict_final@qi`.
"""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from babelshelf.core.errors import InputError
from babelshelf.core.files import replacing
from babelshelf.prepare.params import PrepareParams
from babelshelf.prepare.sources.cikm2025 import SETS, file_of, ids_of
from babelshelf.prepare.sources.mixed import Params as MixedParams
from babelshelf.tables.prediction_sets import read_answers

SHOWN = 20  # problems that a message shows
PREDICTION = "prediction"
BOM = b"\xef\xbb\xbf"
EPOCH = (1980, 1, 1, 0, 0, 0)  # of files in an archive, so that the same answers are the same bytes

Row = dict[str, Any]


def submit(prepare: PrepareParams, predictions: Path, out: Path, stage: str = "predict") -> list[str]:
    """Write, check and zip the submission of each prediction set that the competition's folder has.

    Args:
        prepare: says where the folder is, and which tasks it has.
        predictions: folder of the stage's outputs, `<task>/predictions.parquet`.
        out: folder for `<set>/<set>_<TASK>.txt` and `<set>.zip`.
        stage: `predict` or `predict_final`, for messages.

    Returns:
        A line for each file, with its numbers of rows and of positive answers.

    Raises:
        InputError: the source is not cikm2025, predictions are missing or from other rows, or the check found errors.
    """
    folders = _folders(prepare)
    lines = [line for split in SETS for line in _submit_set(split, folders, predictions, out, stage)]
    if not lines:
        where = ", ".join(sorted({str(folder) for folder in folders.values()}))
        raise InputError(f"{where}: none of the files to predict, such as dev_QC.txt: put them there")
    return lines


def _folders(prepare: PrepareParams) -> dict[str, Path]:
    """The competition's folder of each task; raise InputError if the source is not cikm2025."""
    if prepare.source == "cikm2025":
        return {task: Path(getattr(prepare.input, task)) for task in prepare.tasks()}
    of_mixed = prepare.own(MixedParams).parts if prepare.source == "mixed" else []
    parts = [part for part in of_mixed if part.source == "cikm2025"]
    if not parts:
        raise InputError(f"prepare.source is {prepare.source!r}: submissions are for cikm2025 (profile cikm2025)")
    return {task: Path(parts[0].path) for task in parts[0].tasks}


def _submit_set(split: str, folders: Mapping[str, Path], predictions: Path, out: Path, stage: str) -> list[str]:
    inputs = {task: file_of(folder, task, split) for task, folder in folders.items()}
    there = {task: path for task, path in inputs.items() if path.is_file()}
    if not there:
        return []
    lines = []
    with replacing(out / split) as folder:
        folder.mkdir()
        for task, path in there.items():
            answers = _answers(task, split, path, predictions, stage)
            write_submission(path, answers["is_relevant"].to_list(), folder / path.name)
            check_submission(path, folder / path.name)
            lines.append(f"{out / split / path.name}: {_told(answers)}")
    _zip(out / split, out / f"{split}.zip")
    return [*lines, f"{out / split}.zip: checked"]


def _answers(task: str, split: str, path: Path, predictions: Path, stage: str) -> pl.DataFrame:
    """The answers to the rows of a file, in order."""
    file = predictions / task / "predictions.parquet"
    if not file.is_file():
        raise InputError(f"{file}: no such file; run `dvc repro {stage}@{task}`")
    answers = read_answers(file).filter(split=split)
    if not answers["id"].equals(ids_of(path, task, split)):
        raise InputError(f"{file}: not made from the rows of {path}: run `dvc repro {stage}@{task}`")
    return answers


def write_submission(given: Path, answers: Sequence[bool], submission: Path) -> None:
    """Write the rows of a file of JSON lines with the key `prediction` added at the end of each object.

    The rest of a row is copied byte by byte; blank lines and a byte order mark are omitted.

    Raises:
        InputError: a row is not an object, or the numbers of rows and answers differ.
    """
    rows = [line for line in given.read_bytes().removeprefix(BOM).splitlines() if line]
    if len(rows) != len(answers):
        raise InputError(f"{given}: {len(rows)} rows, but {len(answers)} answers: run the stage predict again")
    with replacing(submission) as temporary, temporary.open("wb") as stream:
        for number, (row, answer) in enumerate(zip(rows, answers, strict=True), 1):
            body = row.rstrip()
            if not body.endswith(b"}"):
                raise InputError(f"{given}, row {number}: not a JSON object: write one object per line")
            stream.write(b'%s, "%s": %d}\n' % (body[:-1].rstrip(), PREDICTION.encode(), answer))


def check_submission(given: Path, submission: Path) -> None:
    """Check that a submission has every row of the input once, in order, with all its keys and values.

    Numbers must have the same type (1 is not 1.0), and `prediction` must be the integer 0 or 1.

    Raises:
        InputError: the first problems, each with its row and id, and their number.
    """
    rows, submitted = list(_objects(given)), list(_objects(submission))
    problems = [*_problems_of_ids(rows, submitted)]
    if not problems:
        problems = [
            f"row {number} (id {old['id']!r}): {problem}"
            for number, (old, new) in enumerate(zip(rows, submitted, strict=True), 1)
            if (problem := _problem(old, new))
        ]
    if problems:
        total = f"{submission}: {len(problems)} problems, the first:"
        raise InputError("\n".join([total, *problems[:SHOWN]]))


def _objects(file: Path) -> Iterator[Row]:
    """The objects of a file of JSON lines; raise InputError for the first line that is not an object with an `id`."""
    lines = (line for line in file.read_bytes().removeprefix(BOM).splitlines() if line)
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{file}, row {number}: not JSON: {error}") from error
        if not isinstance(row, dict) or "id" not in row:
            raise InputError(f"{file}, row {number}: not an object with an id")
        yield row


def _problems_of_ids(rows: list[Row], submitted: list[Row]) -> Iterator[str]:
    expected, actual = (Counter(_text(row["id"]) for row in table) for table in (rows, submitted))
    yield from (f"id {name}: missing" for name in expected if name not in actual)
    yield from (f"id {name}: not in the input" for name in actual if name not in expected)
    yield from (f"id {name}: {times} times" for name, times in actual.items() if times > 1)
    if expected == actual:
        pairs = enumerate(zip(rows, submitted, strict=True), 1)
        moved = (
            f"row {number} (id {new['id']!r}): out of order" for number, (old, new) in pairs if old["id"] != new["id"]
        )
        yield from islice(moved, 1)  # the rows after it are out of order, too


def _problem(old: Row, new: Row) -> str | None:
    """The first problem of a row of a submission, or None."""
    if PREDICTION in old:
        return f"the input has the key {PREDICTION!r} already"
    if _text(new.get(PREDICTION)) not in {"0", "1"}:
        return f"{PREDICTION} is {new.get(PREDICTION)!r}, not 0 or 1"
    if list(new) != [*old, PREDICTION]:
        return f"keys {list(new)}, expected {[*old, PREDICTION]}"
    return next((f"{key} is {new[key]!r}, not {old[key]!r}" for key in old if _text(old[key]) != _text(new[key])), None)


def _text(value: Any) -> str:  # noqa: ANN401 - whatever JSON holds
    """The value as JSON, so that `1`, `1.0`, `true` and `"1"` differ."""
    return json.dumps(value)


def _told(answers: pl.DataFrame) -> str:
    yes, unscored = int(answers["is_relevant"].sum()), answers["p_yes"].null_count()
    share = yes / answers.height if answers.height else 0.0
    rest = f", {unscored:,} without a text, which count as yes" if unscored else ""
    return f"{answers.height:,} rows, {yes:,} yes ({share:.1%}){rest}"


def _zip(folder: Path, archive: Path) -> None:
    with replacing(archive) as temporary, zipfile.ZipFile(temporary, "w") as target:
        for file in sorted(folder.iterdir()):
            target.writestr(zipfile.ZipInfo(file.name, EPOCH), file.read_bytes(), zipfile.ZIP_DEFLATED)
