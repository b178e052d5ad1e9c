"""The params that the repository comes with, alone and with each profile on them; a user's params.yaml is not read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from babelshelf.commands import profile

PROFILES = Path(__file__).parents[2] / "profiles"
NANO = PROFILES / "nano.yaml"  # params.yaml as the repository comes with it


def variants() -> dict[str, Any]:
    """Params by profile: `nano.yaml`, and each other profile on top of it."""
    found: dict[str, Any] = {NANO.name: profile.round_trip(NANO)}
    for file in sorted(PROFILES.glob("*.yaml")):
        if file != NANO:
            found[file.name] = with_overlay(profile.round_trip(file))
    return found


def with_overlay(overlay: Any) -> Any:  # noqa: ANN401 - whatever YAML holds
    """`nano.yaml` with an overlay, as `babelshelf profile` would apply it."""
    values = profile.round_trip(NANO)
    for plugins in profile.PLUGINS:
        profile.with_sections(values, overlay, plugins)
    profile.merge(values, overlay)
    return values


def dump(values: Any, file: Path) -> None:  # noqa: ANN401 - whatever YAML holds
    """Write params as YAML."""
    YAML().dump(values, file)
