"""The stages that an experiment needs, as `dvc status` and dvc.lock list them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from babelshelf.core.params import PARAMS_FILE


@dataclass(frozen=True)
class Stage:
    """Paths that a stage reads and writes; those outside of the repository are absolute."""

    deps: frozenset[str]
    outs: frozenset[str]


@dataclass(frozen=True)
class Recipe:
    """The stages that the target needs with the params of an experiment, by name."""

    stages: Mapping[str, Stage]

    def inputs(self) -> list[str]:
        """Paths that the stages read and none of them writes."""
        outs = [out for stage in self.stages.values() for out in stage.outs]
        deps = {dep for stage in self.stages.values() for dep in stage.deps}
        return sorted(dep for dep in deps if not any(overlap(dep, out) for out in outs))


def recipe_of_status(status: Mapping[str, Any], folder: Path, clones: Path) -> Recipe:
    """The recipe, from `dvc status --json` in a repository without dvc.lock: there, all deps and outs are listed.

    Files with the suffix .dvc are left out: what they track is an input of the stages that read it.

    Args:
        status: as DVC gives it.
        folder: of the clone in which it was called. DVC gives a path outside of it as an absolute one.
        clones: a folder around it; paths in it become relative ones again, as ../pairs.csv of dvc.yaml.
    """

    def paths(changes: Iterable[Any], kind: str) -> frozenset[str]:
        named = {path for change in changes if isinstance(change, Mapping) for path in change.get(kind, {})}
        return frozenset(os.path.relpath(path, folder) if Path(path).is_relative_to(clones) else path for path in named)

    return Recipe(
        {
            name: Stage(paths(changes, "changed deps") - {str(PARAMS_FILE)}, paths(changes, "changed outs"))
            for name, changes in status.items()
            if not name.endswith(".dvc")
        }
    )


def recipe_of_lock(stages: Mapping[str, Any]) -> Recipe:
    """The recipe, from the entries of dvc.lock."""
    return Recipe(
        {
            name: Stage(*(frozenset(item["path"] for item in stage.get(kind, [])) for kind in ("deps", "outs")))
            for name, stage in stages.items()
        }
    )


def is_unchanged(recipe: Recipe, status: Mapping[str, Any]) -> bool:
    """Whether nothing has changed since dvc.lock was written, and DVC's cache has all outputs.

    Args:
        recipe: that of dvc.lock.
        status: of `dvc status --json` where dvc.lock and metrics are those of `recipe`, and no cached output is
            checked out. DVC says "deleted" of an output that only the cache has, "not in cache" if the cache lacks it.
    """
    outs = [out for stage in recipe.stages.values() for out in stage.outs]

    def is_checked_in(stage: Stage, change: object) -> bool:
        if not isinstance(change, Mapping):  # "changed command"
            return False
        deps, changed_outs = (change.get(f"changed {kind}", {}) for kind in ("deps", "outs"))
        states = {*map(str, deps.values()), *map(str, changed_outs.values())}
        are_outs = all(path in stage.deps and any(overlap(path, out) for out in outs) for path in deps)
        return states == {"deleted"} and are_outs and set(changed_outs) <= stage.outs

    return all(
        name.endswith(".dvc")
        or (name in recipe.stages and all(is_checked_in(recipe.stages[name], change) for change in changes))
        for name, changes in status.items()
    )


def has_outputs(entry: Mapping[str, Any], folder: Path, cache: Path) -> bool:
    """Whether all outputs of a stage are in git or in DVC's cache.

    Args:
        entry: of the stage, in dvc.lock.
        folder: of the repository; git has the outputs that it holds, the metrics.
        cache: DVC's, whose files are named by their MD5 hash.
    """
    missing = [out["md5"] for out in entry.get("outs", []) if not (folder / out["path"]).exists()]
    return all((cache / "files" / "md5" / name[:2] / name[2:]).exists() for name in missing)


def overlap(one: str, other: str) -> bool:
    """Whether two paths are the same, or one lies in the other."""
    return Path(one).is_relative_to(other) or Path(other).is_relative_to(one)
