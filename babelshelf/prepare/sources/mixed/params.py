"""The params of the source `mixed`: the section `prepare.mixed`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os.path import normpath
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from babelshelf.core.errors import InputError
from babelshelf.core.params import PARAMS_FILE, Section, section
from babelshelf.pairs.params import HoldoutParams, Tasks
from babelshelf.prepare.params import SOURCES, PrepareParams

SECTION = r"""
parts: # the first part that has a row keeps it, and its splits go before those of later ones
- name: shop # in ids and metrics
  source: files # a source of labelled pairs: files, cikm2025, esci
  tasks: [qi]
  path: data/pairs.csv # prepare.input.qc or .qi, or what is in one of them: DVC watches these alone
  splits: own # its own train, dev and test; or train: all of its rows in train
  overlay: {} # what differs from prepare.files
- {name: esci, source: esci, tasks: [qi], path: data/esci, splits: train, overlay: {}}
split:
  holdout_languages: [] # kept out of train, as a stand-in for languages without labels
  leaks: drop # or error: rows whose query another split holds, in whichever part: from train, then from dev
conflicts: keep # drop or majority: what becomes of a pair with both labels, in whichever parts
"""


# What would not count in a part's overlay, and where it is set.
SET_ELSEWHERE = {
    "tasks": "the part's tasks",
    "conflicts": "prepare.mixed.conflicts",
    "split.leaks": "prepare.mixed.split.leaks",
    "split.holdout_languages": "prepare.mixed.split.holdout_languages",
}


class PartParams(Section):
    """One source of several."""

    name: str = Field(pattern="^[a-z][a-z0-9_]*$")  # in ids and metrics
    source: str  # one that has `read_pairs`
    tasks: Tasks  # that it gives rows for
    path: str = Field(min_length=1)  # prepare.input.qc or prepare.input.qi, or what is in one of them
    splits: Literal["own", "train"]  # its own train, dev and test, or all of its rows in train
    overlay: dict[str, Any]  # what differs from prepare.<source>: a JSON merge patch (RFC 7396)

    @field_validator("source")
    @classmethod
    def _can_be_a_part(cls, source: str) -> str:
        if source not in part_sources():
            raise ValueError(f"no source of labelled pairs; there are {', '.join(part_sources())}")
        return source

    @field_validator("tasks")
    @classmethod
    def _are_of_the_source(cls, tasks: list[str], info: ValidationInfo) -> list[str]:
        source = info.data.get("source")
        if source is not None and (missing := set(tasks) - set(SOURCES.load(source).TASKS)):
            raise ValueError(f"the source {source} has no rows of the task {min(missing)}")
        return tasks

    @field_validator("overlay")
    @classmethod
    def _counts(cls, overlay: dict[str, Any]) -> dict[str, Any]:
        split = overlay.get("split")
        keys = [*overlay, *(f"split.{key}" for key in (split if isinstance(split, dict) else {}))]
        for key in keys:
            if key in SET_ELSEWHERE:
                raise ValueError(f"{key} does not count in an overlay: set {SET_ELSEWHERE[key]}")
        return overlay


class MixedSplitParams(HoldoutParams):
    """What holds over all parts; shares are those of each part's source."""

    leaks: Literal["error", "drop"]  # rows whose query another split holds, in whichever part: drop them from train


class Params(Section):
    """Several sources."""

    parts: list[PartParams] = Field(min_length=1)
    split: MixedSplitParams
    conflicts: Literal["keep", "drop", "majority"]  # a pair with both labels, in whichever parts

    @property
    def tasks(self) -> list[str]:
        """Those that a part has rows of."""
        return [task for task in ("qc", "qi") if any(task in part.tasks for part in self.parts)]

    @field_validator("parts")
    @classmethod
    def _apart(cls, parts: list[PartParams]) -> list[PartParams]:
        names = [part.name for part in parts]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise ValueError(f"two parts are called {twice[0]!r}: rename one")
        if splits := {"train", "dev", "test"} & set(names):
            raise ValueError(f"a part is called {min(splits)!r}, as a split is in ids and metrics: rename it")
        sources = [part.source for part in parts]
        for source in sources:
            if sources.count(source) > 1 and getattr(SOURCES.load(source), "ONCE", False):
                raise ValueError(f"two parts are of {source}: a submission could not tell their rows apart")
        return parts


@dataclass(frozen=True)
class Parts:
    """What the source `mixed` reads.

    Attributes:
        mixed: its own section.
        settings: the params of each part's source by the part's name, with its overlay and its tasks.
    """

    mixed: Params
    settings: Mapping[str, Section]


def part_sources() -> list[str]:
    """The sources that can be a part: those of labelled pairs."""
    return [name for name in SOURCES.names() if name != "mixed" and hasattr(SOURCES.load(name), "read_pairs")]


def resolve(settings: PrepareParams, file: Path = PARAMS_FILE) -> Parts:
    """The params of all parts.

    Raises:
        InputError: the section of a part's source is missing, its overlay does not fit it, or DVC does not watch the
            part's path; the message calls the params `file`.
    """
    mixed = settings.own(Params, "mixed")
    watched = [Path(normpath(path)) for path in (settings.input.qc, settings.input.qi)]
    for part in mixed.parts:
        if not any(Path(normpath(part.path)).is_relative_to(path) for path in watched):
            raise InputError(
                f"{file}: prepare.mixed.parts ({part.name}).path: {part.path!r} is neither prepare.input.qc nor "
                "prepare.input.qi, nor in one of them, so DVC would not see it change: put all inputs into one "
                "folder, and give that"
            )
    return Parts(mixed, {part.name: _of_part(part, settings, file) for part in mixed.parts})


def patched(value: Any, patch: Any) -> Any:  # noqa: ANN401 - whatever YAML holds
    """`value` with a JSON merge patch (RFC 7396): mappings by key, null deletes, all else replaces."""
    if not isinstance(patch, dict):
        return patch
    old = value if isinstance(value, dict) else {}
    merged = {key: patched(old.get(key), new) for key, new in patch.items() if new is not None}
    return {key: item for key, item in old.items() if key not in patch} | merged


def _of_part(part: PartParams, settings: PrepareParams, file: Path) -> Section:
    model = SOURCES.params(part.source)
    if model is None:
        raise TypeError(f"the source {part.source} has read_pairs, but no Params")
    try:
        whole = patched(settings.own(model, part.source).model_dump(), part.overlay)
    except InputError as error:
        raise InputError(f"{file}: {error.message}") from error
    if "tasks" in model.model_fields:
        whole["tasks"] = part.tasks
    where = f"prepare.mixed.parts ({part.name}).overlay"
    return section(model, {where: whole}, where, None, file)
