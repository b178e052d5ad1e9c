"""The options of `babelshelf score`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click

from babelshelf.commands.options import ENCODING, ESCAPE, QUOTE

CommandT = TypeVar("CommandT", bound=Callable[..., None])
FILE = click.Path(path_type=Path)
OPTIONS = (
    click.option(
        "--task", type=click.Choice(["qc", "qi"]), required=True, help="Candidates: category paths, or items."
    ),
    click.option("--column", "columns", multiple=True, metavar="ROLE=NAME", help="Of query, candidate, language, id."),
    click.option("--language", default="", metavar="CODE", help="Language of all rows, where no column says it."),
    click.option(
        "--language-map", multiple=True, metavar="VALUE=CODE,...", help="Languages of countries: us=en,uk=en."
    ),
    click.option("--keep", multiple=True, metavar="NAME", help="A further column that OUT is to have."),
    ENCODING,
    click.option("--header", default="", metavar="NAME,...", help="Names of the columns, of a file without a header."),
    ESCAPE,
    QUOTE,
    click.option("--path-separator", metavar="MARK", help="Between the levels of a path; default: found in the file."),
    click.option(
        "--max-bad-share",
        type=click.FloatRange(0, 1),
        default=0.02,
        help="Of rows that can't be scored; default: 0.02.",
    ),
    click.option("--base", type=FILE, default=Path("models/base"), help="The base models."),
    click.option("--model", type=FILE, help="Default: that of the task's recipe in params.yaml."),
    click.option("--calibrated", type=FILE, help="Default: metrics/calibrate/TASK.json."),
)


@dataclass(frozen=True)
class ScoreCommandOptions:
    """Their values, as on the command line; see `OPTIONS`."""

    task: str
    columns: tuple[str, ...]
    language: str
    language_map: tuple[str, ...]
    keep: tuple[str, ...]
    encoding: str
    header: str
    escape: str | None
    quote: str | None
    path_separator: str | None
    max_bad_share: float
    base: Path
    model: Path | None
    calibrated: Path | None


def score_options(command: CommandT) -> CommandT:
    """Add the options to a command."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command
