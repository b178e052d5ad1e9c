"""Run experiments with DVC in a private copy of the working tree; `babelshelf ladder` does.

Not by `dvc exp run --temp`: it stashes and resets the user's own working tree first, so that a kill in that second
takes their changes away, and it runs an experiment whose name is taken only by force, which computes all of it again.
Here one copy, under .dvc/tmp, serves all experiments. It shares DVC's cache and run cache with the repository and is
deleted in the end; if a kill leaves it behind, the next call deletes it. What a killed call had finished comes back
from the run cache, and what was under way goes on from `.cache`.

An experiment is what DVC means by it: a commit under refs/exps/<HEAD's hash>, on top of HEAD, with the working tree
(uncommitted changes of tracked files included), the experiment's params.yaml and dvc.lock, and its metrics. So `dvc exp
show`, `apply` and `remove` know it. Its message ends in a digest of all that its stages depend on: while that is the
same, the experiment is up to date. HEAD, branches, the index and all files of the working tree are only read.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from dvc.config import Config
from dvc.dependency.param import ParamsDependency
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.utils.serialize import dump_yaml, load_yaml, parse_yaml
from ruamel.yaml.comments import CommentedMap

from babelshelf.commands import profile
from babelshelf.core.errors import InputError
from babelshelf.core.params import PARAMS_FILE

TARGET = "summarize"
FOLDER = Path(".dvc", "tmp", "ladder")
LOCK_FILE = "dvc.lock"
DIGEST = "Depends-on: "

# Experiments are commits of this tool, so that they need no name and address in git's configuration.
AUTHOR = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "babelshelf ladder"), ("EMAIL", "ladder@localhost"))
}

RUNS = re.compile(r"^Running stage '([^']+)'")
SHARED = re.compile(r"^Stage '([^']+)' (didn't change|is cached)")


class ExperimentFailedError(Exception):
    """A stage of an experiment failed; the message has the last lines that it printed."""


class Plan(NamedTuple):
    """What DVC would run for the params in the copy.

    Attributes:
        digest: of the commands, the params and the content of all that no stage makes.
        metrics: paths that git keeps, from the root: metrics and plots of the stages of this recipe.
        others: the same of all other stages: of other recipes, so that they are no part of this experiment.
        inputs: paths that no stage makes; one outside of the repository as it was given, mostly absolute.
        stages: names of this recipe's stages.
    """

    digest: str
    metrics: list[str]
    others: list[str]
    inputs: list[str]
    stages: list[str]


@dataclass(frozen=True)
class Copy:
    """The copy of the working tree as it was when the copy was made, and the commit that it is based on."""

    root: Path
    head: str
    lock: int  # a descriptor
    new: Sequence[str]  # paths that git tracks and `head` does not have
    cache: Any  # DVC's CacheManager
    known: dict[str, Any]  # entries of dvc.lock by stage: the user's, replaced by those of experiments that were run

    @property
    def tree(self) -> Path:
        """The copied files."""
        return self.root / FOLDER / "tree"

    def ref(self, name: str) -> str:
        """Where DVC looks for the experiment `name` of this commit."""
        return f"refs/exps/{self.head[:2]}/{self.head[2:]}/{name}"

    def is_up_to_date(self, name: str, plan: Plan) -> bool:
        """Whether the experiment `name` was run with just what `plan` depends on, and the cache still has its outs."""
        try:
            message = _git(self.root, "log", "-1", "--format=%B", self.ref(name), "--")
        except InputError:
            return False
        return f"{DIGEST}{plan.digest}" in message.splitlines() and self._has_outs(name, plan)

    def read(self, name: str, path: str) -> dict[str, Any]:
        """A JSON file of the experiment `name`."""
        value: dict[str, Any] = json.loads(_git(self.root, "show", f"{self.ref(name)}:{path}"))
        return value

    def set_up(self, params: Mapping[str, Any]) -> Plan:
        """Put the params (by dotted path) into the copy and see what DVC would run.

        What the last experiment left there stays: the fewer stages differ, the less DVC has to do. dvc.lock has what is
        known of this recipe's stages alone: DVC reads and writes all of it again for each stage.

        Raises:
            ExperimentFailedError: DVC refuses dvc.yaml with these params.
        """
        values = profile.round_trip(self.root / FOLDER / PARAMS_FILE)
        for path, value in params.items():
            _set(values, path, value)
        profile.dump(values, self.tree / PARAMS_FILE)
        try:
            plan = _plan(self.root, self.tree)
        except (DvcException, OSError) as error:
            raise ExperimentFailedError(f"{TARGET}: {error}") from error
        stages = {name: entry for name, entry in self.known.items() if name in plan.stages}
        dump_yaml(str(self.tree / LOCK_FILE), {"schema": "2.0", "stages": stages})
        return plan

    def run(self, name: str, log: Path, on_stage: Callable[[str, bool], None], on_line: Callable[[str], None]) -> None:
        """`dvc repro` in the copy for the experiment `name`.

        `on_stage` gets each stage's name and whether it runs, `on_line` what it prints. `log` has all of the output; it
        stays where the run fails. The process holds the lock, too, so that no other call begins while it still writes,
        even when this one was killed.

        Raises:
            ExperimentFailedError: a stage failed.
        """
        command = [sys.executable, "-m", "dvc", "repro", TARGET]
        log.parent.mkdir(parents=True, exist_ok=True)
        with (
            log.open("w", encoding="utf-8") as kept,
            subprocess.Popen(
                command,
                cwd=self.tree,
                env=self._environment(name),
                pass_fds=[self.lock],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
            ) as process,
        ):
            assert process.stdout is not None
            for line in process.stdout:  # also what ends in a carriage return, as a progress bar does
                kept.write(line)
                _dispatch(line.rstrip(), on_stage, on_line)
        if process.returncode:
            raise ExperimentFailedError(f"{reason(log.read_text(encoding='utf-8'))}\n({log} has all of the output)")
        log.unlink()

    def save(self, name: str, title: str, plan: Plan) -> None:
        """Commit what is in the copy as the experiment `name`, in place of an older one of this name."""
        made = {stage: entry for stage, entry in sorted(_stages(self.tree).items()) if stage in plan.stages}
        dump_yaml(str(self.tree / LOCK_FILE), {"schema": "2.0", "stages": made})  # in one order, whatever ran first
        self.known.update(made)
        index = {"GIT_INDEX_FILE": str(self.root / FOLDER / "index"), "GIT_WORK_TREE": str(self.tree)}
        git = partial(_git, self.root, folder=self.tree, environment=index)
        git("read-tree", self.head)
        git("add", "--update", ".")
        new = [path for path in self.new if os.path.lexists(self.tree / path)]
        git("add", "--force", "--", LOCK_FILE, *plan.metrics, *new)
        if plan.others:
            git("rm", "--cached", "--quiet", "--ignore-unmatch", "--", *plan.others)
        tree = git("write-tree").strip()
        message = f"{title}\n\n{DIGEST}{plan.digest}\n"
        commit = _git(self.root, "commit-tree", tree, "-p", self.head, "-m", message, environment=AUTHOR).strip()
        _git(self.root, "update-ref", self.ref(name), commit)

    def _has_outs(self, name: str, plan: Plan) -> bool:
        lock = parse_yaml(_git(self.root, "show", f"{self.ref(name)}:{LOCK_FILE}"), LOCK_FILE)
        outs = [out for stage in lock["stages"].values() for out in stage.get("outs", [])]
        return all(self._is_cached(out["md5"]) for out in outs if out["path"] not in plan.metrics)

    def _is_cached(self, md5: str) -> bool:
        """Whether the cache has a file, or the list of a folder and all that it lists."""
        files = self.cache.local
        if not files.exists(md5):
            return False
        listed = json.loads(Path(files.oid_to_path(md5)).read_bytes()) if md5.endswith(".dir") else []
        return all(files.exists(entry["md5"]) for entry in listed)

    def _environment(self, name: str) -> dict[str, str]:
        return os.environ | {
            "DVC_EXP_NAME": name,  # as `dvc exp run` sets it; stages record their time under it
            "DVC_ROOT": str(self.root),  # stages keep partial work in its .cache
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",  # for `python -m`
        }


@contextmanager
def copied(root: Path) -> Iterator[Copy]:
    """A copy of the working tree of `root`, deleted in the end; nobody else can have one meanwhile.

    Raises:
        InputError: another process has one, or `root` is not the root of a git and DVC repository with a commit.
    """
    with _locked(root) as lock:
        head = _head(root)
        paths = _paths(root, "ls-files")
        new = sorted(set(paths) - set(_paths(root, "ls-tree", "-r", "--name-only", head)))
        copy = Copy(root, head, lock, new, _cache(root), _stages(root))
        shutil.rmtree(root / FOLDER, ignore_errors=True)  # of a call that was killed
        try:
            for path in paths:
                _copy_file(root / path, copy.tree / path)
            _copy_file(root / PARAMS_FILE, root / FOLDER / PARAMS_FILE)  # that each experiment begins with
            _configure(copy)
            yield copy
        finally:
            shutil.rmtree(root / FOLDER, ignore_errors=True)


@contextmanager
def _locked(root: Path) -> Iterator[int]:
    """A lock that ends with the processes that hold it, on the folder .dvc itself, so that no file is left."""
    if not (root / ".dvc").is_dir():
        raise InputError("no DVC repository begins here; run from its root")
    descriptor = os.open(root / ".dvc", os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield descriptor
    except BlockingIOError as error:
        raise InputError("another `babelshelf ladder` runs in this repository; wait for its end") from error
    finally:
        os.close(descriptor)


def untracked_inputs(copy: Copy, plan: Plan) -> list[str]:
    """Files that stages read and git does not know or ignores: no experiment's commit has them."""
    outside = [path for path in plan.inputs if Path(path).is_absolute() or ".." in Path(path).parts]
    inside = [path for path in plan.inputs if path not in outside]
    listed = _paths(copy.root, "ls-files", "--others", "--directory", "--", *inside) if inside else []
    return [*outside, *(path for path in listed if "__pycache__" not in Path(path).parts)]


