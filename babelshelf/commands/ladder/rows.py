"""The rows of ladder.yaml: their schema, and the experiments that they stand for.

babelshelf ladder              # all rows; `babelshelf ladder sft translation` runs these two
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Annotated, Any, NamedTuple

from pydantic import Field, ValidationError, ValidationInfo, field_validator

from babelshelf.commands.check import check_values
from babelshelf.core.errors import InputError
from babelshelf.core.params import PARAMS_FILE, Section, read

KNOWN_TASKS = ("qc", "qi")  # one that params.yaml leaves out is left out of the ladder, too

NAME = re.compile(r"[A-Za-z0-9]+(-[A-Za-z0-9]+)*")


class LadderRow(Section):
    """A recipe, the tasks that it tests, and the row that its gain is measured against.

    Attributes:
        name: name of its experiment.
        title: title in tables.
        tasks: tasks that it is reported for.
        after: by task, the earlier row that the gain is measured against; in the file also one name for all of `tasks`.
            A task without one has no gain.
        set: values of params.yaml by dotted path.
        published: F1 on dev in per cent, by task (arXiv 2510.21671, Table 2).
        seeds: one experiment for each; several give a mean and a standard deviation.
        note: a sentence for the report, such as why a row does not gain.
    """

    name: str
    title: str = Field(min_length=1)
    tasks: list[str] = Field(min_length=1)
    after: dict[str, str] = Field(default_factory=dict)
    set: dict[str, Any]
    published: dict[str, Annotated[float, Field(ge=0, le=100)]] = Field(default_factory=dict)
    seeds: list[Annotated[int, Field(ge=0)]] = Field(min_length=1)
    note: str = ""

    @field_validator("name")
    @classmethod
    def _valid_name(cls, name: str) -> str:
        if not NAME.fullmatch(name):
            raise ValueError("expected letters and digits, with single hyphens between them")
        if seed := re.search(r"-seed[0-9]+$", name):
            raise ValueError(f"a name must not end in {seed[0]}: experiments of other seeds do")
        return name

    @field_validator("tasks", "seeds")
    @classmethod
    def _unique(cls, values: list[Any]) -> list[Any]:
        if len(values) != len(dict.fromkeys(values)):
            raise ValueError("each value may be given once")
        return values

    @field_validator("tasks")
    @classmethod
    def _known_tasks(cls, tasks: list[str]) -> list[str]:
        unknown = [task for task in tasks if task not in KNOWN_TASKS]
        if unknown:
            raise ValueError(f"there is no task {unknown[0]!r}, only {', '.join(KNOWN_TASKS)}")
        return tasks

    @field_validator("after", mode="before")
    @classmethod
    def _by_task(cls, after: object, info: ValidationInfo) -> object:
        return dict.fromkeys(info.data.get("tasks", []), after) if isinstance(after, str) else after

    @field_validator("after", "published")
    @classmethod
    def _tasks_of_row(cls, by_task: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        tasks = info.data.get("tasks", KNOWN_TASKS)
        others = [task for task in by_task if task not in tasks]
        if others:
            raise ValueError(f"{others[0]!r} is not among the row's tasks")
        return by_task


class _Ladder(Section):
    rows: list[LadderRow] = Field(min_length=1)


class Experiment(NamedTuple):
    """A run of the pipeline: a row with a seed, and the params to set, by dotted path."""

    name: str
    row: LadderRow
    seed: int
    params: dict[str, Any]


def read_ladder(params: Mapping[str, Any], file: Path) -> list[LadderRow]:
    """The rows of `file`, without the tasks that `params` (all of params.yaml) does not have.

    Raises:
        InputError: a key is unknown or missing, a value is wrong, a name is used twice, `after` names no earlier row of
            that task, or the params with those of a row are not valid; one line for each, with the row and the key.
    """
    rows = _validated(read(file), file).rows
    problems = [*_name_problems(rows), *_after_problems(rows)]
    rows = [_of_tasks(row, params["tasks"]) for row in rows if any(task in params["tasks"] for task in row.tasks)]
    problems += [problem for row in rows for problem in _param_problems(row, params)]
    if problems:
        raise InputError("\n".join(f"{file}: {problem}" for problem in problems))
    return rows


def select(rows: Sequence[LadderRow], names: Iterable[str]) -> list[LadderRow]:
    """The rows of these names, in the ladder's order; all rows if there are no names.

    Raises:
        InputError: there is no such row.
    """
    selected = list(names)
    all_names = [row.name for row in rows]
    unknown = [name for name in selected if name not in all_names]
    if unknown:
        raise InputError(f"the ladder has no row {unknown[0]!r}; there are {', '.join(all_names)}")
    return [row for row in rows if not selected or row.name in selected]


def experiments(rows: Iterable[LadderRow], default_seed: int, seeds: Sequence[int] = ()) -> list[Experiment]:
    """The experiments of the rows: one for each of `seeds`, or for each of the row's own seeds if `seeds` is empty."""
    return [
        Experiment(experiment_name(row.name, seed, default_seed), row, seed, {"seed": seed, **row.set})
        for row in rows
        for seed in seeds or row.seeds
    ]


