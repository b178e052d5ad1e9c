"""A process of multiprocessing that ends with the one that started it, however that ends: SIGKILL lets none clean up.

What waits for its parent's next task would wait for ever, and keep its memory and its GPU.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from multiprocessing import parent_process
from threading import Thread

import psutil


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
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            child.kill()
    os.kill(os.getpid(), signal.SIGTERM if os.name == "nt" else signal.SIGKILL)  # no handler may keep it
