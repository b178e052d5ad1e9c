"""Read one file of labelled pairs as texts, record by record, without losing one: what can't be read is a row too.

`csv_reader`, `json_reader` and `parquet_reader` read the formats. Bytes that are not in the file's encoding become
`BROKEN`, so that they can be found in the row and column where they are. A column that the file does not have may be a
Hive partition, a folder `NAME=VALUE` that the file is in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa

from babelshelf.core.errors import InputError
from babelshelf.pairs.csv_reader import Blocks, csv_names, read_csv
from babelshelf.pairs.folders import partitions
from babelshelf.pairs.json_reader import NOT_JSON, json_keys, read_json
from babelshelf.pairs.numbering import RAGGED
from babelshelf.pairs.parquet_reader import parquet_schema, read_parquet
from babelshelf.pairs.text_stream import BROKEN

if TYPE_CHECKING:
    from babelshelf.pairs.params import FileParams

__all__ = ["BROKEN", "ENCODING", "NOT_JSON", "RAGGED", "column_names", "read_blocks", "read_file", "read_sample"]

ENCODING = "encoding"
OTHER_COLUMNS = (  # of a file among others, whose columns are looked for in it
    ". The other files have it: give this one the same columns, or leave it out: move it away, or give a pattern that "
    "does not match it, such as 'FOLDER/train*'; `babelshelf score` scores a file without labels"
)


def read_file(path: Path, settings: FileParams, wanted: Mapping[str, str], *, few: bool = False) -> pl.DataFrame:
    """All records of a file.

    Args:
        path: the file, packed with gzip or zstd or not.
        settings: its format.
        wanted: `{name here: name of the column in the file}`.
        few: read the first block of the file alone, for a look at it.

    Returns:
        `row` (from 1), `line` (null in Parquet and in an array of JSON), `problem` (null, `ragged` or `not_json`),
        `record` (the text of such a record), and a column of texts for each of `wanted`, null where a value is missing
        or empty.

    Raises:
        InputError: the file can't be read as that format at all, lacks columns, or has other lines than the records.
    """
    return pl.concat(read_blocks(path, settings, wanted, few=few))


def read_blocks(path: Path, settings: FileParams, wanted: Mapping[str, str], *, few: bool = False) -> Blocks:
    """The records of a file as `read_file` has them, block by block, and at least one; it raises as that does."""
    folders = partitions(path)
    with _explained(path, settings):
        if settings.format == "csv":
            names = csv_names(path, settings)
            own = _own_columns(path, settings, wanted, names, folders)
            blocks = read_csv(path, settings, {role: names.index(name) for role, name in own.items()}, names, few=few)
        elif settings.format == "parquet":
            schema = parquet_schema(path)
            own = _own_columns(path, settings, wanted, list(schema), folders)
            blocks = read_parquet(path, schema, own, few=few)
        else:
            keys = json_keys(path, settings) if folders else []
            own = {role: name for role, name in wanted.items() if name in keys or name not in folders}
            blocks = _json_blocks(path, settings, own, few=few)
        values = {role: pl.lit(folders[name], pl.String) for role, name in wanted.items() if role not in own}
        for block in blocks:
            yield block.with_columns(**values).select(*wanted, "row", "line", "problem", "record")


def read_sample(path: Path, settings: FileParams) -> pl.DataFrame:
    """The first records, as `read_file` has them, with all columns, which are called "0", "1" and so on."""
    names = column_names(path, settings)
    return read_file(path, settings, {str(place): name for place, name in enumerate(names)}, few=True)


def column_names(path: Path, settings: FileParams) -> list[str]:
    """Names of the columns, each once, or keys of the first records of JSON; raise InputError as `read_file` does."""
    with _explained(path, settings):
        if settings.format == "csv":
            names = csv_names(path, settings)
        elif settings.format == "parquet":
            names = parquet_schema(path).names()
        else:
            names = json_keys(path, settings)
    return [name for name in dict.fromkeys([*names, *partitions(path)]) if name or settings.format != "csv"]


def _json_blocks(path: Path, settings: FileParams, wanted: Mapping[str, str], *, few: bool) -> Blocks:
    try:
        yield from read_json(path, settings, wanted, few=few)
    except KeyError as error:
        _own_columns(path, settings, wanted, error.args[0], {})


def _own_columns(
    path: Path, settings: FileParams, wanted: Mapping[str, str], names: Sequence[str], folders: Mapping[str, str | None]
) -> dict[str, str]:
    """Those of `wanted` that the file itself has; raise InputError where neither it nor the folders have one."""
    problems = []
    for role, name in wanted.items():
        if list(names).count(name) > 1 and not role.isdecimal():  # of a look at all columns, the first is taken
            problems.append(f"{path}: {names.count(name)} columns are called {name!r}: rename all but one")
        elif name not in names and name not in folders:
            near = get_close_matches(name, names, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}? " if near else ""
            where = settings.hints.column.format(role=role)
            fix = settings.hints.unlabelled if role == "label" and not near else ""
            fix = OTHER_COLUMNS if role.isdecimal() else fix
            problems.append(f"{path}: {where}no column {name!r}; {hint}The columns are {', '.join(names)}{fix}")
    if problems:
        raise InputError("\n".join(problems))
    return {role: name for role, name in wanted.items() if name in names}


@contextmanager
def _explained(path: Path, settings: FileParams) -> Iterator[None]:
    """Make an InputError of whatever a parser says of a file that it cannot read."""
    try:
        yield
    except (pa.ArrowException, pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise InputError(f"{path}: cannot be read as {settings.format}: {reason}; {_fix(reason, settings)}") from error


def _fix(reason: str, settings: FileParams) -> str:
    if "straddling" in reason or "out of sync" in reason:
        return f"a quote that is opened is never closed: {settings.hints.quote}"
    if "Empty" in reason:
        return "give a file with rows"
    return settings.hints.form
