"""Propose params that read a user's files, try them, and write them into params.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from babelshelf.commands import profile
from babelshelf.commands.init.expectations import expectations
from babelshelf.commands.init.first_result import first_result
from babelshelf.commands.init.mapping import map_task
from babelshelf.commands.init.options import InitOptions
from babelshelf.commands.init.trial import tried
from babelshelf.core.languages import normalize
from babelshelf.core.params import PARAMS_FILE, load_seed, read
from babelshelf.pairs.folders import locate
from babelshelf.pairs.guesses import resolve
from babelshelf.prepare.params import SOURCES


@dataclass(frozen=True)
class Proposal:
    """Params, and what to tell of them.

    Attributes:
        overlay: of params.yaml, a JSON merge patch.
        lines: what was decided, and what to check.
        rows: those that are kept, with their splits.
    """

    overlay: dict[str, Any]
    lines: list[str]
    rows: pl.DataFrame


def propose(options: InitOptions, prepare: Mapping[str, Any], tasks: Mapping[str, Any], seed: int) -> Proposal:
    """Params for the files.

    Args:
        options: the files, and what the user said of them.
        prepare: the section as it stands: what is not about the files stays as it is.
        tasks: the sections of the tasks as they are by default, for a task that params.yaml lacks.
        seed: of the cut.

    Raises:
        InputError: a file can't be read, something can't be told (all of the questions), or more than 2 % of the rows
            are bad.
    """
    inputs: dict[str, Path] = {}
    names = {
        split: list(dict.fromkeys([*known, *options.split_names.get(split, [])]))
        for split, known in prepare["files"]["split"]["names"].items()
    }
    split = {**prepare["files"]["split"], "names": names}
    files = {**prepare["files"], "tasks": list(options.paths), "max_bad_share": 0.0, "split": split}
    folded = {split: {name.lower() for name in known} for split, known in names.items()}
    mappings = []
    for task, path in options.paths.items():
        inputs[task], patterns = locate(Path(path), folded)
        mapping = map_task(task, inputs[task], patterns, options, folded)
        files[task] = mapping.params
        mappings.append(mapping)
    resolve(
        [guess for mapping in mappings for guess in mapping.guesses], accept=options.accept
    )  # all questions at once
    lines = []
    for mapping in mappings:
        lines += [*mapping.lines, *resolve(mapping.guesses, accept=options.accept)]
    trial = tried(inputs, files, tasks, lines, seed)
    for task in inputs:  # a merge patch would keep the values of an earlier file
        old = prepare["files"].get(task, {}).get("language_map", {}).keys() - files[task]["language_map"].keys()
        trial.overlay["prepare"]["files"][task]["language_map"] |= dict.fromkeys(old)
    return Proposal(trial.overlay, trial.lines, trial.rows)


def write(options: InitOptions, params: Path = PARAMS_FILE, folder: Path = profile.PROFILES) -> list[str]:
    """Propose, and write the proposal into `params`; what to tell.

    Raises:
        InputError: as `propose` does; or the language that the user named does not exist. `params` stays.
    """
    language = normalize(options.language, "--language") if options.language else ""
    values, defaults = read(params), read(folder / "nano.yaml")
    values["prepare"].setdefault("files", SOURCES.defaults("files"))
    tasks = {**defaults["tasks"], **values["tasks"]}
    made = propose(replace(options, language=language), values["prepare"], tasks, load_seed(params))
    changes = profile.overlay(profile.commented(made.overlay), "what init proposes", params)
    written = f"{params}: {len(changes)} values changed; next: make repro"
    lines = [*made.lines, *expectations(made.rows, read(params))]
    return [*lines, *first_result(made.rows, read(params)), "", written]
