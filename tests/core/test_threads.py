"""The param `threads` decides how many threads a stage computes with, whatever the environment says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from babelshelf.core.errors import InputError
from babelshelf.core.threads import VARIABLES, limit_threads

IN_A_STAGE = """
import stages  # as `python -m stages.<stage>` does first
import subprocess, sys, torch
from threadpoolctl import threadpool_info
child = "import os; print(os.environ['OMP_NUM_THREADS'])"
print(torch.get_num_threads(), max(pool["num_threads"] for pool in threadpool_info()))
subprocess.run([sys.executable, "-c", child], check=True)
"""


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "params.yaml"


@pytest.mark.parametrize("in_environment", ["1", "3"])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_stage_and_its_child_processes_have_the_threads_of_the_params(
    params: Path, root: Path, threads: int, in_environment: str
) -> None:
    params.write_text(f"threads: {threads}\n")
    environment = os.environ | dict.fromkeys(VARIABLES, in_environment) | {"PYTHONPATH": str(root)}
    ran = subprocess.run(
        [sys.executable, "-c", IN_A_STAGE],
        cwd=params.parent,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    assert set(ran.stdout.split()) == {str(threads)}


def test_without_params_the_environment_stays(params: Path) -> None:
    limit_threads(params)
    assert not set(VARIABLES) & set(os.environ)


@pytest.mark.parametrize("value", ["0", "true", "two", "1.5"])
def test_a_wrong_number_is_refused(params: Path, value: str) -> None:
    params.write_text(f"threads: {value}\n")
    with pytest.raises(InputError, match="threads: expected an integer >= 1"):
        limit_threads(params)
