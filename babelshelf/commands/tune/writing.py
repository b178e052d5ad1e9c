"""Write what a search chose into params.yaml, each value with its reason; the user's comments stay."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml.comments import CommentedMap

from babelshelf.calibrate.params import AUTO
from babelshelf.commands import profile
from babelshelf.commands.profile import Change
from babelshelf.commands.tune.calibrations import evident
from babelshelf.commands.tune.gains import StepGain, points
from babelshelf.commands.tune.recipe import Recipe
from babelshelf.commands.tune.run import Result
from babelshelf.core.params import PARAMS_FILE

MARK = "tune: "  # before a reason; an earlier one is replaced
VARIANTS = {"translation": "translated", "negatives": "negatives", "filter": "filtered"}
READS = {"negatives": "negatives_on", "filter": "filter_on"}
_OLD = re.compile(rf"(?: \| |# ?){re.escape(MARK)}.*$")

KeyPath = tuple[str, ...]


class Value(NamedTuple):
    """A value for params.yaml, and why."""

    value: Any
    reason: str


def recipe_params(recipe: Recipe) -> dict[str, Any]:
    """What the recipe's steps read and what the final model trains on, for `tasks.<task>`."""
    params: dict[str, Any] = {}
    variant = "original"
    for option in recipe:
        if option.step in READS:
            params[READS[option.step]] = variant
        variant = VARIANTS[option.step]
    return {"train_on": variant, **params}


def proposal(results: Mapping[str, Result]) -> dict[KeyPath, Value]:
    """The values that the results ask for, by their paths in params.yaml."""
    values: dict[KeyPath, Value] = {}
    for task, result in results.items():
        gains = {gain.name: gain for gain in result.gains}
        recipe = result.recommended
        for name, variant in recipe_params(recipe).items():
            values["tasks", task, name] = Value(variant, _recipe_reason(recipe, gains))
        for option in recipe:
            for path, value in result.steps[option.step].params(option).items():
                where = "" if path[0] == "tasks" else f"{task}: "
                values[path] = Value(value, where + reason(gains[option.step]))
    return values | _calibration(results)


def reason(gain: StepGain) -> str:
    """Gain and interval of a step, in points of average precision."""
    parts = [f"{points(gain.overall['average_precision'])} AP"]
    if gain.absent:
        parts.append(f"{points(gain.absent['average_precision'])} in absent languages")
    return ", ".join(parts)


def write(values: Mapping[KeyPath, Value], params: Path = PARAMS_FILE) -> list[Change]:
    """Write the values with their reasons into `params`; what changed.

    Raises:
        InputError: the result would not be valid; `params` stays as it was.
    """
    file = profile.round_trip(params)
    overlay: dict[str, Any] = {}
    for path, value in values.items():
        place = overlay
        for name in path[:-1]:
            place = place.setdefault(name, {})
        place[path[-1]] = value.value
    changes = profile.merge(file, profile.commented(overlay))
    for path, value in values.items():
        _comment(file, path, MARK + value.reason)
    profile.write_checked(params, file, f"{params} with what tune chose")
    return changes


def _calibration(results: Mapping[str, Result]) -> dict[KeyPath, Value]:
    """The method of `calibrate` by which every task gains, which is one param for all; `auto` where they differ."""
    best = {task: evident(result.calibrations) for task, result in results.items()}
    chosen = {task: gain for task, gain in best.items() if gain is not None}
    if len(chosen) < len(results):
        return {}
    methods = {calibration.method for calibration in chosen.values()}
    reasons = [f"{task}: {one.method} {points(one.gain)} F1" for task, one in chosen.items()]
    return {("calibrate", "method"): Value(methods.pop() if len(methods) == 1 else AUTO, ", ".join(reasons))}


def _recipe_reason(recipe: Recipe, gains: Mapping[str, StepGain]) -> str:
    if not recipe:
        return "no step by itself showed a gain"
    average_precision = {name: gain.overall["average_precision"] for name, gain in gains.items()}
    return "; ".join(f"{option.step} {points(average_precision[option.step])} AP" for option in recipe)


def _comment(values: CommentedMap, path: tuple[str, ...], text: str) -> None:
    """Put `text` behind a key's own comment, in place of what an earlier run wrote there.

    A key of a mapping in one line has no line of its own: the comment goes to the mapping's line.
    """
    parent, key = values, path[0]
    for name in path[1:]:
        if not isinstance(parent[key], CommentedMap) or parent[key].fa.flow_style():
            break
        parent, key = parent[key], name
    tokens = parent.ca.items.get(key)
    token = tokens[2] if tokens and len(tokens) > 2 else None
    if token is None:
        parent.yaml_add_eol_comment(text, key)
        return
    first, newline, rest = token.value.partition("\n")
    old = _OLD.sub("", first).rstrip()
    token.value = f"{old} | {text}{newline}{rest}" if old.strip("# ") else f"# {text}{newline}{rest}"
