"""Profiles: overlays of params.yaml, applied in place so that its comments stay: `babelshelf profile NAME`.

`profiles/nano.yaml` is params.yaml as the repository comes with it; the others hold what they change. What an overlay
chooses by a name (a source, a backend) gets the section of its usual values, where params.yaml has none.
`babelshelf profile translate.vllm` chooses and adds just that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from babelshelf.calibrate.params import METHODS
from babelshelf.commands.check import check
from babelshelf.core.errors import InputError
from babelshelf.core.files import replacing
from babelshelf.core.params import PARAMS_FILE, read
from babelshelf.core.plugins import Plugins
from babelshelf.distill.params import STUDENTS
from babelshelf.prepare.params import SOURCES
from babelshelf.prepare.sources.mixed.params import patched
from babelshelf.score.params import BACKENDS as SCORERS
from babelshelf.translate.params import BACKENDS as TRANSLATORS

PROFILES = Path("profiles")
WHOLE = "nano"  # the profile that has every section
PLUGINS = (SOURCES, TRANSLATORS, SCORERS, METHODS, STUDENTS)


class Change(NamedTuple):
    """A key that an overlay changed: its path, and its values as text, `(none)` where there is no such key."""

    path: str
    old: str
    new: str


def apply(name: str, params: Path = PARAMS_FILE, profiles: Path = PROFILES) -> list[Change]:
    """Apply `<profiles>/<name>.yaml` to `params`; what changed.

    Of a task that params.yaml has not, what a profile of models says is left out: the data decide which tasks there
    are, and `init`, `taxonomy` or `esci` may come before. A profile of data brings the task back, with nano's values.

    Raises:
        InputError: there is no such profile, or the result would not be valid, as when the profile has a key that
            params.yaml does not know; `params` stays as it was.
    """
    profile = profiles / f"{name}.yaml"
    if not profile.is_file():
        known = ", ".join(sorted(file.stem for file in profiles.glob("*.yaml")))
        raise InputError(f"no profile {name!r}; there are {known or '(none)'}")
    changed = round_trip(profile)
    absent = set(changed.get("tasks", {})) - set(round_trip(params)["tasks"])
    if name == WHOLE:
        for recipe in changed["tasks"].values():
            recipe["filter"].setdefault("judges", None)  # the one section that may be missing: remove it
    has_source = "source" in changed.get("prepare", {})
    for task in sorted(absent):
        if not has_source:
            del changed["tasks"][task]
        elif changed["tasks"][task] is not None:  # the source has a task again that an earlier one had not
            whole = round_trip(profiles / f"{WHOLE}.yaml")["tasks"][task]
            merge(whole, changed["tasks"][task])
            changed["tasks"][task] = whole
    return overlay(changed, str(profile), params)


def choose(name: str, params: Path = PARAMS_FILE) -> list[Change]:
    """Choose a plugin, such as `translate.vllm`, and add its section to `params`; what changed.

    Raises:
        InputError: there is none of that name, or the result would not be valid; `params` stays as it was.
    """
    stage, _, plugin = name.partition(".")
    plugins = next((plugins for plugins in PLUGINS if plugins.stage == stage), None)
    if plugins is None:
        raise InputError(f"no profile {name!r}; a dot goes after {', '.join(plugins.stage for plugins in PLUGINS)}")
    plugins.load(plugin)
    return overlay(CommentedMap({stage: CommentedMap({plugins.key: plugin})}), name, params)


def known(profiles: Path = PROFILES) -> list[str]:
    """A line on each profile, and on each plugin that can be chosen."""
    lines = ["profiles:", *(f"  {file.stem}" for file in sorted(profiles.glob("*.yaml")))]
    for plugins in PLUGINS:
        lines += [f"{plugins.stage}.{plugins.key}:", *plugins.lines()]
    return lines


def overlay(changed: CommentedMap, name: str, params: Path = PARAMS_FILE) -> list[Change]:
    """Merge `changed`, which messages call `name`, into `params`; what changed. Raises InputError as `apply` does."""
    values = round_trip(params)
    changed = _with_held_out(changed, values)
    changes = [change for plugins in PLUGINS for change in with_sections(values, changed, plugins)]
    changes += merge(values, changed)
    if changes:
        write_checked(params, values, f"{params} with {name}")
    return changes


def commented(value: Any) -> Any:  # noqa: ANN401 - whatever YAML holds
    """Plain values as an overlay, lists in one line."""
    if isinstance(value, dict):
        return CommentedMap({key: commented(item) for key, item in value.items()})
    if isinstance(value, list):
        items = CommentedSeq([commented(item) for item in value])
        items.fa.set_flow_style()
        return items
    return value


def round_trip(file: Path) -> CommentedMap:
    """The file with its comments and styles; raise InputError if it is not a YAML mapping."""
    read(file)  # its errors say what is wrong with the file
    values: CommentedMap = _yaml().load(file)
    return values


def dump(values: CommentedMap, file: Path) -> None:
    """Write what `round_trip` read, with its comments and styles."""
    _yaml().dump(values, file)


def merge(values: CommentedMap, overlay: CommentedMap, prefix: str = "") -> list[Change]:
    """Merge `overlay` into `values` as a JSON merge patch (RFC 7396): mappings by key, null deletes, all else replaces.

    Returns:
        The changed keys, in the overlay's order; `prefix` is put before their paths.
    """
    changes: list[Change] = []
    for key, new in overlay.items():
        old = values.get(key)
        if isinstance(old, CommentedMap) and isinstance(new, CommentedMap):
            changes += merge(old, new, f"{prefix}{key}.")
            _close_up(values, key)
        elif old != new:
            changes.append(Change(f"{prefix}{key}", _shown(old), _shown(new)))
            if new is None:
                del values[key]
            else:
                if isinstance(new, CommentedMap) and not new.fa.flow_style():
                    values.fa.set_block_style()  # a section of several lines does not fit into braces
                values[key] = new
                _close_up(values, key)
    return changes


def with_sections(values: CommentedMap, overlay: Mapping[str, Any], plugins: Plugins) -> list[Change]:
    """Give `values` the section of each plugin that `overlay` chooses, at its usual values.

    The sections of others are removed, if the plugins are `exclusive`.
    """
    section, changed = values.get(plugins.stage), overlay.get(plugins.stage)
    if not isinstance(section, CommentedMap) or not isinstance(changed, Mapping) or plugins.key not in changed:
        return []
    chosen = [name for name in [changed[plugins.key], *_parts(changed)] if name in plugins.names()]
    changes = []
    for name in dict.fromkeys(chosen):
        if name not in section and plugins.params(name) is not None:
            ready = _yaml().load(plugins.load(name).SECTION)
            section.insert(list(section).index(plugins.key) + 1, name, ready)
            changes.append(Change(f"{plugins.stage}.{name}", "(none)", _shown(ready)))
    others = [name for name in section if name in plugins.names() and name not in chosen] if plugins.exclusive else []
    for name in others:
        changes.append(Change(f"{plugins.stage}.{name}", _shown(section.pop(name)), "(none)"))
    return changes


def _with_held_out(changed: CommentedMap, values: CommentedMap) -> CommentedMap:
    """An overlay that translates does so into the languages that are kept out of train, too.

    They stand in for languages without labels: dev and test can show what translation gains in these alone.
    """
    languages = (changed.get("translate") or {}).get("languages")
    prepare = patched(values.get("prepare") or {}, changed.get("prepare") or {})
    split = (prepare.get(prepare.get("source")) or {}).get("split") or {}
    further = [code for code in split.get("holdout_languages") or [] if code not in (languages or [])]
    if not languages or not further:
        return changed
    changed = deepcopy(changed)
    changed["translate"]["languages"].extend(further)
    return changed


def _parts(changed: Mapping[str, Any]) -> list[str]:
    """The sources of the parts of `mixed`, where that is chosen."""
    mixed = changed.get("mixed")
    parts = mixed.get("parts") if isinstance(mixed, Mapping) and changed.get("source") == "mixed" else None
    return [str(part.get("source")) for part in parts if isinstance(part, Mapping)] if isinstance(parts, list) else []


def _yaml() -> YAML:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096  # never fold a long line
    return yaml


def _close_up(values: CommentedMap, key: str) -> None:
    """Keep a comment one space behind its value: it would stay in its column, away from a shorter one."""
    comment = values.ca.items.get(key, [None] * 3)[2]
    if comment is not None and not comment.value.startswith("\n"):
        comment.column = 0


def write_checked(params: Path, values: CommentedMap, name: str) -> None:
    """Write `values` into `params` if they are valid; raise InputError, which calls them `name`, if they are not."""
    with replacing(params) as temporary:
        dump(values, temporary)
        temporary.write_text(_spaced(temporary.read_text(encoding="utf-8")), encoding="utf-8")
        try:
            check(temporary)
        except InputError as error:
            raise InputError(error.message.replace(str(temporary), name)) from error


def _spaced(text: str) -> str:
    """One blank line before each section, and none in it: blank lines go with the keys that they follow."""
    return re.sub(r"\n+(?=[a-z_]+:(?: #.*)?\n )", "\n\n", re.sub(r"\n\n+(?= )", "\n", text))


def _shown(value: Any) -> str:  # noqa: ANN401 - whatever YAML holds
    return "(none)" if value is None else json.dumps(value, ensure_ascii=False)
