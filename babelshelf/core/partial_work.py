"""Partial work: a folder for a run, named by all that the run depends on, so that other work is never taken up."""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from babelshelf.core.errors import InputError
from babelshelf.core.files import work_dir


@contextmanager
def partial_work(stage: str, *parts: object, wait: bool = True) -> Iterator[Path]:
    """A folder for what a run must not lose when it is killed; not made, and where a killed run left one, that one.

    It is removed when the caller leaves without an error: leave when the outputs are saved. Another process that
    wants the same folder (an experiment beside `dvc repro`) waits until then.

    Args:
        stage: a folder of `work_dir()`.
        parts: what the work depends on, see `fingerprint`; this package's code, as far as it is imported, is added.
        wait: for another process that has the folder.

    Raises:
        InputError: another process has the folder, and this one is not to wait.
    """
    folder = work_dir() / stage / fingerprint(*code(), *parts)
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = folder.with_suffix(".lock")
    try:
        held = FileLock(lock).acquire(timeout=-1 if wait else 0)
    except Timeout as error:
        raise InputError(f"{folder}: another run does this very work: start again when it has ended") from error
    with held:
        yield folder
        shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):  # on Windows, one that another process waits for
        lock.unlink()


def fingerprint(*parts: object) -> str:
    """Hex digest of the parts in their order: of a file or folder its contents, of anything else its `repr`."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        if isinstance(part, Path):
            _add_path(digest, part)
        else:
            digest.update(repr(part).encode())
        digest.update(b"\0")
    return digest.hexdigest()


def _add_path(digest: hashlib.blake2b, path: Path) -> None:
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            digest.update(file.relative_to(path).as_posix().encode())
            with file.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "blake2b").digest())


def code() -> list[Path]:
    """Files of this package's modules that are imported so far."""
    package = __name__.partition(".")[0]
    modules = [module for name, module in sys.modules.items() if name.partition(".")[0] == package]
    return sorted(Path(module.__file__) for module in modules if module.__file__)
