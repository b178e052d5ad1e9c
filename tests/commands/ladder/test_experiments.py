"""Experiments of a repository of one small stage: what is told, what is committed, and when one is up to date."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from babelshelf.commands.ladder.experiments import Copy, Plan, copied, untracked_inputs

DVC_YAML = """
stages:
  summarize:
    cmd: {python} -c "import pathlib as p; p.Path('out').mkdir(); p.Path('out/a').write_text('1');
      p.Path('metrics.json').write_text('{{}}')"
    deps: [{deps}]
    params: [size]
    outs: [out]
    metrics: [{{metrics.json: {{cache: false}}}}]
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The root of a repository with a commit; a file outside of it is an input of its stage, too."""
    root = tmp_path.resolve() / "repository"
    root.mkdir()
    monkeypatch.chdir(root)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    outside = root.parent / "pairs.csv"
    outside.write_text("a,b\n")
    (root / "kept.txt").write_text("1")
    (root / "dvc.yaml").write_text(DVC_YAML.format(python=sys.executable, deps=f"kept.txt, '[own].txt', {outside}"))
    (root / "params.yaml").write_text("size: 1\n")
    _command("git", "init", "--quiet")
    _command(sys.executable, "-m", "dvc", "init", "--quiet")
    _git("add", ".")
    _git("commit", "--quiet", "-m", "start")
    (root / "[own].txt").write_text("2")
    return root


def _command(*arguments: str) -> str:
    return subprocess.run(arguments, check=True, capture_output=True, text=True).stdout


def _git(*arguments: str) -> str:
    return _command("git", "-c", "user.name=a", "-c", "user.email=a@localhost", *arguments)


def _run(copy: Copy, name: str) -> Plan:
    plan = copy.set_up({"size": 2})
    copy.run(name, copy.root / ".cache" / "log", lambda _name, _runs: None, lambda _line: None)
    copy.save(name, "a title", plan)
    return plan


def test_inputs_that_no_commit_has_are_named_also_those_outside_of_the_repository(repository: Path) -> None:
    outside = repository.parent / "pairs.csv"
    with copied(repository) as copy:
        assert untracked_inputs(copy, copy.set_up({})) == [str(outside), "[own].txt"]
    _git("add", ".")
    with copied(repository) as copy:
        assert untracked_inputs(copy, copy.set_up({})) == [str(outside)]
    assert outside.read_text() == "a,b\n"


def test_a_file_that_is_only_staged_is_part_of_the_experiment_and_changes_stay_where_they_are(repository: Path) -> None:
    _git("add", ".")
    (repository / "staged then deleted").write_text("3")
    _git("add", ".")
    (repository / "staged then deleted").unlink()
    (repository / "kept.txt").write_text("changed")
    status = _git("status", "--porcelain")
    with copied(repository) as copy:
        _run(copy, "one")
        files = _git("ls-tree", "-r", "--name-only", copy.ref("one")).split("\n")
        assert {"[own].txt", "kept.txt", "metrics.json", "dvc.lock"} <= set(files)
        assert "staged then deleted" not in files
        assert _git("show", f"{copy.ref('one')}:kept.txt") == "changed"
    assert _git("status", "--porcelain") == status


@pytest.mark.parametrize("lost", ["all", "a file of a folder"])
def test_an_experiment_whose_outs_are_lost_is_not_up_to_date(repository: Path, lost: str) -> None:
    with copied(repository) as copy:
        plan = _run(copy, "one")
        assert copy.is_up_to_date("one", plan)
        assert not copy.is_up_to_date("two", plan)
        assert not copy.is_up_to_date("one", plan._replace(digest="0"))
        cache = repository / ".dvc" / "cache" / "files" / "md5"
        if lost == "all":
            shutil.rmtree(cache)
        else:
            next(file for file in cache.rglob("*") if file.is_file() and file.read_text() == "1").unlink()  # out/a
        assert not copy.is_up_to_date("one", plan)
