"""A process of multiprocessing, and what it has started, ends with its parent, also where that is killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest

from babelshelf.runtime.child_process import INTERVAL, Guard

ROOT = Path(__file__).parents[2]

SLEEPER = """
import subprocess, sys, time
from multiprocessing import get_context
from babelshelf.runtime.child_process import end_with_parent

def child(answer):
    end_with_parent()
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    answer.send("started")
    time.sleep(600)

if __name__ == "__main__":
    here, there = get_context("spawn").Pipe()
    get_context("spawn").Process(target=child, args=(there,)).start()
    print(here.recv(), flush=True)
    time.sleep(600)
"""


GUARDED = """
import subprocess, sys, time
from babelshelf.runtime.child_process import Guard

guard = Guard()
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
time.sleep(3)
print("started", flush=True)
time.sleep(600)
"""


def assert_none_outlives(script: str, *arguments: object, at_least: int, path: Path = ROOT) -> None:
    """Run a script until it prints a line, kill it by SIGKILL, and see all that it had started end.

    Args:
        script: its text.
        arguments: its own.
        at_least: processes that it must have started by then.
        path: a folder of modules that come before all others.
    """
    with TemporaryDirectory() as folder:
        file = Path(folder) / "script.py"  # multiprocessing's "spawn" reads it again
        file.write_text(script, encoding="utf-8")
        environment = os.environ | {"PYTHONPATH": f"{path}{os.pathsep}{ROOT}"}
        command = [sys.executable, str(file), *map(str, arguments)]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            printed = process.stdout.readline()
            started = psutil.Process(process.pid).children(recursive=True)
            process.kill()
        assert printed, "it failed"
        assert len(started) >= at_least
        assert not _left(started)


def _left(processes: list[psutil.Process]) -> list[list[str]]:
    """Commands of those that do not end by themselves; they are killed."""
    _gone, alive = psutil.wait_procs(processes, timeout=20)
    left = [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]
    commands = [process.cmdline() for process in left]
    for process in left:
        process.kill()
    return commands


@pytest.mark.slow
def test_a_child_and_its_own_end_with_a_parent_that_is_killed() -> None:
    assert_none_outlives(SLEEPER, at_least=3)  # multiprocessing's resource tracker is one


@pytest.mark.slow
def test_what_a_library_has_started_ends_by_the_guard_of_one_that_is_killed() -> None:
    assert_none_outlives(GUARDED, at_least=2)


@pytest.mark.slow
def test_a_guard_that_is_closed_ends_nothing_else() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as other:
        guard = Guard()
        time.sleep(3 * INTERVAL)
        assert guard._process.poll() is None
        guard.close()
        assert other.poll() is None
        other.kill()
