"""Time and memory of a stage: what is written, and that it is no metric."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from babelshelf.runtime.stage_log import log_resources, read_resources


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
        "import subprocess, sys; from babelshelf.runtime.stage_log import log_resources; "
        f"({take}, {started}); log_resources()"
    )
    starter = f"import subprocess, sys; a = {take.format(parent)}; subprocess.run([sys.executable, '-c', sys.argv[1]])"
    subprocess.run([sys.executable, "-c", starter, stage.format(own)], check=True)
    return float(read_resources(file)["peak_mib"][0])


def test_a_stage_is_recorded_with_its_time(file: Path) -> None:
    log_resources()
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
    log_resources()
    monkeypatch.setenv("DVC_EXP_NAME", "sft")
    log_resources()
    log_resources()
    assert [json.loads(line)["experiment"] for line in file.read_text().splitlines()] == [None, "sft", "sft"]
    assert read_resources(file)["experiment"].to_list() == [None, "sft"]
