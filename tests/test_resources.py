"""Time and memory of a stage: what is written, and that it is no metric."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from babelshelf.resources import read_resources, recorded


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("DVC_STAGE", "train@negatives-qc")
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)
    return tmp_path / ".cache" / "resources.jsonl"


def test_a_stage_is_recorded_with_its_time_and_its_peak_of_memory(file: Path) -> None:
    block = recorded(lambda mib: bytearray(mib * 2**20))
    assert len(block(1)) == 2**20
    before = read_resources(file)["peak_mib"][0]
    block(1024)
    record = read_resources(file).row(0, named=True)
    assert record["stage"] == "train@negatives-qc"
    assert record["experiment"] is None
    assert record["peak_mib"] - before > 400
    assert record["seconds"] > 0


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
