"""What the steps of `babelshelf tune` are made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from babelshelf.commands.tune.task_data import SearchData
from babelshelf.core.params import PARAMS_FILE, Section, section

SectionT = TypeVar("SectionT", bound=Section)


@dataclass(frozen=True)
class Context:
    """The rows, the params, and what a step may cost.

    Attributes:
        data: the labelled rows.
        params: all of params.yaml.
        languages: that are left out in some split, or that train lacks.
        text_budget: number of new texts that a step may have embedded.
        seed: the pipeline's.
        cache: folder of the stages' work caches.
    """

    data: SearchData
    params: Mapping[str, Any]
    languages: Sequence[str]
    text_budget: int
    seed: int
    cache: Path

    def section(self, model: type[SectionT], stage: str) -> SectionT:
        """The params of a stage for the task."""
        return section(model, dict(self.params), stage, self.data.task, PARAMS_FILE)
