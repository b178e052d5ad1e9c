"""Which model `babelshelf score` takes where none is named: that of the task's recipe."""

from __future__ import annotations

from pathlib import Path

import click

from babelshelf.core.params import PARAMS_FILE, read


def final_model(task: str) -> Path:
    """The folder of the final model of a task's recipe, as in dvc.yaml; an error where params.yaml lacks the task."""
    recipe = read(PARAMS_FILE).get("tasks", {}).get(task)
    if recipe is None:
        raise click.BadParameter(f"{PARAMS_FILE} has no tasks.{task}: give --model, or another --task")
    return Path("models", recipe["method"], recipe["train_on"], task)
