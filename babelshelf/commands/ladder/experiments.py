"""Run DVC experiments in clones of the repository; `babelshelf ladder` does. `clones.py` makes the clones.

`dvc exp run` in a clone makes the experiment, a commit under refs/exps on top of HEAD, and `git fetch` of that ref
brings it to the user. After a kill, the stages that had finished come from DVC's run cache, and the stage that was
running goes on from `.cache` of the user's repository.

Only commands of DVC are used (tried with DVC 3.67), but two ways of it are not:

- `dvc exp run --temp` stashes and resets the user's files before it runs, so that a kill at that moment takes their
  changes away; and it takes a name that exists only with --force, which computes all stages again.
- `--set-param`: whether an experiment is up to date must be known before it runs, so params.yaml is written here.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from babelshelf.commands import profile
from babelshelf.commands.ladder.dvc_commands import ExperimentFailedError, dvc, run_experiment, status
from babelshelf.commands.ladder.git import environment, experiment_ref, git, git_paths
from babelshelf.commands.ladder.recipe import Recipe, has_outputs, is_unchanged, recipe_of_lock, recipe_of_status
from babelshelf.core.errors import InputError
from babelshelf.core.files import ROOT_VARIABLE
from babelshelf.core.params import PARAMS_FILE, read

TARGET = "summarize"
CLONES = Path(".dvc", "tmp", "ladder")
LOCK_FILE = "dvc.lock"
METRICS = "metrics"
REF_ALONE = ["--quiet", "--no-tags", "--no-prune", "--no-write-fetch-head", "--no-auto-gc", "--no-recurse-submodules"]


@dataclass(frozen=True)
class Clone:
    """A clone of the user's repository in which one experiment after another is run.

    Attributes:
        root: of the user's repository.
        folder: of the clone.
        head: the commit that the experiments are based on.
        files: git's tree of the user's tracked files, uncommitted changes included.
        cache: folder of DVC's cache.
        lock: descriptor of the lock that the commands run in the clone hold, too.
    """

    root: Path
    folder: Path
    head: str
    files: str
    cache: Path
    lock: int

    def experiment(self, name: str) -> str | None:
        """Hash of the commit of the user's experiment `name`, None where there is none."""
        with suppress(InputError):
            return git(self.root, "rev-parse", "--verify", "--quiet", experiment_ref(self.head, name)).strip()
        return None

    def read(self, name: str, path: str) -> str:
        """The text of a file of the user's experiment `name`."""
        return git(self.root, "show", f"{experiment_ref(self.head, name)}:{path}")

    def is_up_to_date(self, name: str, params: Mapping[str, Any]) -> bool:
        """Whether the experiment `name` was run with `params` on these files, and the cache still has its outputs.

        The clone must not have run an experiment yet: its outputs would be taken for changed ones.

        Raises:
            ExperimentFailedError: DVC refuses dvc.yaml with these params.
        """
        commit = self.experiment(name)
        if commit is None:
            return False
        self._reset(params)
        git(self.folder, "restore", f"--source={commit}", "--worktree", "--", LOCK_FILE, METRICS)
        recipe = recipe_of_lock(_stages(self.folder))
        self._add_inputs(recipe)
        return is_unchanged(recipe, self._status())

    def recipe(self, params: Mapping[str, Any]) -> Recipe:
        """The stages that the target needs with `params`, in a clone that has not run an experiment yet.

        Raises:
            ExperimentFailedError: DVC refuses dvc.yaml with these params.
        """
        self._reset(params)
        (self.folder / LOCK_FILE).unlink(missing_ok=True)
        return recipe_of_status(self._status(), self.folder, self.root / CLONES)

    def make(self, target: str, params: Mapping[str, Any]) -> None:
        """Run a stage and those before it, or take them from the run cache; no experiment comes of it.

        Afterwards the clone has their outputs, so that neither `is_up_to_date` nor `recipe` can be asked.

        Raises:
            ExperimentFailedError: a stage failed, or DVC refuses dvc.yaml with these params.
        """
        self._reset(params)
        (self.folder / LOCK_FILE).unlink(missing_ok=True)
        self._add_inputs(recipe_of_status(self._status(target), self.folder, self.root / CLONES))
        try:
            dvc(self.folder, self._environment(), "repro", "--quiet", target)
        except InputError as error:
            raise ExperimentFailedError(error.message) from error

    def run(
        self,
        name: str,
        title: str,
        params: Mapping[str, Any],
        recipe: Recipe,
        *,
        log: Path,
        on_stage: Callable[[str, bool], None],
        on_line: Callable[[str], None],
    ) -> None:
        """Run the experiment `name` and bring it to the user's repository, in place of an older one of this name.

        Args:
            name: of the experiment.
            title: message of its commit.
            params: by dotted path.
            recipe: of these params.
            log: file of all output; it stays where the run fails.
            on_stage: called with each stage's name, and whether it runs or comes from the cache.
            on_line: called with each other line of output.

        Raises:
            ExperimentFailedError: a stage failed.
        """
        self._reset(params)
        self._add_inputs(recipe)
        self._keep_results(recipe)
        arguments = (f"--name={name}", f"--message={title}", TARGET)
        run_experiment(
            self.folder, self._environment(), arguments, log=log, lock=self.lock, on_stage=on_stage, on_line=on_line
        )
        ref = experiment_ref(self.head, name)
        git(self.root, "fetch", *REF_ALONE, str(self.folder), f"+{ref}:{ref}")

    def _reset(self, params: Mapping[str, Any]) -> None:
        """Put the user's files back, delete what the last experiment added, and write `params`."""
        git(self.folder, "read-tree", "--reset", "-u", self.files)
        git(self.folder, "clean", "--force", "-d", "--quiet")  # not what git ignores: outputs that the next may share
        values = profile.round_trip(self.folder / PARAMS_FILE)
        for path, value in params.items():
            *parents, key = path.split(".")
            section = values
            for parent in parents:
                section = section[parent]
            section[key] = value
        profile.dump(values, self.folder / PARAMS_FILE)

    def _add_inputs(self, recipe: Recipe) -> None:
        """Link what the stages read and git does not have.

        A file is linked, not its folder, and what a .dvc file tracks is copied: DVC could change it through the link.
        git must ignore the links, as DVC commits untracked deps.
        """
        paths = untracked_inputs(self.root, recipe)
        ignored = ["/.dvc/", *("/" + re.sub(r"[\\*?\[ ]", r"\\\g<0>", path) for path in paths)]
        (self.folder / ".git" / "info" / "exclude").write_text("\n".join(ignored) + "\n", encoding="utf-8")
        for path in paths:
            place = Path(os.path.normpath(self.folder / path))
            if place.is_relative_to(self.root / CLONES):  # else outside of the repository, where the stages find it
                _place(self.root / path, place, copy=_is_tracked_by_dvc(path, self.folder))

    def _keep_results(self, recipe: Recipe) -> None:
        """Leave only what dvc.lock and metrics have of the stages of `recipe`: the rest is of other experiments.

        Nor an entry whose outputs were never pulled: DVC fails where it looks for them.
        """
        stages = {
            name: entry
            for name, entry in _stages(self.folder).items()
            if name in recipe.stages and has_outputs(entry, self.folder, self.cache)
        }
        if stages:
            YAML().dump({"schema": "2.0", "stages": stages}, self.folder / LOCK_FILE)
        else:
            (self.folder / LOCK_FILE).unlink(missing_ok=True)
        outs = {out["path"] for entry in stages.values() for out in entry.get("outs", [])}
        for file in (self.folder / METRICS).rglob("*"):
            if file.is_file() and file.relative_to(self.folder).as_posix() not in outs:
                file.unlink()

    def _status(self, target: str = TARGET) -> dict[str, Any]:
        return status(self.folder, self._environment(), target)

    def _environment(self) -> dict[str, str]:
        return environment() | {
            ROOT_VARIABLE: str(self.root),
            "DVC_EXP_AUTO_PUSH": "false",  # it would push to where the clone comes from
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",  # for `python -m`
        }


