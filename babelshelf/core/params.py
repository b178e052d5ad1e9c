"""Read and validate one section of params.yaml.

A stage's params are the section of its name and, where tasks differ, `tasks.<task>.<stage>`; the two together must
give each field of the section's model exactly once. Nothing is defaulted here or in a model.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from babelshelf.core.errors import InputError

PARAMS_FILE = Path("params.yaml")


class Section(BaseModel):
    """Base of every section's model: unknown keys, missing keys and wrong types are errors, values are not changed."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @classmethod
    def fitted(cls, values: Mapping[str, Any]) -> type[Section]:
        """The model that validates `values`: this one, or a subclass with fields for what `values` chooses."""
        return cls

    @classmethod
    def is_of_all_tasks(cls, key: object) -> bool:
        """Whether a missing key belongs into the section that all tasks share."""
        return False

    @classmethod
    def explain_missing(cls, path: tuple[int | str, ...]) -> str:
        """What to do about a missing key."""
        return "missing key; profiles/nano.yaml has its usual value"


SectionT = TypeVar("SectionT", bound=Section)


def load(model: type[SectionT], stage: str, task: str | None = None, file: Path = PARAMS_FILE) -> SectionT:
    """Validated params of `stage` (for `task`, where given).

    Raises:
        InputError: the file is missing or not YAML, the task is unknown, or a key is unknown, missing, given twice
            or of a wrong type or range; the message has the key's path.
    """
    return section(model, read(file), stage, task, file)


def load_seed(file: Path = PARAMS_FILE) -> int:
    """The one seed of the pipeline."""
    seed = read(file).get("seed")
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise InputError(f"{file}: seed: expected an integer >= 0, found {seed!r}")
    return seed


def load_threads(file: Path = PARAMS_FILE) -> int:
    """The number of threads of each stage."""
    threads = read(file).get("threads")
    if not isinstance(threads, int) or isinstance(threads, bool) or threads < 1:
        raise InputError(f"{file}: threads: expected an integer >= 1, found {threads!r}")
    return threads


def read(file: Path) -> dict[str, Any]:
    """The whole file as plain dicts."""
    if not file.is_file():
        raise InputError(f"{file}: no such file; run from the repository's root")
    try:
        value = YAML(typ="safe", pure=True).load(file)
    except YAMLError as error:
        raise InputError(f"{file}: not valid YAML: {error}") from error
    if not isinstance(value, dict):
        raise InputError(f"{file}: expected a mapping of sections")
    return value


def section(
    model: type[SectionT], values: dict[str, Any], stage: str, task: str | None, file: Path = PARAMS_FILE
) -> SectionT:
    """Like `load`, from values that are already read."""
    shared = _mapping(values.get(stage, {}), stage, file)
    own: dict[str, Any] = {}
    if task is not None:
        tasks = _mapping(values.get("tasks", {}), "tasks", file)
        if task not in tasks:
            raise InputError(f"{file}: tasks.{task}: missing; the tasks are {', '.join(tasks) or '(none)'}")
        of_task = _mapping(tasks[task], f"tasks.{task}", file)
        own = _mapping(of_task.get(stage, {}), f"tasks.{task}.{stage}", file)
    twice = sorted(shared.keys() & own.keys())
    if twice:
        raise InputError(f"{file}: {stage}.{twice[0]} is given again as tasks.{task}.{stage}.{twice[0]}: keep one")
    own_path = stage if task is None else f"tasks.{task}.{stage}"
    fitted = model.fitted(shared | own)
    try:
        return cast("SectionT", fitted.model_validate(shared | own))
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            key = problem["loc"][0] if problem["loc"] else None
            is_shared = key in shared or fitted.is_of_all_tasks(key)
            lines.append(_line(problem, stage if is_shared else own_path, fitted))
        raise InputError("\n".join(f"{file}: {line}" for line in lines)) from error


def _mapping(value: Any, path: str, file: Path) -> dict[str, Any]:  # noqa: ANN401 - whatever YAML holds
    if not isinstance(value, dict):
        raise InputError(f"{file}: {path}: expected a mapping, found {value!r}")
    return value


def _line(problem: Any, path: str, model: type[Section]) -> str:  # noqa: ANN401 - pydantic's ErrorDetails
    where = ".".join([path, *map(str, problem["loc"])])
    if problem["type"] == "extra_forbidden":
        return f"{where}: unknown key; remove it or correct its spelling"
    if problem["type"] == "missing":
        return f"{where}: {model.explain_missing(problem['loc'])}"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{where}: {message}" if "\n" in message else f"{where}: {message}, found {problem['input']!r}"
