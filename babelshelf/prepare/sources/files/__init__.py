"""A user's own labelled pairs: CSV, TSV, JSON lines or Parquet, whatever its columns and labels are called.

`babelshelf init` writes the params; docs/sources/files.md explains them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from babelshelf.prepare.from_pairs import Pairs, of_pairs, read_rows
from babelshelf.prepare.marketplace import Inputs, Marketplace

if TYPE_CHECKING:
    from babelshelf.pairs.params import FilesParams


def read(inputs: Inputs, settings: FilesParams, seed: int) -> Marketplace:
    """Read the files of each task, and cut what they don't split.

    Args:
        inputs: a file or folder for each task.
        settings: the mapping of columns and labels, splits, and policies.
        seed: of the cut.

    Raises:
        InputError: files are missing or can't be read, or `marketplace` says why their rows won't do.
    """
    return of_pairs(read_pairs(inputs, settings), seed)


def read_pairs(inputs: Inputs, settings: FilesParams) -> Pairs:
    """Read the files of each task; raises InputError where files are missing or can't be read."""
    return Pairs(read_rows(inputs, settings), settings)
