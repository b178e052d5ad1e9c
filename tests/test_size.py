"""Limits of size, and names of classes: a reader should find one thing in one place."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
MODULES = sorted(file for folder in ("babelshelf", "stages") for file in (ROOT / folder).rglob("*.py"))
FIRST_STAGES = 14  # of which dvc.yaml had 300 lines


def _lines(file: Path) -> int:
    return len(file.read_text(encoding="utf-8").splitlines())


def test_no_module_is_longer_than_300_lines() -> None:
    assert {str(file.relative_to(ROOT)) for file in MODULES if _lines(file) > 300} == set()


def test_dvc_yaml_has_at_most_20_lines_for_each_further_stage() -> None:
    stages = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
    assert _lines(ROOT / "dvc.yaml") <= 300 + 20 * (len(stages) - FIRST_STAGES)


def test_no_two_classes_have_one_name() -> None:
    """Except `Params`, which each backend and source has."""
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in MODULES]
    names = Counter(node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    assert {name for name, count in names.items() if count > 1} <= {"Params"}
