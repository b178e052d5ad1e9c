"""The versions of Python and the packages that a model was made with, kept beside it: `versions.json`.

Two builds of one version of torch, such as `2.13.0+cpu` and `2.13.0+cu130`, count as one, so that the file has the same
bytes in both environments.
"""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path

from babelshelf.core.files import write_json

VERSIONS = "versions.json"
PACKAGES = ("torch", "transformers", "tokenizers", "trl", "peft")


def write_versions(folder: Path, packages: tuple[str, ...] = PACKAGES) -> None:
    """Write the versions of Python and of `packages`, without the tags of their builds, into a model's folder."""
    versions = {package: version(package).partition("+")[0] for package in packages}
    write_json(folder / VERSIONS, {"python": platform.python_version()} | versions)
