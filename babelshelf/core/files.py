"""Atomic writing: files get a temporary name first and are renamed when they are complete."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT_VARIABLE = "BABELSHELF_ROOT"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` for the caller to write, and rename it to `path` on success.

    The caller may write a file or a folder. On an error it is removed, and `path` is left unchanged.

    Raises:
        FileNotFoundError: the caller wrote nothing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        if not temporary.exists():
            raise FileNotFoundError(f"nothing was written to {temporary}")
        if path.is_dir():
            shutil.rmtree(path)
        temporary.replace(path)
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary)
        else:
            temporary.unlink(missing_ok=True)


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write `value` as indented JSON, with floats rounded to six digits to keep diffs of metrics readable."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(_rounded(value), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object."""
    value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return value


def repository_root() -> Path:
    """The main repository, also for a stage that runs in a clone of it.

    `babelshelf ladder` runs stages in a clone and names the main repository in `BABELSHELF_ROOT`; `DVC_ROOT`, which DVC
    sets in stages, is then the clone.
    """
    return Path(os.environ.get(ROOT_VARIABLE) or os.environ.get("DVC_ROOT", "."))


def work_dir() -> Path:
    """Where a stage keeps what it must not lose when it is killed: `.cache` of the main repository.

    DVC deletes a stage's outs when it starts, and experiments run in clones that are deleted, so neither can hold it.
    """
    return repository_root() / ".cache"


def _rounded(value: Any) -> Any:  # noqa: ANN401 - JSON is recursive
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value
