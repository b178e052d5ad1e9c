"""What the real stages show: what each does, a progress bar, what came out; everything else is in the log it names."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.conftest import FirstRun
from tests.helpers.workspace import DVC, MINUTES, Workspace, stages_run

pytestmark = pytest.mark.pipeline

OF_DVC = re.compile(
    r"Running stage |> python -m stages\.|(Updating|Generating) lock file|Use `dvc push`"
    r"|To (track|enable) |\s+(git|dvc) "
)
BAR = re.compile(r"[^|]+: +\d+%\|")
ADVICE = re.compile(r"(check|warning): ", re.IGNORECASE)


def lines_by_stage(output: str) -> dict[str, list[str]]:
    """What each stage printed, without what DVC printed and without progress bars."""
    parts = re.split(r"^Running stage '([^']+)':\n", output, flags=re.MULTILINE)[1:]
    printed = zip(parts[::2], parts[1::2], strict=True)
    return {
        stage: [line for line in text.splitlines() if line.strip() and not OF_DVC.match(line) and not BAR.match(line)]
        for stage, text in printed
    }


def test_each_stage_shows_two_lines_and_names_its_log(first_run: FirstRun) -> None:
    printed = lines_by_stage(first_run.output)
    assert list(printed) == stages_run(first_run.output)
    for stage, (purpose, *advice, outcome) in printed.items():
        name = stage.partition("@")[0]
        assert re.match(rf"{name}( \w+)?: [A-Z]", purpose), purpose
        assert [line for line in advice if not ADVICE.search(line)] == [], stage
        found = re.fullmatch(rf"{name}( \w+)?: .*, [\d,]+ s -> \S+ \(log: (\S+)\)", outcome)
        assert found, outcome
        assert (first_run.workspace.folder / found[2]).is_file()


def test_losses_and_warnings_of_libraries_are_in_the_log_alone(first_run: FirstRun) -> None:
    log = (first_run.workspace.folder / ".cache" / "logs" / "sft@negatives-qc.log").read_text(encoding="utf-8")
    assert "'loss':" in log
    assert re.search(r"'(loss|grad_norm|learning_rate|epoch)':|Warning|Writing model shards", first_run.output) is None


@pytest.mark.slow
def test_a_terminal_gets_a_bar_with_rate_and_time_left(built: Workspace, tmp_path: Path) -> None:
    workspace = built.copy(tmp_path / "repository")
    workspace.forget("sft@negatives-qi")
    text = in_terminal(workspace, *DVC, "repro", "--no-run-cache", "--single-item", "sft@negatives-qi")
    assert re.search(r"\d+%\|.*\| \d+/\d+ \[\d\d:\d\d<\d\d:\d\d, +[\d.]+( \w+/s|s/ \w+)\]", text), text
    assert "'loss'" not in text
    assert "Warning" not in text


def in_terminal(workspace: Workspace, *command: str) -> str:
    """What a command that must succeed prints to a terminal."""
    ours, its = pty.openpty()
    process = subprocess.Popen(
        command, cwd=workspace.folder, env=workspace.environment, stdin=its, stdout=its, stderr=its, close_fds=True
    )
    os.close(its)
    printed = b""
    with suppress(OSError):  # Linux raises when the last process has closed its end
        while part := os.read(ours, 65536):
            printed += part
    os.close(ours)
    assert process.wait(timeout=MINUTES) == 0, printed.decode()
    return printed.decode(encoding="utf-8", errors="replace")
