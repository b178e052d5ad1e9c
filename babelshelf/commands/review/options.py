"""The options of `babelshelf review`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click

CommandT = TypeVar("CommandT", bound=Callable[..., None])
FILE = click.Path(path_type=Path)
OPTIONS = (
    click.option("--name", metavar="NAME", help="Whose decisions; default: git's user.name."),
    click.option(
        "--queue",
        "queues",
        type=click.Choice(["flagged", "unlabelled", "disputed"]),
        multiple=True,
        help="Rows that the filter flagged (default), rows without a label, or those on which people disagree.",
    ),
    click.option(
        "--next",
        "next_rows",
        type=click.IntRange(min=1),
        metavar="N",
        help="The N flagged and unlabelled rows that matter most.",
    ),
    click.option("--agreement", is_flag=True, help="Print on what people agree, with Cohen's kappa."),
    click.option("--export", "exported", type=FILE, metavar="FILE", help="Write the rows for another tool."),
    click.option("--import", "imported", type=FILE, metavar="FILE", help="Read the decisions of another tool."),
    click.option("--format", "form", default="csv", metavar="FORMAT", help="Of FILE: csv, label-studio or argilla."),
    click.option("--port", type=click.IntRange(0, 65535), default=0, help="Of the page; default: any free one."),
    click.option("--browser/--no-browser", "open_browser", default=True, help="Whether to open the page."),
)


@dataclass(frozen=True)
class ReviewOptions:
    """Their values.

    Attributes:
        name: of the person; None for git's user.name.
        queues: which rows, of `items.QUEUES`; none: flagged ones, and with `next_rows` unlabelled ones too.
        next_rows: only so many rows of each task, those that matter most; None for all.
        agreement, exported, imported: what to do instead of serving the page.
        form: of the file that is exported or imported.
        port: of the page; 0 for any free one.
        open_browser: whether to open the page in the user's browser.
    """

    name: str | None
    queues: tuple[str, ...]
    next_rows: int | None
    agreement: bool
    exported: Path | None
    imported: Path | None
    form: str
    port: int
    open_browser: bool


def review_options(command: CommandT) -> CommandT:
    """Add the options to a command."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command
