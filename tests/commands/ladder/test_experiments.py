"""Experiments in clones of a repository of three quick stages: what runs, what is committed, what stays untouched."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from babelshelf.commands.ladder.clones import clones
from babelshelf.commands.ladder.rows import Experiment
from babelshelf.core.errors import InputError
from babelshelf.core.params import read
from tests.helpers import toy_pipeline
from tests.helpers.toy_pipeline import ToyPipeline, experiment, run


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ToyPipeline:
    """A repository, which is the working directory."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    for name in ("BABELSHELF_ROOT", "DVC_NO_ANALYTICS"):  # a daemon of DVC must not hold the lock
        monkeypatch.delenv(name, raising=False)
    pipeline = toy_pipeline.create(tmp_path.resolve())
    monkeypatch.chdir(pipeline.folder)
    return pipeline


def test_an_experiment_has_the_users_changes_and_the_users_files_stay(toy: ToyPipeline) -> None:
    (toy.folder / "kept.txt").write_bytes(b"changed \xff\n")
    (toy.folder / "added.txt").write_text("added")
    (toy.folder / "added then deleted.txt").write_text("added")
    toy.git("add", "kept.txt", "added.txt", "added then deleted.txt")
    (toy.folder / "kept.txt").write_bytes(b"changed twice \xff\n")
    (toy.folder / "added then deleted.txt").unlink()
    (toy.folder / "deleted.txt").unlink()
    (toy.folder / "notes.txt").write_text("no stage reads this")
    os.utime(toy.folder / ".gitignore", (0, 0))  # git would refresh the index, where it may write to it
    before = toy.state()
    outcome, output = run([experiment(2), experiment(9), experiment(3)])
    assert toy.state() == before
    assert not (toy.folder / ".dvc" / "tmp" / "ladder").exists()
    assert outcome.f1 == {"f2-seed1": {"qc": 0.2}, "f3-seed1": {"qc": 0.3}}
    files = set(toy.git("ls-tree", "-r", "--name-only", toy.ref("f3-seed1")).splitlines())
    kept = {".dvc/.gitignore", ".dvc/config", ".dvcignore", ".gitignore", "dvc.yaml", "kept.txt", "params.yaml"}
    assert files == {*kept, "added.txt", "dvc.lock", "metrics/summarize.json", "metrics/train.json"}
    assert toy.git("cat-file", "-s", f"{toy.ref('f2-seed1')}:kept.txt").strip() == str(len(b"changed twice \xff\n"))
    assert toy.show("f3-seed1", "params.yaml") == "seed: 1 # a comment\nf1: 3\n"
    assert toy.git("log", "-1", "--format=%s %an", toy.ref("f2-seed1")).strip() == "+ 2 babelshelf ladder"
    assert toy.git("rev-parse", f"{toy.ref('f2-seed1')}^") == toy.git("rev-parse", "HEAD")
    assert toy.git("for-each-ref", "--format=%(refname)", "refs/exps").split() == [
        toy.ref("f2-seed1"),
        toy.ref("f3-seed1"),
    ]
    assert (toy.folder.parent / "root").read_text().strip() == str(toy.folder)
    log = Path(".cache", "ladder", "f9-seed1.log")
    assert [file.name for file in log.parent.iterdir()] == [log.name]
    assert "Error: F1 is 9" in log.read_text()
    assert "[2/3] f9-seed1: failed: summarize: F1 is 9" in output
    assert "    summarize\n[3/3] f3-seed1: 2 stages ran, 1 came from the cache" in output
    assert toy.counts() == {"prepare": 1, "train": 3, "summarize": 2}


def test_untracked_inputs_are_used_and_named(toy: ToyPipeline) -> None:
    _, output = run([experiment(2)])
    named = [line.split()[0] for line in output.splitlines() if "git does not track it" in line]
    assert named == ["../beside.txt", str(toy.folder.parent / "outside.txt"), "[own].txt", "new/"]
    rows = toy.folder / ".dvc" / "cache" / "files" / "md5"
    texts = [file.read_text() for file in rows.rglob("*") if file.is_file()]
    assert "kept\nown\nnew\nbeside\noutside\n" in texts


def test_an_experiment_is_up_to_date_until_an_input_changes_or_an_output_is_lost(toy: ToyPipeline) -> None:
    run([experiment(2)])
    (toy.folder / "notes.txt").write_text("no stage reads this")
    assert "[1/1] f2-seed1: up to date" in run([experiment(2)])[1]
    (toy.folder / "new" / "b.txt").write_text("b\n")
    outcome, output = run([experiment(2)])
    assert "up to date" not in output
    assert outcome.f1 == {"f2-seed1": {"qc": 0.2}}
    assert toy.counts() == {"prepare": 2, "train": 2, "summarize": 2}
    cached = (toy.folder / ".dvc" / "cache" / "files").rglob("*")
    next(file for file in cached if file.is_file() and "b\n" in file.read_text()).unlink()  # data/rows or data/model
    assert "up to date" not in run([experiment(2)])[1]
    assert toy.counts() != {"prepare": 2, "train": 2, "summarize": 2}


