"""A data set whose format is known, described as the source `files` would have it, so that it is read as any other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from babelshelf.core.params import Section
from babelshelf.pairs.hints import PUBLISHED, Hints
from babelshelf.pairs.params import (
    CharactersPerText,
    ColumnsParams,
    FileParams,
    FilesParams,
    LabelsParams,
    SplitParams,
)

Task = Literal["qc", "qi"]
Split = Literal["train", "dev", "test"]
PLAIN_LABELS = {"positive": ["1"], "negative": ["0"]}


class PublishedParams(Section):
    """What the params of such a source have in common."""

    max_bad_share: float = Field(ge=0, lt=1)  # of rows; up to it, bad rows are dropped and written to a table
    conflicts: Literal["keep", "drop", "majority"]  # a pair with both labels
    long: CharactersPerText  # longer texts are counted
    longest_query: int = Field(gt=0)  # characters; a longer one is a bad row


class PublishedFile(FileParams):
    """The files of one task; no param of the user's says how they are written."""

    hints: ClassVar[Hints] = PUBLISHED


def published_file(
    name: str,
    form: Literal["jsonl", "parquet"],
    columns: Mapping[str, str],
    labels: Mapping[str, list[str]] = PLAIN_LABELS,
) -> PublishedFile:
    """The one file of a task.

    Args:
        name: in the data set's folder.
        form: how it is written.
        columns: of `ColumnsParams`, by role.
        labels: `positive` and `negative` ones; any other is bad.
    """
    return PublishedFile(
        rows=name,
        train="",
        dev="",
        test="",
        format=form,
        delimiter=",",
        quote="",
        escape="",
        skip_lines=0,
        header=[],
        encoding="utf-8",
        columns=ColumnsParams(**columns),
        language="",
        labels=LabelsParams(**labels, positive_from="none", missing="bad", random_negatives=0),
        language_map={},
        path_separator="",
    )


def as_files(
    settings: PublishedParams,
    files: Mapping[Task, FileParams],
    split: Mapping[str, Any],
    names: list[Split],
) -> FilesParams:
    """The params of the source `files` that read the data set.

    Args:
        settings: of the data set's source.
        files: of each task; with one task, of that.
        split: of `SplitParams`, without `names`.
        names: of the splits in the files, which are called so there.
    """
    either = next(iter(files.values()))
    return FilesParams(
        tasks=list(files),
        qc=files.get("qc", either),
        qi=files.get("qi", either),
        split=SplitParams(names={name: [name] for name in names}, **split),
        max_bad_share=settings.max_bad_share,
        missing_candidate="drop",
        conflicts=settings.conflicts,
        long=settings.long,
        longest_query=settings.longest_query,
    )
