"""One rule for all guesses about a user's file: `babelshelf init`, the stage `prepare` and `babelshelf score` share it.

A guess (of a column, a separator, an encoding, what a label means, a language, a split) carries its evidence and has
one of three outcomes:

- `SURE`: one line says what was found.
- `CHECK`: probably right; a line `check: ...` shows example rows and the option that changes it.
- `UNSURE`: an error that names the options, with examples. `babelshelf init --yes` takes the likeliest answer instead
  and prints the same text as a `check:` line. A guess without a likeliest answer (`value` is None) is a refusal: it
  stays an error.

To report guesses, collect them and call `resolve`: it returns the lines to print, or raises one error with all of the
questions. Nothing waits for input, so a run without a terminal never hangs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from babelshelf.core.errors import InputError

MAX_EXAMPLES = 2
LONGEST_EXAMPLE = 60  # characters


class Outcome(Enum):
    """How far a guess can be trusted."""

    SURE = "sure"
    CHECK = "check"
    UNSURE = "unsure"


@dataclass(frozen=True)
class Guess:
    """What was guessed, and the evidence.

    Attributes:
        subject: what the guess is about, such as `label column` or `encoding`.
        value: the likeliest answer as it is shown; "" for "there is none", None where no answer may be taken without
            the user (a refusal).
        outcome: how far it can be trusted.
        share: of all rows, those that agree with `value`, from 0 to 1.
        reason: the evidence in words; for `UNSURE`, what is unclear.
        examples: values of the file that show it; two are printed.
        option: what changes the answer, such as `--encoding NAME`; "" where nothing does.
        where: the file.
    """

    subject: str
    value: str | None
    outcome: Outcome
    share: float = 1.0
    reason: str = ""
    examples: tuple[str, ...] = ()
    option: str = ""
    where: str = ""

    @property
    def line(self) -> str:
        """The guess in one line; one that is not sure begins with `check:` and names the option."""
        if self.outcome is Outcome.SURE:
            return f"  {self.subject}: {self._answer}{self._evidence}{self._shown}"
        return f"check: {self.subject}: {self._answer}{self._evidence}{self._shown}{self._change}"

    @property
    def question(self) -> str:
        """The error message of a guess that is unsure."""
        where = f"{self.where}: " if self.where else ""
        likeliest = f"; the likeliest answer is {self.value!r}" if self.value else ""
        say = f": say {self.option}" if self.option else ""
        return f"{where}{self.subject}: {self.reason}{self._shown}{likeliest}{say}"

    @property
    def _answer(self) -> str:
        return self.value or "none"

    @property
    def _evidence(self) -> str:
        parts = [self.reason] if self.reason else []
        parts += [f"{percent(self.share)} of rows"] if self.share < 1 else []
        return f" ({', '.join(parts)})" if parts else ""

    @property
    def _shown(self) -> str:
        shown = " and ".join(repr(_shortened(example)) for example in self.examples[:MAX_EXAMPLES])
        return f"; for example {shown}" if shown else ""

    @property
    def _change(self) -> str:
        return f"; {self.option} changes it" if self.option else ""


def resolve(guesses: Iterable[Guess], *, accept: bool | None = False) -> list[str]:
    """The lines to print for some guesses, in their order.

    Args:
        guesses: of one file or several.
        accept: take the likeliest answer where a guess is unsure (`--yes`); refusals stay errors. None for a command
            that has no such option.

    Raises:
        InputError: some guesses are unsure: all of their questions, a line each.
    """
    guesses = list(guesses)
    questions = [
        guess for guess in guesses if guess.outcome is Outcome.UNSURE and not (accept and guess.value is not None)
    ]
    if questions:
        hint = ["or give --yes to take the likeliest answers"] if any(guess.value for guess in questions) else []
        refused = accept is None or any(guess.value is None for guess in questions)
        raise InputError("\n".join([*(guess.question for guess in questions), *([] if refused else hint)]))
    return [guess.line for guess in guesses]


def percent(share: float) -> str:
    """A share that is shown as 100 % or 0 % only where it is exactly that."""
    rounded = f"{share:.0%}"
    return f"{share:.2%}" if rounded in {"0%", "100%"} and 0 < share < 1 else rounded


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_EXAMPLE else text[: LONGEST_EXAMPLE - 1] + "…"
