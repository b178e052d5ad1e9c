"""What a stage shows: a line with its purpose, a progress bar if it takes long, and a line with its outcome.

Libraries print far more: dictionaries of losses, bars of written files, warnings. `captured` sends all of that to a log
file, by the descriptors of stdout and stderr, so that it includes what compiled code and child processes write. Only
`echo` and `progress` still reach the screen.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from tqdm import tqdm

INTERVAL = 30.0  # seconds between two lines of progress where the output is no terminal


@dataclass(frozen=True)
class Screen:
    """The streams of stdout and stderr as they were before the capture."""

    stdout: TextIO
    stderr: TextIO


class Lines:
    """A stream for tqdm that is no terminal: each state of the bar is a line of its own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """Write what is not blank; a bar begins with a carriage return."""
        if line := text.strip():
            self._stream.write(f"{line}\n")

    def flush(self) -> None:
        """Flush the stream."""
        self._stream.flush()


_captures: list[Screen] = []  # the screens behind the captures under way, the innermost last


@contextmanager
def captured(log: Path) -> Iterator[None]:
    """Send what this process and those that it starts print to the end of `log`, but for `echo` and `progress`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    with ExitStack() as stack:
        file = stack.enter_context(log.open("a", buffering=1, encoding="utf-8", errors="backslashreplace"))
        _captures.append(Screen(_kept(sys.stdout, 1, stack), _kept(sys.stderr, 2, stack)))
        stack.callback(_captures.pop)
        for descriptor in (1, 2):
            saved = os.dup(descriptor)
            stack.callback(os.close, saved)
            stack.callback(os.dup2, saved, descriptor)
            os.dup2(file.fileno(), descriptor)
        stack.enter_context(redirect_stdout(file))
        stack.enter_context(redirect_stderr(file))
        yield


def echo(line: str) -> None:
    """Print a line to the screen; of several processes of one training, the first one's alone."""
    if is_first():
        print(line, file=screen().stdout, flush=True)


def progress(
    iterable: Iterable[Any] | None = None, *, total: float | None = None, desc: str, unit: str, initial: int = 0
) -> tqdm[Any]:
    """A progress bar with rate and time left; without a terminal, a line each `INTERVAL` seconds.

    Args:
        iterable: whose items are counted; without one, count with `update`.
        total: units of the whole work; None for the length of the iterable, or where it is unknown.
        desc: what is done.
        unit: name of one unit, in the singular.
        initial: units that an earlier run finished.
    """
    stream = screen().stderr
    common: dict[str, Any] = {"total": total, "initial": initial, "desc": desc, "unit": f" {unit}", "leave": False}
    common["disable"] = not is_first()
    if stream.isatty():
        return tqdm(iterable, file=stream, delay=0.5, mininterval=0.5, dynamic_ncols=True, **common)
    lines: Any = Lines(stream)
    return tqdm(iterable, file=lines, delay=INTERVAL / 2, mininterval=INTERVAL, miniters=1, ncols=80, **common)


def screen() -> Screen:
    """The streams that the user sees."""
    return _captures[-1] if _captures else Screen(sys.stdout, sys.stderr)


def streams() -> tuple[TextIO | None, TextIO | None]:
    """`stdout` and `stderr` of `subprocess.Popen` for a process that prints to the screen, None without descriptors."""
    found = screen()
    try:
        found.stdout.fileno(), found.stderr.fileno()
    except OSError:
        return None, None
    return found.stdout, found.stderr


def is_first() -> bool:
    """Whether this is the first of the processes that `accelerate launch` started, or none of them."""
    return "TORCHELASTIC_RUN_ID" not in os.environ or os.environ.get("RANK", "0") == "0"


def _kept(stream: TextIO, descriptor: int, stack: ExitStack) -> TextIO:
    """A stream that still writes to where `descriptor` led; one that has no such descriptor (a test's) as it is."""
    with suppress(OSError, ValueError):  # what has no descriptor raises either
        if stream.fileno() == descriptor:
            copy = os.dup(descriptor)
            return stack.enter_context(os.fdopen(copy, "w", encoding=stream.encoding, errors=stream.errors))
    return stream
