"""The params of `prepare`: the source of the data, its input, and the source's own section.

A source is a plugin (`babelshelf.core.plugins`), a module of `babelshelf.prepare.sources`. It has

- `TASKS`: the tasks that it can have rows of; where its `Params` have `tasks`, they say which of them it has;
- `read(inputs, params, seed) -> Marketplace`;
- `read_pairs(inputs, params) -> Pairs`, where it has labelled pairs and can be a part of the source `mixed`.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field

from babelshelf.core.params import PARAMS_FILE, Section
from babelshelf.core.plugins import Plugins, PluginSection, known

SOURCES = Plugins("babelshelf.prepare.sources", "prepare", "source")


class InputParams(Section):
    """A file or folder for each task: the same path twice where one holds both, or where there is but one task."""

    qc: str = Field(min_length=1)
    qi: str = Field(min_length=1)


class PrepareParams(PluginSection):
    """The source, its input, and its own section."""

    plugins: ClassVar[Plugins] = SOURCES
    source: Annotated[str, AfterValidator(partial(known, SOURCES))]
    input: InputParams  # a fixed key, as dvc.yaml has it as a dep

    def chosen(self, file: Path = PARAMS_FILE) -> Any:  # noqa: ANN401 - each source has its own
        """What `read` of the source takes: the section of its name, or what its function `resolve` makes of all.

        Raises:
            InputError: `resolve` refuses them; the message calls the params `file`.
        """
        module = SOURCES.load(self.source)
        if hasattr(module, "resolve"):
            return module.resolve(self, file)
        return getattr(self, self.source, None)

    def tasks(self) -> list[str]:
        """The tasks that the source has rows of."""
        own = getattr(self, self.source, None)
        return list(getattr(own, "tasks", SOURCES.load(self.source).TASKS))
