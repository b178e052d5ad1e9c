"""Runs to report on: experiments of the ladder, and the workspace; all is read from git and DVC's cache."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl
from dvc.api import DVCFileSystem
from dvc.exceptions import DvcException
from ruamel.yaml import YAML

from babelshelf.commands.ladder.git import experiment_ref, git
from babelshelf.commands.ladder.rows import LadderRow, flat
from babelshelf.core.errors import InputError
from babelshelf.core.params import PARAMS_FILE
from babelshelf.core.variants import chain
from babelshelf.tables.calibration import Calibration

WORKSPACE = "workspace"
LOCK_FILE = "dvc.lock"


@dataclass(frozen=True)
class Run:
    """One run of the pipeline.

    Attributes:
        name: of the experiment, or `workspace`.
        params: all of its params.yaml.
        read: bytes of a file by its path in the repository, None where the run does not have it.
    """

    name: str
    params: Mapping[str, Any]
    read: Callable[[str], bytes | None]

    def json(self, path: str) -> dict[str, Any] | None:
        """A JSON object."""
        content = self.read(path)
        return None if content is None else json.loads(content)

    def csv(self, path: str) -> pl.DataFrame | None:
        """A table of plot data."""
        content = self.read(path)
        return None if content is None else pl.read_csv(BytesIO(content))

    def parquet(self, path: str) -> pl.DataFrame | None:
        """A table."""
        content = self.read(path)
        return None if content is None else pl.read_parquet(BytesIO(content))

    def predictions(self, task: str, split: str) -> pl.DataFrame | None:
        """Predictions for `dev` or `test`, with the column `is_relevant` by the run's own thresholds."""
        predictions = self.parquet(f"data/predictions/held_out/{task}/{split}.parquet")
        calibrated = self.json(f"metrics/calibrate/{task}.json")
        return None if predictions is None or calibrated is None else Calibration.of(calibrated).answer(predictions)

    @cached_property
    def inputs(self) -> dict[str, str]:
        """What its stages read and none of them writes: hashes of files by path, values of params by dotted path."""
        content = self.read(LOCK_FILE)
        stages = _yaml(content)["stages"].values() if content else []
        outs = [Path(out["path"]) for stage in stages for out in stage.get("outs", [])]
        inputs = {}
        for stage in stages:
            for dep in stage.get("deps", []):
                path = Path(dep["path"])
                if not any(path.is_relative_to(out) or out.is_relative_to(path) for out in outs):
                    inputs[dep["path"]] = str(dep.get("md5"))
            for params in stage.get("params", {}).values():
                inputs |= {path: str(value) for path, value in flat(params)}
        return inputs

    def variants(self, task: str) -> list[str]:
        """The training sets that the task's recipe makes, from `original` to the one that it trains on."""
        return chain(self.params["tasks"][task])


def workspace() -> Run:
    """The run whose files lie in the working tree."""
    return Run(WORKSPACE, _yaml(PARAMS_FILE.read_bytes()), lambda path: _file(Path(path)))


def ladder_runs(rows: Iterable[LadderRow], revision: str) -> dict[str, dict[int, Run]]:
    """The experiments of the rows on the commit `revision`, `{row: {seed: run}}`; a row may have none.

    All that are there, whether the seed is one that ladder.yaml asks for or was given to the command; the former first.

    Raises:
        InputError: there is no such commit.
    """
    commits = _experiments(revision)
    return {row.name: _by_seed(row, commits) for row in rows}


def _by_seed(row: LadderRow, commits: Mapping[str, str]) -> dict[int, Run]:
    name = re.compile(rf"{re.escape(row.name)}(-seed[0-9]+)?")
    runs = {
        run.params["seed"]: run for run in (_run(one, commits[one]) for one in sorted(commits) if name.fullmatch(one))
    }
    return {seed: runs[seed] for seed in sorted(runs, key=lambda seed: (seed not in row.seeds, seed))}


def _experiments(revision: str) -> dict[str, str]:
    """Commits of the experiments on `revision`, by name."""
    try:
        baseline = git(Path.cwd(), "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}").strip()
    except InputError as error:
        raise InputError(f"--rev {revision}: there is no such commit") from error
    listed = git(Path.cwd(), "for-each-ref", "--format=%(refname:lstrip=4) %(objectname)", experiment_ref(baseline, ""))
    return dict(line.split() for line in listed.splitlines())


def _run(name: str, commit: str) -> Run:
    files = DVCFileSystem(rev=commit)

    def read(path: str) -> bytes | None:
        try:
            with files.open(path, "rb") as stream:
                content: bytes = stream.read()
        except (FileNotFoundError, DvcException):
            return None
        return content

    params = read(str(PARAMS_FILE))
    if params is None:
        raise InputError(f"experiment {name}: its commit has no {PARAMS_FILE}: run it again")
    return Run(name, _yaml(params), read)


def _file(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _yaml(content: bytes) -> dict[str, Any]:
    values: dict[str, Any] = YAML(typ="safe", pure=True).load(BytesIO(content))
    return values
