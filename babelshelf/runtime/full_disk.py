"""A full disk as one line for the user: libraries that write raise errors of many types, few of which say so."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from polars.exceptions import PolarsError
from safetensors import SafetensorError

from babelshelf.core.errors import InputError
from babelshelf.core.files import work_dir

# What libraries raise when a disk is full: Python and pyarrow the first, torch, Polars and safetensors their own.
WRITE_ERRORS = (OSError, RuntimeError, PolarsError, SafetensorError)
NO_SPACE = os.strerror(errno.ENOSPC)
FULL = 2**20  # bytes: with less than this left, nothing that a stage writes would fit


@contextmanager
def explained() -> Iterator[None]:
    """Raise InputError for an error that a full disk caused; other errors stay what they are."""
    try:
        yield
    except WRITE_ERRORS as error:
        if full := full_disks(error):
            raise InputError(
                f"no space left on the disk of {', '.join(map(str, full))}: make room and run again; what was "
                "finished is kept, and nothing is half-written"
            ) from error
        raise


def full_disks(error: BaseException) -> list[Path]:
    """The full disks that explain `error`: the repository's, or that of the partial work; none for another reason."""
    places = [place for place in (Path.cwd(), work_dir()) if place.is_dir()]
    full = [place for place in places if shutil.disk_usage(place).free < FULL]
    said = getattr(error, "errno", None) == errno.ENOSPC or NO_SPACE in str(error)
    return full or (places[:1] if said else [])
