"""The options of `babelshelf export`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import click

CommandT = TypeVar("CommandT", bound=Callable[..., None])
FILE = click.Path(path_type=Path)
OPTIONS = (
    click.option("--base", type=FILE, default=Path("models/base"), help="The base models."),
    click.option("--model", type=FILE, help="Default: that of the task's recipe in params.yaml."),
    click.option("--calibrated", type=FILE, help="Default: metrics/calibrate/TASK.json."),
    click.option("--evaluated", type=FILE, help="Default: metrics/evaluate/TASK.json."),
    click.option("--precision", type=click.Choice(["fp32", "bf16"]), default="fp32", help="Of an LM's weights."),
    click.option("--language", default="en", metavar="CODE", help="Of queries without one named; default: en."),
    click.option("--task", "tasks", multiple=True, type=click.Choice(["qc", "qi"]), help="Of a VARIANT; default: all."),
    click.option("--scores", type=FILE, help="Parquet with id and p_yes of a VARIANT's training rows."),
)


@dataclass(frozen=True)
class ExportOptions:
    """Their values; those of a model, then those of a training set.

    Attributes:
        base, model, calibrated, evaluated, precision, language: see `ExportedModel`; None: those of the task's recipe.
        tasks, scores: see `ExportedPairs`.
    """

    base: Path
    model: Path | None
    calibrated: Path | None
    evaluated: Path | None
    precision: Literal["fp32", "bf16"]
    language: str
    tasks: tuple[str, ...]
    scores: Path | None


def export_options(command: CommandT) -> CommandT:
    """Add the options to a command."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command
