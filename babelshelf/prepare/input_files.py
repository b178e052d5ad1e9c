"""What the files of an input hold, counted apart from the parser that reads their rows, and which files are not read.

`prepare` compares these counts with the rows that it has read, so that no parser can lose a row unseen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from babelshelf.core.errors import InputError
from babelshelf.pairs.folders import files_passed_over, task_files
from babelshelf.pairs.text_stream import TextStream, packing
from babelshelf.prepare.marketplace import Inputs

if TYPE_CHECKING:
    from babelshelf.pairs.params import FileParams, FilesParams

BLOCK = 1 << 22  # bytes
LINES, RECORDS = "lines", "records"


def input_files(inputs: Inputs, settings: FilesParams) -> dict[str, dict[str, Any]]:
    """By task: `files`, with the `lines` or, of Parquet, the `records` of each, and `not_read`, files and reasons.

    Args:
        inputs: a file or folder for each task.
        settings: of the source.
    """
    found: dict[str, dict[str, Any]] = {}
    for task in settings.tasks:
        path, own = inputs[task], getattr(settings, task)
        files = [file for file, _ in task_files(path, own)]
        left_out = files_passed_over(path, files) if path.is_dir() else {}
        found[task] = {
            "files": {name_in(path, file): _size(file, own) for file in files},
            "not_read": {name_in(path, file): reason for file, reason in left_out.items()},
        }
    return found


def name_in(path: Path, file: Path) -> str:
    """What the tables call a file: its path within the input folder, or its name."""
    return str(file.relative_to(path)) if path.is_dir() else file.name


def with_sizes(task: str, counts: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """The counts of a task with the sizes of its files.

    Args:
        task: `qc` or `qi`.
        counts: with `files`, what was read, kept and dropped of each file.
        found: of `input_files`.

    Raises:
        InputError: a file has other records, or fewer lines, than rows were read of it.
    """
    nothing = {"read": 0, "kept": 0, "dropped": {}}
    files = {name: size | counts["files"].get(name, nothing) for name, size in found["files"].items()}
    for name, file in files.items():
        if file.get(RECORDS, file["read"]) != file["read"] or file.get(LINES, file["read"]) < file["read"]:
            size = f"{file.get(RECORDS, file.get(LINES)):,} {RECORDS if RECORDS in file else LINES}"
            raise InputError(f"{task}: {name}: {size}, but {file['read']:,} rows were read: write the file again")
    return {**counts, "files": files, "not_read": found["not_read"]}


def not_read(counts: Mapping[str, Any]) -> Iterator[str]:
    """A line for each file of an input folder that was not read."""
    for task, of_task in counts.items():
        if isinstance(of_task, Mapping):
            for name, reason in of_task.get("not_read", {}).items():
                yield f"{task}: {name} is not read: {reason}"


def _size(file: Path, own: FileParams) -> dict[str, int]:
    if own.format == "parquet":
        return {RECORDS: int(pl.scan_parquet(file, glob=False).select(pl.len()).collect().item())}
    if own.format == "json":
        return {}  # its rows need not be lines
    stream = TextStream(file, own.encoding)
    plain = own.encoding.lower().replace("-", "").replace("_", "") in {"utf8", "utf8sig"}
    if plain and packing(file) is None:
        return {LINES: _raw_lines(file)}
    while stream.read(BLOCK):
        pass
    return {LINES: stream.lines}


def _raw_lines(file: Path) -> int:
    """Lines of a file: those that end, with a line feed or a carriage return alone, and the last one."""
    lines, last = 0, b"\n"
    with file.open("rb") as raw:
        while chunk := raw.read(BLOCK):
            lines += chunk.count(b"\n")
            if b"\r" in chunk or last == b"\r":
                lines += chunk.count(b"\r") - chunk.count(b"\r\n") - (last == b"\r" and chunk.startswith(b"\n"))
            last = chunk[-1:]
    return lines + (last not in b"\r\n")
