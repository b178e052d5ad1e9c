"""The error for wrong input: bad data, bad params, a missing file."""

from __future__ import annotations

import click


class InputError(click.ClickException):
    """Raised when the user's input is wrong; the message names the file and the row, and says how to fix it.

    It is a `click.ClickException`, so every command prints it without a traceback and exits with 1.
    """


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or the name of its type if the message is empty."""
    return next(iter(str(error).splitlines()), type(error).__name__)
