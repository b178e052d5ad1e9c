"""Git commands for `babelshelf ladder`, run so that they never write to the index of the user."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from babelshelf.core.errors import InputError

# Set by git for hooks: with them, git would work on another repository than the one of the folder.
OF_ANOTHER_REPOSITORY = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")


def environment() -> dict[str, str]:
    """The environment without variables that point git to another repository."""
    return {name: value for name, value in os.environ.items() if name not in OF_ANOTHER_REPOSITORY}


def git(folder: Path, *arguments: str, index: Path | None = None) -> str:
    """Run git in `folder` and return what it prints.

    Args:
        folder: of the repository.
        arguments: of git.
        index: file to use as the index, in place of the repository's own.

    Raises:
        InputError: git failed; the message has what it wrote to its standard error.
    """
    # Without optional locks, `git status` does not refresh the index; a path may contain what git takes for a pattern.
    options = {"GIT_OPTIONAL_LOCKS": "0", "GIT_LITERAL_PATHSPECS": "1"}
    if index is not None:
        options["GIT_INDEX_FILE"] = str(index)
    result = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env=environment() | options,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        check=False,
    )
    if result.returncode:
        raise InputError(f"git {arguments[0]} failed: {result.stderr.strip()}")
    return result.stdout


def git_paths(folder: Path, command: str, *arguments: str) -> list[str]:
    """The paths that a git command lists when given the option `-z`."""
    return [path for path in git(folder, command, "-z", *arguments).split("\0") if path]


def head(root: Path) -> str:
    """Hash of the commit that is checked out in the repository `root`.

    Raises:
        InputError: `root` is not the root of a git repository, or it has no commit.
    """
    if not (root / ".git").exists():
        raise InputError("this folder is not the root of a git repository; run the command from the root")
    try:
        return git(root, "rev-parse", "--verify", "HEAD^{commit}").strip()
    except InputError as error:
        raise InputError("the repository has no commit, and an experiment needs one; run `git commit`") from error


def experiment_ref(commit: str, name: str) -> str:
    """The ref in which DVC keeps the experiment `name` of a commit."""
    return f"refs/exps/{commit[:2]}/{commit[2:]}/{name}"
