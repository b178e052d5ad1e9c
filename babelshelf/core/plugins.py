"""Plugins: the modules of a package, found by their name, of which a param chooses one.

A file or folder in such a package is all that a plugin needs: nothing lists it. It has

- a docstring, whose first line says in a list what the plugin is;
- `Params`, a `Section`: the plugin's own params, the subsection of its name. Without it the plugin has none;
- `SECTION`, YAML: these params at their usual values, with comments, for params.yaml to start from;
- the functions that the stage calls; the module that chooses says which.

A plugin is imported to validate its params, so it imports slow libraries inside of functions.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, TypeVar

from pydantic import create_model
from ruamel.yaml import YAML

from babelshelf.core.errors import InputError
from babelshelf.core.params import Section


@dataclass(frozen=True)
class Plugins:
    """The plugins of a package.

    Attributes:
        package: the full name of the package.
        stage: the section of params.yaml that chooses one.
        key: the param of that section that has its name.
        exclusive: whether a profile that chooses a plugin removes the sections of the others.
    """

    package: str
    stage: str
    key: str
    exclusive: bool = True

    def names(self) -> list[str]:
        """All plugins, sorted."""
        return sorted(module.name for module in pkgutil.iter_modules(importlib.import_module(self.package).__path__))

    def load(self, name: str) -> ModuleType:
        """The module of a plugin.

        Raises:
            InputError: there is none of that name; the message lists all.
        """
        if name not in self.names():
            raise InputError(f"{self.stage}.{self.key}: {self.unknown(name)}")
        return importlib.import_module(f"{self.package}.{name}")

    def unknown(self, name: str) -> str:
        """A message that there is no such plugin, with a line on each that there is."""
        return "\n".join([f"no {self.key} {name!r}; there are", *self.lines()])

    def lines(self) -> list[str]:
        """A line on each plugin, from its docstring; none is imported."""
        names = self.names()
        width = max(map(len, names))
        return [f"  {name:{width}}  {self._summary(name)}" for name in names]

    def params(self, name: str) -> type[Section] | None:
        """The model of a plugin's own params; None where it has none."""
        return getattr(self.load(name), "Params", None)

    def defaults(self, name: str) -> dict[str, Any]:
        """A plugin's own params at their usual values; empty where it has none."""
        return YAML(typ="safe", pure=True).load(getattr(self.load(name), "SECTION", "")) or {}

    def ready(self, name: str) -> str:
        """The section of a plugin as text to paste into the section of its stage."""
        return f"  {name}:\n{textwrap.indent(self.load(name).SECTION.strip(chr(10)), '    ')}"

    def missing(self, name: str) -> str:
        """A message that params.yaml lacks the section of a plugin, with the section and the command that adds it."""
        command = f"babelshelf profile {self.stage}.{name}"
        return f"missing section; add it by `{command}`, or paste under `{self.stage}:`\n{self.ready(name)}"

    def _summary(self, name: str) -> str:
        """The first line of a plugin's docstring."""
        for folder in importlib.import_module(self.package).__path__:
            for file in (Path(folder) / f"{name}.py", Path(folder) / name / "__init__.py"):
                if file.is_file():
                    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
                    return text.partition("\n")[0]
        return ""


OwnT = TypeVar("OwnT", bound=Section)


class PluginSection(Section):
    """Base of a section that chooses a plugin: it has the section of the chosen one, and may have those of others.

    Sections of others are validated too, so that a later choice finds them in order. Those that are there are fields of
    a subclass, which `fitted` makes.
    """

    plugins: ClassVar[Plugins]

    @classmethod
    def fitted(cls, values: Mapping[str, Any]) -> type[PluginSection]:
        """This model with a field for each plugin that `values` chooses or has a section of."""
        chosen = values.get(cls.plugins.key)
        fields: dict[str, Any] = {}
        for name in cls.plugins.names():
            own = cls.plugins.params(name) if name == chosen or name in values else None
            if own is not None:
                fields[name] = (own, ...)
        return create_model(cls.__name__, __base__=cls, **fields)

    @classmethod
    def is_of_all_tasks(cls, key: object) -> bool:
        """Whether a missing key belongs into the section that all tasks share: the section of a plugin does."""
        return key in cls.plugins.names()

    @classmethod
    def explain_missing(cls, path: tuple[int | str, ...]) -> str:
        """What to do about a missing key."""
        name, *keys = path
        if name not in cls.plugins.names():
            return super().explain_missing(path)
        if not keys:
            return cls.plugins.missing(str(name))
        usual: Any = cls.plugins.defaults(str(name))
        for key in keys:
            usual = usual.get(key) if isinstance(usual, dict) else None
        return super().explain_missing(path) if usual is None else f"missing key; its usual value is {usual}"

    @property
    def choice(self) -> str:
        """The name of the chosen plugin."""
        name: str = getattr(self, self.plugins.key)
        return name

    def own(self, model: type[OwnT], name: str | None = None) -> OwnT:
        """The own params of the chosen plugin, or of another whose section is there.

        Args:
            model: the plugin's `Params`.
            name: of the plugin; None: the chosen one.

        Raises:
            InputError: there is no such section.
        """
        name = name or self.choice
        section = getattr(self, name, None)
        if not isinstance(section, model):
            raise InputError(f"{self.plugins.stage}.{name}: {self.plugins.missing(name)}")
        return section


def known(plugins: Plugins, name: str) -> str:
    """For pydantic: the name of a plugin; raises ValueError if there is none of that name."""
    if name not in plugins.names():
        raise ValueError(plugins.unknown(name))
    return name
