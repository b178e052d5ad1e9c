"""A full disk is one line for the user, whatever library met it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.numpy import save_file

from babelshelf.core.errors import InputError
from babelshelf.core.files import replacing
from babelshelf.runtime import full_disk


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
    with (
        pytest.raises(InputError, match=r"no space left on the disk of .*: make room and run again") as raised,
        full_disk.explained(),
        replacing(disk / "out") as temporary,
    ):
        WRITERS[kind](temporary)
    assert "\n" not in raised.value.message
    assert [file.name for file in disk.iterdir()] == ["out"]
    assert (disk / "out").read_text(encoding="utf-8") == "of an earlier run"


def test_another_error_stays_what_it_is() -> None:
    with pytest.raises(RuntimeError, match="shapes differ"), full_disk.explained():
        raise RuntimeError("shapes differ")
