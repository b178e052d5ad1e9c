"""Partial work of a killed run: a folder named by a hash of everything the run depends on."""

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
    """Yield the path of a folder for work that must survive a kill; a killed run with the same `parts` left its files.

    The folder is not created here. It is removed when the context ends without an error, so save the outputs before
    that. Another process that needs the same folder (an experiment beside `dvc repro`) waits until then.

    Args:
        stage: name of the subfolder of `work_dir()`.
        parts: what the work depends on, see `fingerprint`; the imported modules of this package are added.
        wait: whether to wait for another process that uses the folder.

    Raises:
        InputError: another process uses the folder, and `wait` is false.
    """
    folder = work_dir() / stage / fingerprint(*code(), *parts)
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = folder.with_suffix(".lock")
    try:
        held = FileLock(lock).acquire(timeout=-1 if wait else 0)
    except Timeout as error:
        raise InputError(f"{folder}: another run is doing the same work: start again when it has ended") from error
    with held:
        yield folder
        shutil.rmtree(folder, ignore_errors=True)
        # While it is held: a process that got the lock first would hold one on a removed file, beside a third process.
        with suppress(OSError):  # Windows does not remove an open file
            lock.unlink()


def fingerprint(*parts: object) -> str:
    """Hex digest of the parts, in order: a path contributes its contents, anything else its `repr`."""
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
    """Files of the modules of this package that have been imported so far."""
    package = __name__.partition(".")[0]
    modules = [module for name, module in sys.modules.items() if name.partition(".")[0] == package]
    return sorted(Path(module.__file__) for module in modules if module.__file__)
