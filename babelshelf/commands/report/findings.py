"""The runs that the report is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from babelshelf.commands.ladder.comparison import Settings, Step
from babelshelf.commands.ladder.runs import Run


@dataclass(frozen=True)
class NamedRun:
    """A run with its name on the page."""

    name: str
    run: Run


@dataclass(frozen=True)
class Findings:
    """The data of all sections.

    Attributes:
        steps: the ladder by task; empty where there is none.
        shown: the run whose details are shown, by task: the last row that was run, or the workspace if none was.
        base: the first row that was run, by task, if that is another one.
        workspace: the run in the working tree; None if there is none.
        settings: of the intervals.
    """

    steps: Mapping[str, Sequence[Step]]
    shown: Mapping[str, NamedRun]
    base: Mapping[str, NamedRun]
    workspace: Run | None
    settings: Settings

    def compared(self, task: str) -> list[NamedRun]:
        """The base, if any, and the run that is shown."""
        return [*([self.base[task]] if task in self.base else []), self.shown[task]]

    def source(self, task: str, variant: str) -> NamedRun | None:
        """The last run whose recipe makes a variant of the training set."""
        runs = [
            NamedRun(step.row.name, run) for step in self.steps.get(task, []) for run in list(step.runs.values())[:1]
        ]
        if self.workspace is not None:
            runs.insert(0, NamedRun(self.workspace.name, self.workspace))
        fitting = [named for named in runs if variant in named.run.variants(task)]
        return fitting[-1] if fitting else None
