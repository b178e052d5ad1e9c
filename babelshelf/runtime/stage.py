"""What all stage scripts share around their work: checks before it, what the screen shows, time and memory after it.

The `main` of a script is decorated with `stage`, whose name is that of the script. None of this changes what the stage
writes, so `babelshelf/runtime` is no dep in dvc.yaml.
"""

from __future__ import annotations

import functools
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ParamSpec

from babelshelf.core.errors import InputError
from babelshelf.core.files import work_dir
from babelshelf.runtime import full_disk, screen
from babelshelf.runtime.stage_log import log_resources

P = ParamSpec("P")

# The stages that may need a GPU, packages, memory or room that this machine lacks.
CHECKED = {"base_model", "translate", "filter", "sft", "dpo", "distill"}
CHECKED |= {"score", "score_train", "predict", "predict_final"}

READ = ("train", "pairs", "dev", "test", "unlabelled")  # options that name a table of rows


def stage(name: str, *, writes: str) -> Callable[[Callable[P, str]], Callable[P, None]]:
    """Decorate the `main` of a stage script, which returns what came out, such as `300 rows, loss 0.31`.

    The screen gets the first line of the script's docstring, the progress bars, and what came out; everything else that
    is printed goes to `log_file()`. Errors are shown in full.

    Args:
        name: of the stage and its script.
        writes: the option of `main` that holds the path of the stage's output.
    """

    def decorate(main: Callable[P, str]) -> Callable[P, None]:
        @functools.wraps(main)
        def run(*args: P.args, **kwargs: P.kwargs) -> None:
            label = " ".join(filter(None, [name, _item(kwargs)]))
            log, start = log_file(name, kwargs), time.monotonic()
            if is_launched():
                with screen.captured(log), full_disk.explained():
                    main(*args, **kwargs)
                return
            screen.echo(f"{label}: {_purpose(main)}")
            log.unlink(missing_ok=True)
            try:
                with screen.captured(log), full_disk.explained():
                    _prepare(name, kwargs)
                    outcome = main(*args, **kwargs)
            except InputError:
                raise
            except Exception:
                print(f"{label}: failed; what it printed before is in {log}", file=sys.stderr)
                raise
            log_resources()
            seconds = f"{time.monotonic() - start:,.0f} s"
            screen.echo(f"{label}: {outcome}, {seconds} -> {kwargs[writes]} (log: {log})")

        return run

    return decorate


def log_file(name: str, options: Mapping[str, Any]) -> Path:
    """Where what a stage prints is kept: `.cache/logs/<stage>.log`, with the experiment's name before it in one."""
    of_dvc = os.environ.get("DVC_STAGE", "@".join(filter(None, [name, _item(options)])))
    parts = [os.environ.get("DVC_EXP_NAME"), of_dvc]
    file = work_dir() / "logs" / f"{'-'.join(filter(None, parts))}.log"
    return file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file  # DVC_ROOT is absolute


def is_launched() -> bool:
    """Whether `accelerate launch` started this process: the stage that did has checked, and will log."""
    return "TORCHELASTIC_RUN_ID" in os.environ  # as torch.distributed.is_torchelastic_launched, without torch


def _prepare(name: str, options: Mapping[str, Any]) -> None:
    """Choose the GPU before anything asks for GPUs, then refuse to begin what this machine can't do."""
    if name not in CHECKED:
        return
    from babelshelf.preflight import requirements  # noqa: PLC0415 - light stages need none of it
    from babelshelf.trainer import accelerate_config  # noqa: PLC0415

    if "accelerate" in options:
        accelerate_config.choose_gpu(options["accelerate"])
    files = [options[option] for option in READ if option in options]
    requirements.require(name, _item(options), options.get("accelerate"), files)


def _item(options: Mapping[str, Any]) -> str | None:
    """What DVC writes behind the stage's name: the task, or for `base_model` which model."""
    item: str | None = options.get("task") or options.get("which")
    return item


def _purpose(main: Callable[..., object]) -> str:
    return (sys.modules[main.__module__].__doc__ or "").partition("\n")[0]
