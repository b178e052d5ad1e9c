"""The options of `babelshelf try`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click

CommandT = TypeVar("CommandT", bound=Callable[..., None])
FOLDER = click.Path(path_type=Path)
OPTIONS = (
    click.argument("task", type=click.Choice(["qc", "qi"])),
    click.option(
        "--model", "models", multiple=True, type=FOLDER, help="Or two, to compare them; default: the final one."
    ),
    click.option("--calibrated", multiple=True, type=FOLDER, help="Their metrics of calibrate, in the same order."),
    click.option("--port", type=click.IntRange(0, 65535), default=0, help="Of 127.0.0.1; default: any free one."),
    click.option("--browser/--no-browser", "open_browser", default=True, help="Open the page in the browser."),
)


@dataclass(frozen=True)
class TryOptions:
    """Their values.

    Attributes:
        task: `qc` or `qi`.
        models: folders; empty: the final model of the task's recipe.
        calibrated: metrics of `calibrate`, of the models in their order; may be fewer.
        port, open_browser: see `babelshelf.web.server.serve`.
    """

    task: str
    models: tuple[Path, ...] = ()
    calibrated: tuple[Path, ...] = ()
    port: int = 0
    open_browser: bool = True


def try_options(command: CommandT) -> CommandT:
    """Add the options to a command."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command