def reason(output: str) -> str:
    """Why a stage failed: its own `Error:` lines, or else the last lines that it printed."""
    lines = [line.rstrip() for line in output.splitlines() if line.strip()]
    stage = next((found[1] for line in reversed(lines) if (found := RUNS.match(line))), TARGET)
    errors = [line.removeprefix("Error: ") for line in lines if line.startswith("Error: ")]
    of_dvc = [line for line in lines if line.startswith("ERROR: ")]
    others = [line for line in lines if not (line in of_dvc or line.startswith(("> ", "Running ", "Stage '")))]
    return f"{stage}: " + "\n".join(errors or [*others[-3:], *of_dvc])


def _dispatch(line: str, on_stage: Callable[[str, bool], None], on_line: Callable[[str], None]) -> None:
    if found := RUNS.match(line):
        on_stage(found[1], True)
    elif found := SHARED.match(line):
        on_stage(found[1], False)
    else:
        on_line(line)


def _head(root: Path) -> str:
    if not (root / ".git").exists():
        raise InputError("no git repository begins here; run from its root")
    try:
        return _git(root, "rev-parse", "--verify", "HEAD^{commit}").strip()
    except InputError as error:
        raise InputError("no commit here yet, and an experiment needs one to begin with; run `git commit`") from error


def _git(root: Path, *arguments: str, folder: Path | None = None, environment: Mapping[str, str] | None = None) -> str:
    """What git prints; GIT_OPTIONAL_LOCKS=0 keeps it from refreshing the user's index."""
    of_git = {"GIT_DIR": str(root / ".git"), "GIT_WORK_TREE": str(root), "GIT_OPTIONAL_LOCKS": "0"}
    of_git["GIT_LITERAL_PATHSPECS"] = "1"  # a path may hold what git takes for a pattern
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder or root,
        env=os.environ | of_git | dict(environment or {}),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        raise InputError(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout


def _paths(root: Path, *arguments: str) -> list[str]:
    """The paths that a command of git lists."""
    return [path for path in _git(root, arguments[0], "-z", *arguments[1:]).split("\0") if path]


def _cache(root: Path) -> Any:  # noqa: ANN401 - DVC has no types
    with Repo(str(root)) as repo:
        return repo.cache


def _configure(copy: Copy) -> None:
    """The DVC configuration of the copy: the user's, with their cache and without git."""
    for name in ("config", "config.local"):
        _copy_file(copy.root / ".dvc" / name, copy.tree / ".dvc" / name)
    (copy.tree / ".dvc" / "tmp").mkdir(parents=True, exist_ok=True)
    with Config(str(copy.tree / ".dvc")).edit("local") as config:
        config.setdefault("core", {}).update({"no_scm": True, "site_cache_dir": str(copy.root / FOLDER / "site")})
        config.setdefault("cache", {})["dir"] = copy.cache.local_cache_dir


def _plan(root: Path, tree: Path) -> Plan:
    with chdir(tree), Repo() as repo:
        stages = list(repo.stage.collect(TARGET, with_deps=True))
        metrics = {path for stage in stages for path in _kept_by_git(stage, tree)}
        others = {path for stage in repo.index.stages for path in _kept_by_git(stage, tree)} - metrics
        inputs = _made_by_none(stages, tree)
        for path in [*inputs, *metrics, *others]:  # which git need not have
            _copy_missing(root / path, tree / path)
        commands = sorted([stage.addressing, str(stage.cmd), _params(stage)] for stage in stages)
        hashes = {path: str(inputs[path].get_hash()) if (tree / path).exists() else None for path in inputs}
        return Plan(
            digest=hashlib.sha256(json.dumps([commands, hashes], sort_keys=True).encode()).hexdigest(),
            metrics=sorted(metrics),
            others=sorted(others),
            inputs=sorted(inputs),
            stages=[stage.addressing for stage in stages],
        )


def _kept_by_git(stage: Any, tree: Path) -> list[str]:  # noqa: ANN401 - DVC has no types
    return [_relative(out, tree) for out in stage.outs if not out.use_cache]


def _made_by_none(stages: Iterable[Any], tree: Path) -> dict[str, Any]:
    """What the stages read and none of them makes, by path; what a .dvc file tracks counts as read."""
    made = [Path(out.fs_path) for stage in stages if stage.cmd for out in stage.outs]
    read = [dep for stage in stages for dep in (stage.deps if stage.cmd else stage.outs)]
    read = [dep for dep in read if not isinstance(dep, ParamsDependency)]
    return {_relative(dep, tree): dep for dep in read if not any(_overlap(Path(dep.fs_path), out) for out in made)}


def _params(stage: Any) -> dict[str, Any]:  # noqa: ANN401 - DVC has no types
    return {
        key: value
        for dep in stage.deps
        if isinstance(dep, ParamsDependency)
        for key, value in dep.read_params().items()
    }


def _relative(out: Any, tree: Path) -> str:  # noqa: ANN401 - DVC has no types
    """The path from the root; outside of the repository it is absolute, as from the copy it would be another one."""
    root = tree.parents[len(FOLDER.parts)]
    return os.path.relpath(out.fs_path, tree) if Path(out.fs_path).is_relative_to(root) else str(out.fs_path)


def _overlap(one: Path, other: Path) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)


def _stages(folder: Path) -> dict[str, Any]:
    """The entries of dvc.lock by stage; none where there is no such file."""
    file = folder / LOCK_FILE
    stages: dict[str, Any] = load_yaml(str(file))["stages"] if file.is_file() else {}
    return stages


def _set(values: CommentedMap, path: str, value: Any) -> None:  # noqa: ANN401 - whatever YAML holds
    *parents, key = path.split(".")
    for parent in parents:
        values = values[parent]
    values[key] = value


def _copy_file(source: Path, target: Path) -> None:
    """Copy a file or a link, times included; what is no such thing (deleted, a submodule) is not there in the copy."""
    if source.is_file() or source.is_symlink():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target, follow_symlinks=False)
    else:
        target.unlink(missing_ok=True)


def _copy_missing(source: Path, target: Path) -> None:
    """Copy a file, or the files of a folder, that are not there yet."""
    files = [file for file in source.rglob("*") if not file.is_dir()] if source.is_dir() else [source]
    for file in files:
        here = target / file.relative_to(source)
        if not here.exists():
            _copy_file(file, here)