def untracked_inputs(root: Path, recipe: Recipe, *options: str) -> list[str]:
    """What the stages read and git does not track; paths from `root`, or absolute ones outside of it.

    `options` are those of `git ls-files`: with --directory, a folder without any tracked file is one path.
    """
    outside = [path for path in recipe.inputs() if Path(path).is_absolute() or ".." in Path(path).parts]
    inside = [path for path in recipe.inputs() if path not in outside]
    listed = git_paths(root, "ls-files", "--others", *options, "--", *inside) if inside else []
    return [*outside, *(path for path in listed if "__pycache__" not in Path(path).parts)]


def _stages(folder: Path) -> dict[str, Any]:
    """The entries of dvc.lock by stage; none where there is no such file."""
    file = folder / LOCK_FILE
    stages: dict[str, Any] = read(file)["stages"] if file.is_file() else {}
    return stages


def _is_tracked_by_dvc(path: str, folder: Path) -> bool:
    """Whether a .dvc file tracks `path` or a folder that it lies in."""
    return any((folder / f"{parent}.dvc").is_file() for parent in (Path(path), *Path(path).parents))


def _place(source: Path, target: Path, *, copy: bool) -> None:
    """Copy or link `source` to `target` where that is not there yet."""
    if source.exists() and not os.path.lexists(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):  # another clone has just linked it
            if copy:
                shutil.copy2(source, target)
            else:
                target.symlink_to(Path(os.path.normpath(source)))
