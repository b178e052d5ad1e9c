"""The one error that a user can mend: bad input, bad params, a missing file."""

from __future__ import annotations

import click


class InputError(click.ClickException):
    """Something that the user gave is wrong; the message names the file, the row and the mend.

    A `click.ClickException`, so that every command line prints it as one line and exits with 1, without a traceback.
    """


def first_line(error: BaseException) -> str:
    """What another library's error says, in one line; the name of its type where it says nothing."""
    return next(iter(str(error).splitlines()), type(error).__name__)
