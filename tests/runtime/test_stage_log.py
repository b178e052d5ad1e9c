"""Time and memory of a stage: what is written, and that it is no metric."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.numpy import save_file

from babelshelf.core.errors import InputError
from babelshelf.core.files import replacing
from babelshelf.runtime.stage_log import read_resources, recorded


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("DVC_STAGE", "sft@negatives-qc")
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)
    return tmp_path / ".cache" / "resources.jsonl"


def _peak(file: Path, *, own: int = 0, child: int = 0, parent: int = 0) -> float:
    """The peak of a stage that takes `own` MiB and starts a process of `child` MiB, started by one of `parent` MiB."""
    take = "bytearray({} * 2**20)"
    started = f"subprocess.run([sys.executable, '-c', {take.format(child)!r}], check=True)" if child else "0"
    stage = (
        "import subprocess, sys; from babelshelf.runtime.stage_log import recorded; "
        f"recorded(lambda: ({take}, {started}))()"
    )
    starter = f"import subprocess, sys; a = {take.format(parent)}; subprocess.run([sys.executable, '-c', sys.argv[1]])"
    subprocess.run([sys.executable, "-c", starter, stage.format(own)], check=True)
    return float(read_resources(file)["peak_mib"][0])


def test_a_stage_is_recorded_with_its_time(file: Path) -> None:
    recorded(lambda: None)()
    record = read_resources(file).row(0, named=True)
    assert record["stage"] == "sft@negatives-qc"
    assert record["experiment"] is None
    assert record["seconds"] > 0


@pytest.mark.slow
def test_the_peak_is_the_stages_own_or_of_a_process_that_it_started(file: Path) -> None:
    small = _peak(file)
    assert 1024 < _peak(file, own=1024) < 1024 + 1.5 * small
    assert 1024 < _peak(file, child=1024) < 1024 + small


@pytest.mark.slow
def test_the_peak_of_the_process_that_started_a_stage_does_not_count(file: Path) -> None:
    assert _peak(file, parent=1024) < 700


def test_the_last_record_of_each_stage_and_experiment_counts(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = recorded(lambda: None)
    stage()
    monkeypatch.setenv("DVC_EXP_NAME", "sft")
    stage()
    stage()
    assert [json.loads(line)["experiment"] for line in file.read_text().splitlines()] == [None, "sft", "sft"]
    assert read_resources(file)["experiment"].to_list() == [None, "sft"]


def test_a_stage_that_failed_is_not_recorded(file: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        recorded(lambda: 1 / 0)()
    assert read_resources(file).is_empty()


def test_every_stage_is_recorded(root: Path) -> None:
    for script in (root / "stages").glob("[!_]*.py"):
        assert "\n@recorded\ndef main(" in script.read_text(encoding="utf-8"), script.name


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A disk of 300 KB that the repository is on."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("only root can mount a disk of its own")
    monkeypatch.setenv("DVC_ROOT", str(folder))
    with monkeypatch.context() as inside:
        inside.chdir(folder)
        yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


WRITERS: dict[str, Callable[[Path], object]] = {
    "text": lambda path: path.write_text("x" * 2**20, encoding="utf-8"),
    "parquet": lambda path: pl.DataFrame({"x": np.random.default_rng(1).random(2**17)}).write_parquet(path),
    "csv": lambda path: pl.DataFrame({"x": range(2**17)}).write_csv(path),
    "safetensors": lambda path: save_file({"x": np.random.default_rng(1).random(2**17)}, path),
    "torch": lambda path: torch.save(torch.rand(2**18), path),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_a_full_disk_is_one_line_and_leaves_what_was_there(disk: Path, kind: str) -> None:
    (disk / "out").write_text("of an earlier run", encoding="utf-8")

    def stage() -> None:
        with replacing(disk / "out") as temporary:
            WRITERS[kind](temporary)

    with pytest.raises(InputError, match=r"no space left on the disk of .*: make room and run again") as raised:
        recorded(stage)()
    assert "\n" not in raised.value.message
    assert [file.name for file in disk.iterdir()] == ["out"]
    assert (disk / "out").read_text(encoding="utf-8") == "of an earlier run"


def test_another_error_of_a_stage_stays_what_it_is(file: Path) -> None:
    def stage() -> None:
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        recorded(stage)()
    assert not file.exists()
