"""dvc.yaml declares just the code and params that its stages use: `python -m tests.dvc_deps` prints what is right."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from tests import dvc_deps
from tests.dvc_deps import Stage

FILES = {
    "stages/train.py": """
        import importlib
        from babelshelf import fitting as library, preflight
        from babelshelf.params import load as params
        settings, seed = params.load(Model, "train", task), params.load_seed()
        names = list(params.read("params.yaml")["tasks"])
        def later():
            from babelshelf.lazy import late
        scorer = importlib.import_module(f"babelshelf.scorers.{settings.backend}")
    """,
    "babelshelf/__init__.py": '"""Nothing but a docstring."""',
    "babelshelf/fitting.py": """
        from typing import TYPE_CHECKING
        from babelshelf.prompts import load_template
        if TYPE_CHECKING:
            from babelshelf.unused import Type
        load_template(settings.template)
    """,
    "babelshelf/prompts.py": "def load_template(name): ...",
    "babelshelf/lazy.py": "late = 1",
    "babelshelf/unused.py": "import babelshelf.lazy",
    "babelshelf/params/__init__.py": "from babelshelf.errors import InputError",
    "babelshelf/params/load.py": "",
    "babelshelf/errors.py": "",
    "babelshelf/preflight.py": "import babelshelf.unused",  # refuses to begin, and that is all
    "babelshelf/scorers/fast.py": "import babelshelf.speed",
    "babelshelf/scorers/slow.py": "import babelshelf.unused",
    "babelshelf/speed.py": "",
    "babelshelf/sources/mall/__init__.py": "from babelshelf.sources.mall import stock",
    "babelshelf/sources/mall/stock.py": "",
}
PARAMS = {
    "tasks": {"qc": {"train": {"epochs": 1}}, "qi": {}},
    "train": {"template": "short"},
    "score": {"backend": "fast"},
    "prepare": {"source": "mall"},
    "translate": {"backend": "none"},
    "seed": 1,
}


def _text(source: str) -> str:
    lines = source.strip("\n").splitlines()
    indent = len(lines[0]) - len(lines[0].lstrip()) if lines else 0
    return "\n".join(line[indent:] for line in lines)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, source in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(_text(source), encoding="utf-8")
    return tmp_path


def _stage(task: str) -> Stage:
    none: frozenset[str] = frozenset()
    return Stage(f"train@{task}", "stages/train.py", task, paths=none, deps=none, outs=none, params=none)


def test_code_follows_imports_and_the_chosen_backend_only(project: Path) -> None:
    assert dvc_deps.code(_stage("qc"), PARAMS, project) == {
        "stages/train.py",
        "babelshelf/fitting.py",
        "babelshelf/prompts.py",
        "babelshelf/templates/short.txt",
        "babelshelf/lazy.py",
        "babelshelf/params/__init__.py",
        "babelshelf/params/load.py",
        "babelshelf/errors.py",
        "babelshelf/scorers/fast.py",
        "babelshelf/speed.py",
    }


def test_a_chosen_backend_is_written_by_its_param_and_a_package_as_its_folder(project: Path) -> None:
    script = project / "stages" / "train.py"
    script.write_text('import importlib\nimportlib.import_module(f"babelshelf.sources.{name}")\n', encoding="utf-8")
    found = dvc_deps.code(_stage("qc"), PARAMS, project)
    assert found == {
        "stages/train.py",
        "babelshelf/sources/mall/__init__.py",
        "babelshelf/sources/mall/stock.py",
    }
    found |= {"babelshelf/scorers/fast.py", "babelshelf/scorers/slow.py"}
    assert dvc_deps.written(found, _stage("qc"), PARAMS, project) == {
        "stages/train.py",
        "babelshelf/sources/${prepare.source}",
        "babelshelf/scorers/${score.backend}.py",
        "babelshelf/scorers/slow.py",
    }


@pytest.mark.parametrize(
    ("task", "expected"), [("qc", {"seed", "train", "tasks", "tasks.qc.train"}), ("qi", {"seed", "train", "tasks"})]
)
def test_params_read_are_the_sections_that_are_there(project: Path, task: str, expected: set[str]) -> None:
    assert dvc_deps.params_read(_stage(task), PARAMS, project) == expected


VARIANTS = dvc_deps.variants()
STAGES = {name: dvc_deps.stages(params) for name, params in VARIANTS.items()}
OF_DEFAULT = pytest.mark.parametrize("stage", STAGES["params.yaml"], ids=lambda stage: stage.name)


def _differences(declared: set[str], needed: set[str]) -> dict[str, list[str]]:
    found = {"add": sorted(needed - declared), "remove": sorted(declared - needed)}
    return {what: paths for what, paths in found.items() if paths}


@OF_DEFAULT
def test_deps_are_the_modules_that_the_stage_imports(stage: Stage) -> None:
    declared: set[str] = set()
    needed: set[str] = set()
    for name, params in VARIANTS.items():  # a profile may choose another backend: dvc.yaml has what that imports too
        for same in (other for other in STAGES[name] if other.name == stage.name):
            declared |= dvc_deps.written(same.code(), same, params)
            needed |= dvc_deps.written(dvc_deps.code(same, params), same, params)
    assert _differences(declared, needed) == {}


@pytest.mark.parametrize("profile", VARIANTS)
def test_no_profile_lacks_a_dep(profile: str) -> None:
    params = VARIANTS[profile]
    lacking = {stage.name: sorted(dvc_deps.code(stage, params) - stage.code()) for stage in STAGES[profile]}
    assert {name: paths for name, paths in lacking.items() if paths} == {}


@pytest.mark.parametrize("backend", ["transformers", "vllm", "ray"])
def test_no_backend_that_scores_lacks_a_dep(backend: str) -> None:
    """No profile has the backend `ray`."""
    params = copy.deepcopy(VARIANTS["params.yaml"])
    params["score"]["backend"] = backend
    found = [stage for stage in dvc_deps.stages(params) if stage.name.startswith(("score", "predict"))]
    lacking = {stage.name: sorted(dvc_deps.code(stage, params) - stage.code()) for stage in found}
    assert len(lacking) == 6
    assert {name: paths for name, paths in lacking.items() if paths} == {}


@OF_DEFAULT
def test_params_are_the_sections_that_the_stage_reads(stage: Stage) -> None:
    needed = dvc_deps.params_read(stage, VARIANTS["params.yaml"])
    assert _differences(set(stage.params), needed) == {}


@OF_DEFAULT
def test_every_path_of_the_command_is_declared(stage: Stage) -> None:
    assert sorted(stage.paths - stage.deps - stage.outs) == []
