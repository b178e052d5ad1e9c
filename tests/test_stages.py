"""What all stage scripts have in common."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

STAGES = sorted(file.stem for file in (Path(__file__).parents[1] / "stages").glob("[!_]*.py"))


@pytest.mark.parametrize("stage", STAGES)
def test_help_shows_the_command_on_a_line_of_its_own(root: Path, stage: str) -> None:
    """Click folds a paragraph unless it follows a backspace character, which a raw docstring would not have."""
    module = ast.parse((root / "stages" / f"{stage}.py").read_text(encoding="utf-8"))
    lines = (ast.get_docstring(module, clean=False) or "").splitlines()
    assert lines[1:3] == ["", "\b"]
    assert lines[3].startswith(f"    python -m stages.{stage} ")


@pytest.mark.parametrize("name", STAGES)
def test_main_is_decorated_with_its_own_name_and_an_option_for_its_output(root: Path, name: str) -> None:
    module = ast.parse((root / "stages" / f"{name}.py").read_text(encoding="utf-8"))
    main = next(node for node in module.body if isinstance(node, ast.FunctionDef) and node.name == "main")
    decorator = main.decorator_list[-1]  # the innermost: click calls what it returns
    assert isinstance(decorator, ast.Call)
    assert ast.unparse(decorator.func) == "stage"
    assert [ast.literal_eval(argument) for argument in decorator.args] == [name]
    writes = {keyword.arg: ast.literal_eval(keyword.value) for keyword in decorator.keywords}["writes"]
    assert writes in {argument.arg for argument in main.args.kwonlyargs}