@pytest.fixture
def experiments_of_one_job(toy: ToyPipeline) -> tuple[list[Experiment], dict[str, str], dict[str, int]]:
    """Experiments, the content of each after a run with one job from empty caches, and how often each stage ran."""
    wanted = [experiment(2), experiment(9), experiment(3), experiment(2, seed=2)]
    run(wanted)
    counts = toy.counts()
    trees = toy.trees()
    for name in trees:
        toy.git("update-ref", "-d", toy.ref(name))
    shutil.rmtree(toy.folder / ".dvc" / "cache")
    toy.runs.unlink()
    return wanted, trees, counts


@pytest.mark.ci
@pytest.mark.slow
def test_two_jobs_make_the_same_experiments_and_compute_shared_stages_once(
    toy: ToyPipeline, experiments_of_one_job: tuple[list[Experiment], dict[str, str], dict[str, int]]
) -> None:
    wanted, trees, counts = experiments_of_one_job
    before = toy.state()
    outcome, output = run(wanted, jobs=2)
    assert toy.trees() == trees
    assert outcome.f1.keys() == trees.keys() == {one.name for one in wanted} - {"f9-seed1"}
    assert toy.counts() == counts == {"prepare": 1, "train": 4, "summarize": 3}
    assert toy.state() == before
    assert "    f3-seed1: train\n" in output
    assert list(outcome.seconds) == [one.name for one in wanted]


@pytest.mark.slow
def test_after_a_kill_finished_stages_are_not_run_again(toy: ToyPipeline) -> None:
    toy.go.unlink()  # train does not end
    before = toy.state()
    command = [sys.executable, "-m", "tests.helpers.toy_pipeline", "2", "3"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    process = subprocess.Popen(command, cwd=toy.folder, env=environment, start_new_session=True)
    while process.poll() is None and "train" not in toy.counts():
        time.sleep(0.02)
    assert process.poll() is None, "it ended before it could be killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert toy.state() == before
    assert (toy.folder / ".dvc" / "tmp" / "ladder").exists()
    toy.go.touch()
    outcome, _ = run([experiment(2), experiment(3)])
    assert outcome.f1 == {"f2-seed1": {"qc": 0.2}, "f3-seed1": {"qc": 0.3}}
    assert toy.counts() == {"prepare": 1, "train": 3, "summarize": 2}
    assert not (toy.folder / ".dvc" / "tmp" / "ladder").exists()
    assert toy.state() == before


def test_one_process_at_a_time_has_clones(toy: ToyPipeline) -> None:
    with (
        clones(toy.folder, 1),
        pytest.raises(InputError, match="another `babelshelf ladder` runs in this repository"),
        clones(toy.folder, 1),
    ):
        pass
    with clones(toy.folder, 2) as (one, two):
        assert one.files == two.files
        assert one.folder != two.folder


def test_a_repository_without_commit_and_a_folder_without_repository_are_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not the root of a DVC repository"), clones(tmp_path, 1):
        pass
    (tmp_path / ".dvc").mkdir()
    with pytest.raises(InputError, match="not the root of a git repository"), clones(tmp_path, 1):
        pass
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    with pytest.raises(InputError, match="run `git commit`"), clones(tmp_path, 1):
        pass


def test_no_param_has_a_name_that_the_run_cache_ignores(root: Path) -> None:
    """DVC 3.67 leaves the keys size and nfiles out of a run's key, so that it restores the run of another value."""

    def names(values: object) -> Iterator[str]:
        for name, value in values.items() if isinstance(values, dict) else ():
            yield name
            yield from names(value)

    assert {"size", "nfiles"} & set(names(read(root / "profiles" / "nano.yaml"))) == set()


def test_a_stage_is_made_without_an_experiment_and_the_next_one_takes_it_from_the_cache(toy: ToyPipeline) -> None:
    before = toy.state()
    with clones(Path.cwd(), 1) as (clone,):
        clone.make("prepare", {"seed": 1, "f1": 2})
        assert (clone.folder / "data" / "rows").is_file()
        assert not (clone.folder / "data" / "model").exists()
    assert toy.state() == before
    assert toy.counts() == {"prepare": 1}
    run([experiment(2)])
    assert toy.counts() == {"prepare": 1, "train": 1, "summarize": 1}
