"""The command: bring the data up to date, search each task, show what was found, and write it where the user agrees."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from babelshelf.classifier.params import ClassifierParams
from babelshelf.commands.ladder.dvc_commands import DVC, NO_DAEMON
from babelshelf.commands.tune.report import lines, write_page
from babelshelf.commands.tune.run import Result, search_recipe
from babelshelf.commands.tune.task_data import TaskFiles
from babelshelf.commands.tune.writing import proposal, write
from babelshelf.core.errors import InputError
from babelshelf.core.params import PARAMS_FILE, load, load_seed, read
from babelshelf.encoder.embedder import load_embedder

EMBEDDER = Path("models/base/embedder")
STAGES = ("prepare", "base_model@embedder")  # nothing else is read


def tune(tasks: Sequence[str], *, minutes: float, yes: bool, out: Path) -> None:
    """Search the recipes of some tasks, all by default, and write them into params.yaml.

    Args:
        tasks: qc, qi; none: those of params.yaml.
        minutes: for each task.
        yes: write without a question.
        out: folder of the page.

    Raises:
        InputError: a task is unknown, a stage fails, or there are too few rows.
    """
    params = read(PARAMS_FILE)
    unknown = [task for task in tasks if task not in params["tasks"]]
    if unknown:
        raise InputError(f"{unknown[0]}: no such task in {PARAMS_FILE}; there are {', '.join(params['tasks'])}")
    _bring_up_to_date()
    encoder = load_embedder(EMBEDDER, load(ClassifierParams, "classifier"))
    results: dict[str, Result] = {}
    for task in tasks or list(params["tasks"]):
        results[task] = search_recipe(task, TaskFiles.of(task), params, encoder, minutes=minutes, seed=load_seed())
        for line in lines(task, results[task]):
            click.echo(line)
        click.echo("")
    click.echo(f"{write_page(results, out)}: all options, all metrics and the picture of window and share")
    offer(results, yes=yes)


def _bring_up_to_date() -> None:
    """Run the stages whose outputs are read, where they are out of date."""
    click.echo(f"dvc repro {' '.join(STAGES)} ...")
    done = subprocess.run(
        [*DVC, "repro", *STAGES], env={**os.environ, **NO_DAEMON}, capture_output=True, encoding="utf-8", check=False
    )
    if done.returncode:
        raise InputError(f"dvc repro {' '.join(STAGES)} failed:\n{done.stdout.strip()}\n{done.stderr.strip()}")


def offer(results: dict[str, Result], *, yes: bool) -> None:
    """Write the recommended params, if the user agrees."""
    values = proposal(results)
    click.echo(f"\nfor {PARAMS_FILE}:")
    for path, (value, reason) in values.items():
        click.echo(f"  {'.'.join(path)}: {value} # {reason}")
    if not yes and not sys.stdin.isatty():
        click.echo(f"{PARAMS_FILE} was not changed: there is no terminal to ask on; --yes writes these values")
        return
    if not yes and not click.confirm(f"write them into {PARAMS_FILE}?"):
        click.echo(f"{PARAMS_FILE} was not changed")
        return
    changes = write(values)
    click.echo(f"{PARAMS_FILE}: {len(changes)} values changed; next: make repro")
