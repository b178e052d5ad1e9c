"""The README's table of results is that of the metrics it was committed with."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

from babelshelf.commands.show import with_results


def test_the_results_are_those_of_the_committed_metrics(root: Path, tmp_path: Path) -> None:
    # of the last commit, not of the working tree: another machine's floats may differ in a digit after `make repro`
    command = ["git", "archive", "--format=tar", "HEAD", "README.md", "metrics"]
    archive = subprocess.run(command, cwd=root, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as committed:
        committed.extractall(tmp_path, filter="data")
    readme = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert with_results(readme, tmp_path / "metrics") == readme
    assert "| qc | all |" in readme.replace("  ", " ")
