"""The output of `babelshelf score`: Parquet, CSV or JSON lines."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import polars as pl

from babelshelf.commands.score.pairs_to_score import BLOCK
from babelshelf.core.errors import InputError
from babelshelf.core.files import replacing
from babelshelf.tables.calibration import Calibration, FrameT

SUFFIXES = (".parquet", ".csv", ".csv.gz", ".jsonl", ".jsonl.gz")


def write_answers(parts: Sequence[Path], calibration: Calibration, out: Path) -> None:
    """Write p(yes), the recalibrated one where there is one, and the answer, in the format of the name's suffix.

    Args:
        parts: as `score_file` returns them.
        calibration: of the task.
        out: a file that ends in one of `SUFFIXES`; it is there when it is complete.
    """
    with replacing(out) as temporary:
        if out.suffix == ".parquet":
            _answered(pl.scan_parquet(list(parts)), calibration).sink_parquet(temporary, row_group_size=BLOCK)
            return
        with _opened(temporary, packed=out.suffix == ".gz") as stream:
            for part in parts:  # not sink_csv: into a stream, it reads ahead of what is written
                table = _answered(pl.read_parquet(part), calibration)
                if out.name.removesuffix(".gz").endswith(".csv"):
                    table.write_csv(stream, include_header=part == parts[0])
                else:
                    table.write_ndjson(stream)


def _answered(scored: FrameT, calibration: Calibration) -> FrameT:
    """The columns of the output."""
    answered = calibration.answer(scored).drop("line", "value")
    return answered.select(pl.exclude("reason"), "reason")


def check_output(out: Path, path: Path) -> None:
    """Raise InputError if `out` has none of `SUFFIXES`, or is the input `path` itself, or a folder."""
    if not out.name.endswith(SUFFIXES):
        raise InputError(f"{out}: write Parquet, CSV or JSON lines: a name that ends in {', '.join(SUFFIXES)}")
    if out.is_dir() or (out.exists() and out.samefile(path)):
        raise InputError(f"{out}: is {'a folder' if out.is_dir() else 'the input'}: name another file")


@contextmanager
def _opened(path: Path, *, packed: bool) -> Iterator[IO[bytes]]:
    with path.open("wb") as plain:
        if not packed:
            yield plain
            return
        with gzip.GzipFile(fileobj=plain, mode="wb", mtime=0) as stream:
            yield stream  # type: ignore[misc]
