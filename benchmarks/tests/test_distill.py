"""A folder has the models of one data set, and runs of other benchmarks are not taken for those of this one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from babelshelf.core.errors import InputError
from benchmarks import distill
from benchmarks.proxy_truth.results import append, read_results


def workplace(tmp_path: Path, data: str = "shops") -> distill.Workplace:
    return distill.Workplace(data, tmp_path / "pairs.csv", tmp_path / "base", tmp_path / "work")


def test_the_folder_of_another_data_set_is_refused(tmp_path: Path) -> None:
    for _ in range(2):
        workplace(tmp_path)
    with pytest.raises(InputError, match="work has the models of shops: give all-shops a folder of its own"):
        workplace(tmp_path, "all-shops")


def test_a_run_is_made_once_though_a_longer_one_of_another_benchmark_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distill, "measured_on", lambda *_: {"ap": 0.8, "f1": 0.7})
    key = ("cross_encoder", distill.LABELS, 1)
    file = tmp_path / "out.jsonl"
    append(
        file,
        dict(zip(("model", "setting", "seed"), key, strict=True))
        | {"kind": "quality", "data": "shops"}
        | {"steps": 470},
    )
    for _ in range(2):
        distill._save(workplace(tmp_path), file, key, lambda: np.empty(0), {})
    assert ["steps" in line for line in read_results(file)] == [True, False]
