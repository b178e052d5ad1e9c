"""dvc.yaml declares what its stages read: the packages that a script imports, and every path of its command.

DVC does not follow imports. The code deps of a stage are its script, and the packages of `babelshelf/` in the import
closure of the script. A package in `NOT_DEPS` decides whether a stage begins and when it ends, not what it writes.
"""

from __future__ import annotations

import ast
import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
IMPLIED = {"models/base"}  # by the model that is scored with: which of its folders are read depends on the method
NO_SECTION = {"final", "summarize"}
ONLY_BY_TASK = {"filter"}  # sections that have nothing for all tasks
NOT_DEPS = {"commands", "preflight", "runtime"}
STAGES: dict[str, Any] = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
OF_STAGE = pytest.mark.parametrize("name", STAGES)


def _stage(name: str) -> dict[str, Any]:
    stage: dict[str, Any] = STAGES[name]
    return stage.get("do", stage)


def _paths(entries: list[Any]) -> set[str]:
    return {entry if isinstance(entry, str) else next(iter(entry)) for entry in entries}


@cache
def _imported(file: Path) -> frozenset[str]:
    """Packages of babelshelf that a module imports, but for what only type checkers see."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    typing_only = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    found = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and id(node) not in typing_only]
    names = [f"{node.module}.{alias.name}" for node in found for alias in node.names]
    return frozenset(name.split(".")[1] for name in names if name.startswith("babelshelf."))


def closure(script: Path, root: Path = ROOT) -> set[str]:
    """Packages that `script` needs; of a package all modules count, its backends and sources included."""
    found: set[str] = set()
    todo = set(_imported(script))
    while todo := todo - found - NOT_DEPS:
        found |= todo
        modules = [file for package in todo for file in (root / "babelshelf" / package).rglob("*.py")]
        todo = {package for file in modules for package in _imported(file)}
    return found


@OF_STAGE
def test_code_deps_are_the_packages_in_the_import_closure(name: str) -> None:
    code = {dep for dep in _paths(_stage(name)["deps"]) if dep.startswith(("babelshelf/", "stages/"))}
    assert code == {f"stages/{name}.py", *(f"babelshelf/{package}" for package in closure(ROOT / f"stages/{name}.py"))}


@OF_STAGE
def test_every_path_of_the_command_is_a_dep_or_an_out(name: str) -> None:
    stage = _stage(name)
    declared = _paths([*stage["deps"], *stage.get("outs", []), *stage.get("metrics", []), *stage.get("plots", [])])
    command = stage["cmd"].replace("${prepare.input}", "${prepare.input.qc} ${prepare.input.qi}")
    paths = {word for word in shlex.split(command) if "/" in word or re.fullmatch(r"\$\{[\w.]+\}", word)}
    assert {path for path in paths if path not in declared} - IMPLIED - {
        "${key}",
        "${item}",
        "${item.task}",
        "${item.variant}",
        "${item.filter_on}",
        "${item.train_on}",
    } == set()


def _calls(name: str, function: str) -> list[list[ast.expr]]:
    """The arguments of each call of a function in the script of a stage."""
    tree = ast.parse((ROOT / f"stages/{name}.py").read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [call.args for call in calls if isinstance(call.func, ast.Name) and call.func.id == function]


@OF_STAGE
def test_the_params_that_the_script_loads_are_declared(name: str) -> None:
    declared = _stage(name)["params"]
    assert "threads" in declared
    assert ("seed" in declared) == bool(_calls(name, "load_seed"))
    loaded = _calls(name, "load")
    assert loaded or name in NO_SECTION
    for arguments in loaded:
        section = ast.literal_eval(arguments[1])
        assert any(key == section or key.startswith(f"{section}.") for key in declared) or section in ONLY_BY_TASK
        of_task = [key for key in declared if re.fullmatch(rf"tasks\.\$\{{[\w.]+\}}\.{section}", key)]
        assert bool(of_task) == (len(arguments) == 3)


def test_only_the_stages_that_score_read_the_base_through_their_model() -> None:
    scoring = {name for name, stage in STAGES.items() if "--base models/base " in _stage(name)["cmd"] + " "}
    assert scoring == {"score", "score_train", "predict", "predict_final", "distill"}
    for name in scoring:
        assert any(path.startswith("models/${item.") for path in _paths(_stage(name)["deps"]))
    trainers = {"sft": "models/base/lm", "dpo": "models/base/lm", "classifier": "models/base/embedder"}
    for name, base in trainers.items():
        assert base in _paths(_stage(name)["deps"])
