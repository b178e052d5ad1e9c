"""Clones of the user's repository, in which experiments run; they lie under .dvc/tmp and are deleted in the end.

A clone shares git's objects and DVC's cache, run cache included, with the user's repository, and it has the uncommitted
changes. Files, index, branches and HEAD of the user are only read.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from babelshelf.commands.ladder.dvc_commands import dvc
from babelshelf.commands.ladder.experiments import CLONES, Clone
from babelshelf.commands.ladder.git import environment, git, head
from babelshelf.core.errors import InputError

# Of a clone: experiments are commits of this tool, and neither hooks nor signatures of the user are for them.
GIT_CONFIG = {
    "user.name": "babelshelf ladder",
    "user.email": "ladder@localhost",
    "commit.gpgSign": "false",
    "core.hooksPath": os.devnull,
    "gc.auto": "0",
}
FILES_LATER = ("--quiet", "--shared", "--no-tags", "--no-checkout", "--template=")
# Whatever the user's git configuration says of diffs, `git apply` must be able to read this one.
DIFF = (
    *("diff", "--binary", "-U3", "--no-color", "--no-ext-diff", "--no-textconv", "--no-relative"),
    *("--ignore-submodules", "--src-prefix=a/", "--dst-prefix=b/"),
)


@contextmanager
def clones(root: Path, number: int) -> Iterator[list[Clone]]:
    """As many clones of the repository `root`, deleted in the end; no other process can have one meanwhile.

    Raises:
        InputError: another process has clones, or `root` is not the root of a git and DVC repository with a commit.
    """
    with _locked(root) as lock:
        commit = head(root)
        shutil.rmtree(root / CLONES, ignore_errors=True)  # of a call that was killed
        try:
            (root / CLONES).mkdir(parents=True)
            changes = root / CLONES / "changes.patch"
            git(root, *DIFF, f"--output={changes}", commit, index=_copied_index(root))
            cache = dvc(root, environment(), "cache", "dir").strip()
            folders = [root / CLONES / str(i) / "repository" for i in range(number)]
            yield [
                Clone(root, folder, commit, _clone(root, folder, commit, changes, cache), Path(cache), lock)
                for folder in folders
            ]
        finally:
            shutil.rmtree(root / CLONES, ignore_errors=True)


def _copied_index(root: Path) -> Path:
    """A copy of the user's index: `git diff` refreshes the one that it reads, whatever GIT_OPTIONAL_LOCKS says."""
    copy = root / CLONES / "index"
    index = root / git(root, "rev-parse", "--git-path", "index").strip()
    if index.is_file():
        shutil.copy2(index, copy)
    return copy


def _clone(root: Path, folder: Path, commit: str, changes: Path, cache: str) -> str:
    """Clone `root` with the user's changes; git's tree of its files."""
    config = [f"--config={name}={value}" for name, value in GIT_CONFIG.items()]
    git(root, "clone", *FILES_LATER, *config, str(root), str(folder))
    git(folder, "checkout", "--quiet", "--detach", commit)
    if changes.stat().st_size:
        git(folder, "apply", "--index", "--whitespace=nowarn", str(changes))
    (folder / ".dvc").mkdir(exist_ok=True)
    for name in ("config", "config.local"):
        if (root / ".dvc" / name).is_file():
            shutil.copy2(root / ".dvc" / name, folder / ".dvc" / name)
    (folder / ".git" / "info").mkdir(exist_ok=True)
    (folder / ".git" / "info" / "exclude").write_text("/.dvc/\n", encoding="utf-8")
    dvc(folder, environment(), "config", "--local", "cache.dir", cache)
    return git(folder, "write-tree").strip()


@contextmanager
def _locked(root: Path) -> Iterator[int]:
    """A lock that ends with the processes that hold it, on the folder .dvc itself, so that no file is left."""
    if not (root / ".dvc").is_dir():
        raise InputError("this folder is not the root of a DVC repository; run the command from the root")
    descriptor = os.open(root / ".dvc", os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield descriptor
    except BlockingIOError as error:
        raise InputError("another `babelshelf ladder` runs in this repository; wait for its end") from error
    finally:
        os.close(descriptor)
