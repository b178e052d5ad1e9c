"""What the judges of the filter need and this machine lacks: the client's package, and the keys of the services."""

from __future__ import annotations

import os
from collections.abc import Iterator

from babelshelf.filter.params import JudgesParams
from babelshelf.preflight.machine import Machine

INSTALL = "pip install -e '.[openai]'"


def lacking(judges: JudgesParams, path: str, machine: Machine) -> Iterator[str]:
    """A line on each thing that is missing; `path` is that of the judges in params.yaml."""
    if not machine.has("openai"):
        yield f"{path}: judges need a package: {INSTALL}"
    for name, judge in judges.panel.items():
        if judge.key_variable and not os.environ.get(judge.key_variable):
            yield f"{path}.panel.{name}.key_env: set {judge.key_variable} to the key of {judge.base_url}, or write none"
