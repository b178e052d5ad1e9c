"""Processes that end with the one that started them, however that ends: after SIGKILL it can't clean up.

What waits for its parent's next task would wait for ever, and keep its memory and its GPU. A process of multiprocessing
that runs code of ours watches for itself (`end_with_parent`); for those that a library starts, a guard does.
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

INTERVAL = 0.5  # seconds between two looks of a guard


def end_with_parent() -> None:
    """End this process, and those that it has started, as soon as its parent is gone; returns at once.

    To be called first of all that a process of multiprocessing does; in any other it does nothing.
    """
    if parent_process() is not None:
        Thread(target=_wait_and_end, name="end_with_parent", daemon=True).start()


def _wait_and_end() -> None:
    parent = parent_process()
    assert parent is not None  # `end_with_parent` has looked
    parent.join()
    _kill(psutil.Process().children(recursive=True))
    os.kill(os.getpid(), signal.SIGTERM if os.name == "nt" else signal.SIGKILL)  # no handler may keep it


class Guard:
    """A small process that ends all that this one has started, and itself, when this one is gone.

    To be made before what it is to end; it looks twice a second, so what was started just before may be missed.
    """

    def __init__(self) -> None:
        # -P: this file's folder has modules that are called as some of Python's own
        command = [sys.executable, "-P", __file__, str(os.getpid())]
        none = subprocess.DEVNULL
        self._process = subprocess.Popen(command, stdin=none, stdout=none, stderr=none, start_new_session=True)

    def close(self) -> None:
        """End the guard alone."""
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
