"""Names for partial work: a hash of all that it was made from, so that work of other inputs is never taken up."""

from __future__ import annotations

import hashlib
from pathlib import Path


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
