"""Params under their old names: what they are called now, from renamed.yaml."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

TABLE = Path(__file__).with_suffix(".yaml")
LM_BACKENDS = ("transformers", "vllm")  # that had their params under translate.lm


def with_new_names(values: dict[str, Any]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Params with their new names, and each old path with its new one.

    Args:
        values: all of params.yaml; not changed.
    """
    values = deepcopy(values)
    renamed: list[tuple[str, str]] = []
    for old, new in YAML(typ="safe", pure=True).load(TABLE)["params"].items():
        for path in list(_paths(values, old.split("."))):
            if new.startswith(f"{old}.") and isinstance(_value(values, path), dict):
                continue  # a section that has the old param's name
            target = _target(path, old.split("."), new, values)
            moved = _taken(values, path)
            if new.count(".") < 2 or target[0] != "score" or target[1] == values["score"].get("backend"):
                _put(values, target, moved)
            renamed.append((".".join(path), ".".join(target)))
    return values, renamed


def _paths(values: Any, pattern: list[str]) -> Iterator[list[str]]:  # noqa: ANN401 - whatever YAML holds
    """The paths in `values` that a pattern names."""
    if not pattern:
        yield []
    elif isinstance(values, dict):
        first, *rest = pattern
        for key in list(values) if first == "*" else [first] if first in values else []:
            for path in _paths(values[key], rest):
                yield [key, *path]


def _target(path: list[str], old: list[str], new: str, values: dict[str, Any]) -> list[str]:
    stars = iter([key for key, pattern in zip(path, old, strict=True) if pattern == "*"])
    section = values.get(path[0])
    chosen = section.get("backend") if isinstance(section, dict) else None
    backend = chosen if path[0] == "score" or chosen in LM_BACKENDS else LM_BACKENDS[0]
    return [next(stars) if key == "*" else key.format(backend=backend) for key in new.split(".")]


def _value(values: Any, path: list[str]) -> Any:  # noqa: ANN401 - whatever YAML holds
    """The value at a path."""
    for key in path:
        values = values[key]
    return values


def _taken(values: dict[str, Any], path: list[str]) -> Any:  # noqa: ANN401 - whatever YAML holds
    """Take a value out."""
    parent = values
    for key in path[:-1]:
        parent = parent[key]
    return parent.pop(path[-1])


def _put(values: dict[str, Any], target: list[str], moved: Any) -> None:  # noqa: ANN401 - whatever YAML holds
    """Put a value under its new name; what is there already stays."""
    parent = values
    for key in target[:-1]:
        parent = parent.setdefault(key, {})
    if isinstance(moved, dict) and isinstance(parent.get(target[-1]), dict):
        parent[target[-1]] = moved | parent[target[-1]]
    else:
        parent.setdefault(target[-1], moved)
