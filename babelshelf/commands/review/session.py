"""One person's decisions on a list of items: what is decided, what comes next, and undo."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from babelshelf.commands.review.items import ReviewItem
from babelshelf.core.errors import InputError
from babelshelf.core.files import work_dir
from babelshelf.tables.reviews import Decision, Undo, append_line, now, read_person

Pair = tuple[str, str, str]


@dataclass(frozen=True)
class Saved:
    """A line that is on the disk.

    Attributes:
        item: what it is about.
        label: the decision; None for unsure.
        is_undo: whether the line took a decision back.
        at: when.
    """

    item: ReviewItem
    label: int | None
    is_undo: bool
    at: datetime


class PersonsFile:
    """The file of one person and task; see `opened`.

    Args:
        file: `reviews/<task>/<name>.jsonl`.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._decisions = read_person(file)

    def get(self, pair: Pair) -> Decision | None:
        """The person's decision on a pair."""
        return self._decisions.get(pair)

    def decide(self, decision: Decision) -> None:
        """Add a decision; when this returns, it is on the disk."""
        append_line(self._file, decision)
        self._decisions.pop(decision.key, None)
        self._decisions[decision.key] = decision

    def undo(self, pair: Pair) -> None:
        """Take the last decision on a pair back; when this returns, that is on the disk."""
        language, query, candidate = pair
        append_line(self._file, Undo(language=language, query=query, candidate=candidate, undo=True, at=now()))
        self._decisions = read_person(self._file)  # an earlier decision on the pair counts again


@contextmanager
def opened(reviews: Path, task: str, name: str) -> Iterator[PersonsFile]:
    """The file of a person and task, which no other process writes meanwhile.

    Raises:
        InputError: another process has it open, or a line is wrong.
    """
    file = reviews / task / f"{name}.jsonl"
    lock = work_dir() / "review" / f"{task}-{name}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(lock, timeout=0):
            yield PersonsFile(file)
    except Timeout as error:
        raise InputError(f"{file}: another `babelshelf review` has it open: end that one, or give --name") from error


class ReviewSession:
    """The items that a person goes through, in order; those that are decided already are skipped.

    Args:
        items: in the order in which they are shown.
        files: the person's file by task.
    """

    def __init__(self, items: Sequence[ReviewItem], files: Mapping[str, PersonsFile]) -> None:
        self.items = list(items)
        self.shown = self.items  # those of the filter
        self._files = files
        decided = [(decision.at, item) for item in items if (decision := self.decision(item)) is not None]
        self._history = [item for _, item in sorted(decided, key=lambda pair: pair[0])]
        self._returned: ReviewItem | None = None

    def narrow(self, wanted: Callable[[ReviewItem], bool]) -> None:
        """Show only those items from now on."""
        self.shown = [item for item in self.items if wanted(item)]
        self._returned = None

    @property
    def current(self) -> ReviewItem | None:
        """The item to decide on; None where all are decided."""
        return self._returned or next((item for item in self.shown if self.decision(item) is None), None)

    @property
    def decided(self) -> int:
        """How many of the shown items are decided."""
        return sum(self.decision(item) is not None for item in self.shown)

    def decision(self, item: ReviewItem) -> Decision | None:
        """The person's decision on an item."""
        return self._files[item.task].get(item.pair)

    def decide(self, label: int | None) -> Saved | None:
        """Save a decision on the current item; None where there is no current one."""
        item = self.current
        if item is None:
            return None
        language, query, candidate = item.pair
        decision = Decision(language=language, query=query, candidate=candidate, label=label, was=item.label, at=now())
        self._files[item.task].decide(decision)
        self._returned = None
        self._history.append(item)
        return Saved(item, label, is_undo=False, at=decision.at)

    def undo(self) -> Saved | None:
        """Take back the decision that was made last, and return to its item; None where there is none."""
        while self._history:
            item = self._history[-1]
            decision = self.decision(item)  # None: taken back in another tab
            if decision is not None:
                self._files[item.task].undo(item.pair)
            self._history.pop()
            if decision is not None:
                self._returned = item
                return Saved(item, decision.label, is_undo=True, at=now())
        return None