def experiment_name(row: str, seed: int, default_seed: int) -> str:
    """The row's name, followed by the seed if it is not that of params.yaml."""
    return row if seed == default_seed else f"{row}-seed{seed}"


def in_percent(values: Sequence[float], sign: str = "-") -> str:
    """The mean in per cent, with the standard deviation (of a sample) if there are several values; a dash for none."""
    if not values:
        return "–"
    deviation = f" ± {100 * stdev(values):.1f}" if len(values) > 1 else ""
    return f"{100 * fmean(values):{sign}.1f}{deviation}"


def _validated(values: dict[str, Any], file: Path) -> _Ladder:
    try:
        return _Ladder.model_validate(values)
    except ValidationError as error:
        raise InputError("\n".join(f"{file}: {_line(problem, values)}" for problem in error.errors())) from error


def _line(problem: Any, values: dict[str, Any]) -> str:  # noqa: ANN401 - pydantic's ErrorDetails
    loc = problem["loc"]
    where = ".".join(map(str, loc))
    if len(loc) > 1:
        row = values["rows"][loc[1]]
        name = row.get("name") if isinstance(row, dict) else None
        where = f"row {loc[1] + 1 if name is None else repr(name)}: {'.'.join(map(str, loc[2:]))}".removesuffix(": ")
    if problem["type"] == "extra_forbidden":
        return f"{where}: unknown key; remove it or correct its spelling"
    if problem["type"] == "missing":
        return f"{where}: missing key; docs/ladder.md explains the keys of a row"
    return f"{where}: {problem['msg'].removeprefix('Value error, ')}, found {problem['input']!r}"


def _name_problems(rows: Sequence[LadderRow]) -> list[str]:
    names = [row.name for row in rows]
    return [f"row {name!r}: name: an earlier row has it" for i, name in enumerate(names) if name in names[:i]]


def _after_problems(rows: Sequence[LadderRow]) -> list[str]:
    earlier: dict[str, LadderRow] = {}
    problems = []
    for row in rows:
        for task, name in row.after.items():
            of_task = [other.name for other in earlier.values() if task in other.tasks]
            if name not in of_task:
                expected = f"an earlier row of {task}: {', '.join(of_task) or '(none; leave `after` out)'}"
                problems.append(f"row {row.name!r}: after.{task}: expected {expected}; found {name!r}")
        earlier[row.name] = row
    return problems


def _of_tasks(row: LadderRow, tasks: Iterable[str]) -> LadderRow:
    others = tuple(f"tasks.{task}." for task in KNOWN_TASKS if task not in tasks)
    return row.model_copy(
        update={
            "tasks": [task for task in row.tasks if task in tasks],
            "after": {task: name for task, name in row.after.items() if task in tasks},
            "set": {path: value for path, value in row.set.items() if not path.startswith(others)},
            "published": {task: f1 for task, f1 in row.published.items() if task in tasks},
        }
    )


def _param_problems(row: LadderRow, params: Mapping[str, Any]) -> list[str]:
    problems = [
        f"row {row.name!r}: set.{path}: {problem}" for path in row.set if (problem := _path_problem(path, params))
    ]
    if problems:
        return problems
    try:
        check_values(with_values(params, row.set), PARAMS_FILE)
    except InputError as error:
        return [f"row {row.name!r}: set: {line.removeprefix(f'{PARAMS_FILE}: ')}" for line in error.message.split("\n")]
    return []


def _path_problem(path: str, params: Mapping[str, Any]) -> str | None:
    """Why a row can't set `path`; None if it can."""
    if path == "seed":
        return "give the seeds of a row as `seeds`"
    value: Any = params
    for depth, key in enumerate(path.split(".")):
        if not isinstance(value, Mapping) or key not in value:
            known = ", ".join(value) if isinstance(value, Mapping) else "no keys"
            parent = ".".join(path.split(".")[:depth]) or PARAMS_FILE
            return f"{PARAMS_FILE} has no such param; {parent} has {known}"
        value = value[key]
    if isinstance(value, Mapping):
        return f"is a section of {PARAMS_FILE}; set its keys one by one: {', '.join(f'{path}.{key}' for key in value)}"
    return None


def with_values(params: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of `params` with `values` by dotted path."""
    result = dict(params)
    for path, value in values.items():
        key, _, rest = path.partition(".")
        result[key] = with_values(result[key], {rest: value}) if rest else value
    return result


def flat(params: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """All values of `params` by dotted path, each path behind `prefix`."""
    for key, value in params.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
