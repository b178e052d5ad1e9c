"""What a stage shows on the screen, and what goes to its log."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

STAGE = '''"""Count to three."""

import os, subprocess, sys, warnings
from pathlib import Path

import click

from babelshelf.core.errors import InputError
from babelshelf.runtime import screen
from babelshelf.runtime.stage import stage


@click.command()
@click.argument("task")
@click.option("--out", type=Path, required=True)
@click.option("--fail", default="")
@stage("count", writes="out")
def main(*, task, out, fail):
    print({"loss": "0.31"})
    warnings.warn("deprecated")
    os.write(2, b"from compiled code\\n")
    subprocess.run([sys.executable, "-c", "print('from a child process')"], check=True)
    with screen.progress(total=3, desc="count", unit="number") as bar:
        bar.update(3)
    screen.echo("a line for the user")
    if fail == "input":
        raise InputError("row 3: empty query")
    if fail:
        raise ZeroDivisionError("a bug")
    out.write_text("3")
    return "3 numbers"


if __name__ == "__main__":
    main()
'''
NOISE = ["{'loss': '0.31'}", "deprecated", "from compiled code", "from a child process"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "count.py").write_text(STAGE, encoding="utf-8")
    return tmp_path


def run(folder: Path, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("DVC_")}
    return subprocess.run(
        [sys.executable, "count.py", "qc", "--out", "out", *options],
        cwd=folder,
        env=inherited | {"PYTHONPATH": str(ROOT)} | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def log(folder: Path, name: str = "count@qc") -> str:
    return (folder / ".cache" / "logs" / f"{name}.log").read_text(encoding="utf-8")


def test_the_screen_has_the_lines_and_the_log_has_the_rest(folder: Path) -> None:
    done = run(folder)
    first, second, last = done.stdout.splitlines()
    assert (first, second) == ("count qc: Count to three.", "a line for the user")
    assert last.startswith("count qc: 3 numbers, ")
    assert last.endswith(" s -> out (log: .cache/logs/count@qc.log)")
    assert done.stderr == ""
    assert all(line in log(folder) for line in NOISE)
    record = json.loads((folder / ".cache" / "resources.jsonl").read_text())
    assert record["seconds"] > 0


def test_a_log_is_of_the_last_run_of_a_stage_and_experiment(folder: Path) -> None:
    for _ in range(2):
        run(folder, DVC_STAGE="sft@negatives-qc", DVC_EXP_NAME="row")
    assert log(folder, "row-sft@negatives-qc").count("from compiled code") == 1


def test_an_error_of_the_users_input_is_one_line_on_the_screen(folder: Path) -> None:
    done = run(folder, "--fail", "input")
    assert done.returncode == 1
    assert done.stderr == "Error: row 3: empty query\n"
    assert not (folder / ".cache" / "resources.jsonl").exists()


def test_any_other_error_is_shown_in_full_and_names_the_log(folder: Path) -> None:
    done = run(folder, "--fail", "bug")
    assert done.returncode == 1
    assert done.stderr.startswith("count qc: failed; what it printed before is in .cache/logs/count@qc.log\nTraceback")
    assert done.stderr.endswith("ZeroDivisionError: a bug\n")
    assert all(line in log(folder) for line in NOISE)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_launched_process_shows_no_line_of_its_own_and_only_the_first_echoes(folder: Path, rank: int) -> None:
    done = run(folder, TORCHELASTIC_RUN_ID="run", RANK=str(rank))
    assert done.stdout == ("a line for the user\n" if rank == 0 else "")
    assert done.stderr == ""
    assert all(line in log(folder) for line in NOISE)
    assert not (folder / ".cache" / "resources.jsonl").exists()


def test_a_launched_process_does_not_check_what_the_machine_has(folder: Path) -> None:
    """The processes load the model at the same time: each would miss the memory that the others have taken."""
    script = folder / "count.py"
    script.write_text(script.read_text(encoding="utf-8").replace('stage("count"', 'stage("sft"'), encoding="utf-8")
    assert "params.yaml: no such file" in run(folder).stderr
    assert run(folder, TORCHELASTIC_RUN_ID="run").returncode == 0
