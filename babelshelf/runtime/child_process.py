"""End child processes when their parent dies, even by SIGKILL, after which it cannot clean up.

Orphans would wait forever for their next task and keep memory and GPUs. A multiprocessing child that runs our code
calls `end_with_parent`; a `Guard` ends those that a library starts.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from multiprocessing import parent_process
from threading import Thread

import psutil

INTERVAL = 0.5  # seconds between two checks of a guard


def end_with_parent() -> None:
    """End this process and its children as soon as its parent is gone; returns at once.

    Call it first in a multiprocessing child; in any other process it does nothing.
    """
    if parent_process() is not None:
        Thread(target=_wait_and_end, name="end_with_parent", daemon=True).start()


def _wait_and_end() -> None:
    parent = parent_process()
    assert parent is not None  # checked by `end_with_parent`
    parent.join()
    _kill(psutil.Process().children(recursive=True))
    os.kill(os.getpid(), signal.SIGTERM if os.name == "nt" else signal.SIGKILL)  # which no handler can catch


class Guard:
    """A small process that ends all children of this process, and itself, when this process is gone.

    Create it before the children. It checks twice a second, so it can miss a child started just before the end.
    """

    def __init__(self) -> None:
        # -P: modules in this file's folder would shadow those of the standard library
        command = [sys.executable, "-P", __file__, str(os.getpid())]
        none = subprocess.DEVNULL
        self._process = subprocess.Popen(command, stdin=none, stdout=none, stderr=none, start_new_session=True)

    def close(self) -> None:
        """End the guard only."""
        self._process.kill()
        self._process.wait()


def _watch(pid: int) -> None:
    watched, started = psutil.Process(pid), set[psutil.Process]()
    with suppress(psutil.NoSuchProcess):
        while watched.status() != psutil.STATUS_ZOMBIE:
            started |= set(watched.children(recursive=True))
            time.sleep(INTERVAL)
    _kill(started - {psutil.Process()})


def _kill(processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


if __name__ == "__main__":
    _watch(int(sys.argv[1]))
