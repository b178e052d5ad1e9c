"""Files of other tools: their JSON lists, and decisions from what they say in words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from babelshelf.core.errors import InputError
from babelshelf.tables.reviews import PAIR, VOTES, Decision, now

WAS = {"1": 1, "0": 0}


def decision_of(texts: Mapping[str, Any], answer: Any, was: Any, at: Any, where: str) -> Decision:  # noqa: ANN401 - JSON
    """A decision.

    Args:
        texts: `language`, `query` and `candidate`.
        answer: yes, no or unsure.
        was: the label that the row had, 0 or 1; anything else is none.
        at: ISO 8601, UTC if it names no zone; None: now.
        where: place in the file, for errors.

    Raises:
        InputError: a text is missing, or the answer or the time is none.
    """
    said = str(answer).strip().lower()
    if said not in VOTES:
        raise InputError(f"{where}: the decision is {answer!r}: write yes, no or unsure")
    try:
        decided = {"label": VOTES[said], "was": WAS.get(str(was)), "at": _time(at)}
        return Decision.model_validate({name: texts.get(name) for name in PAIR} | decided)
    except (ValidationError, ValueError) as error:
        raise InputError(f"{where}: no decision on a pair: {_first(error)}") from error


def _time(text: str | None) -> datetime:
    if text is None:
        return now()
    time = datetime.fromisoformat(text)
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)


def _first(error: ValueError) -> str:
    if isinstance(error, ValidationError):
        problem = error.errors()[0]
        return f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
    return str(error)


def objects(file: Path, key: str, *, advice: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of a JSON list, each with its place for messages.

    Args:
        file: the list.
        key: of another object, which each of them has.
        advice: how the file is to be written.

    Raises:
        InputError: the file is not such a list.
    """
    try:
        entries = json.loads(file.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise InputError(f"{file}: not JSON ({error}): {advice}") from error
    for number, entry in enumerate(entries if isinstance(entries, list) else [None], 1):
        where = f"{file}, entry {number}"
        if not isinstance(entry, dict) or not isinstance(entry.get(key), dict):
            raise InputError(f"{where}: no object with `{key}`: {advice}")
        yield where, entry
