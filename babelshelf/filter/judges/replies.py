"""What a judge's reply says: yes, no, or nothing that can be read."""

from __future__ import annotations

import json
import re
from dataclasses import astuple

from babelshelf.endpoint.reply import Reply

YES, NO, UNREADABLE, REFUSED, FAILED = ANSWERS = ("yes", "no", "unreadable", "refused", "failed")
LABELS = {YES: 1, NO: 0}

THOUGHTS = re.compile(r"<think>.*?</think>", re.DOTALL)  # of models that reason in the reply itself
ANSWER = r"(yes|no)(?![^\W_])"
FIRST = re.compile(rf"^[\W_]*(?:(?:the )?(?:final )?answer(?: is)?[\W_]+)?{ANSWER}", re.IGNORECASE)
ANY = re.compile(rf"(?<![^\W_]){ANSWER}", re.IGNORECASE)


def read_answer(reply: Reply) -> str:
    """One of `ANSWERS`, never `FAILED`.

    The reply's first line has to begin with yes or no, and must not hold the other one: "Yes or no?" is unreadable.
    Case, quotes, Markdown, a leading "Answer:" and thoughts in `<think>` do not count.
    """
    if reply.refused:
        return REFUSED
    line = THOUGHTS.sub("", reply.text).strip().partition("\n")[0]
    found = FIRST.match(line)
    if found is None or len({word.casefold() for word in ANY.findall(line)}) > 1:
        return UNREADABLE
    return found[1].casefold()


def to_text(reply: Reply) -> str:
    """The reply as the cache holds it."""
    return json.dumps(astuple(reply), ensure_ascii=False)


def from_text(text: str) -> Reply:
    """The reply of `to_text`."""
    return Reply(*json.loads(text))
