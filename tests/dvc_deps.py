"""What each stage of dvc.yaml depends on in this repository's own code, by static analysis of its imports.

    python -m tests.dvc_deps     # prints the deps and params that each stage should declare, to be put into dvc.yaml

DVC does not follow imports, so dvc.yaml lists the modules that a stage uses. A module that is missing there gives stale
results, one too many gives needless training. Counted are imports at any place in a module, except for those under
`if TYPE_CHECKING:`; of backends, which are loaded by name, only the one that the params choose, with what it imports; a
package's `__init__.py` only where it holds code. `WRITE_NOTHING` is not counted. dvc.yaml must be right for params.yaml
and for every profile.
"""

from __future__ import annotations

import ast
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from dvc.repo import Repo
from ruamel.yaml import YAML

from babelshelf import profiles

ROOT = Path(__file__).parents[1]
PROJECT = ("babelshelf", "stages")
LOADER = "babelshelf.params.load"

# Packages of backends, and the param that names the module, or the package in it, to load.
BACKENDS = {
    "babelshelf.sources": "prepare.source",
    "babelshelf.translators": "translate.backend",
    "babelshelf.scorers": "score.backend",
}

# They decide whether a stage begins and when a process ends, never what is written: a change in one of them, or in what
# it alone imports, reruns nothing.
WRITE_NOTHING = {"babelshelf/preflight.py", "babelshelf/child_process.py"}

Params = dict[str, Any]


@dataclass(frozen=True)
class Stage:
    """One resolved stage of dvc.yaml.

    Attributes:
        name: as `dvc repro` takes it, e.g. `translate@qc`.
        script: the stage's script, relative to the root.
        task: the first argument of the script, where it takes one.
        paths: paths on its command line.
        deps, outs: declared paths; outs are with metrics and plots.
        params: declared keys of params.yaml.
    """

    name: str
    script: str
    task: str | None
    paths: frozenset[str]
    deps: frozenset[str]
    outs: frozenset[str]
    params: frozenset[str]

    def code(self, root: Path = ROOT) -> set[str]:
        """The declared deps that are this repository's code; of a folder, its modules."""
        paths = {dep for dep in self.deps if dep.split("/")[0] in PROJECT}
        folders = {path for path in paths if (root / path).is_dir()}
        return paths - folders | {
            str(file.relative_to(root)) for path in folders for file in (root / path).rglob("*.py")
        }


def variants(root: Path = ROOT) -> dict[str, Params]:
    """Params by the name of their file: params.yaml as it is, and with each profile on it."""
    found: dict[str, Params] = {"params.yaml": profiles.round_trip(root / "params.yaml")}
    for profile in sorted((root / "profiles").glob("*.yaml")):
        params = profiles.round_trip(root / "params.yaml")
        profiles.merge(params, profiles.round_trip(profile))
        found[profile.name] = params
    return found


def stages(params: Params, root: Path = ROOT) -> list[Stage]:
    """All stages of `root`'s dvc.yaml, resolved with `params` by DVC itself."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / ".dvc").mkdir()
        (folder / ".dvc" / "config").write_text("[core]\n    no_scm = True\n", encoding="utf-8")
        shutil.copy(root / "dvc.yaml", folder)
        YAML().dump(params, folder / "params.yaml")
        with Repo(folder) as repo:
            return [_stage(stage) for stage in repo.index.stages]


def code(stage: Stage, params: Params, root: Path = ROOT) -> set[str]:
    """Files of the project that `stage` needs, its script included, relative to `root`.

    Raises:
        FileNotFoundError: the script, or the backend that `params` choose, is not there.
    """
    found: set[str] = set()
    todo = [stage.script]
    while todo:
        path = todo.pop()
        if path not in found:
            found.add(path)
            files = [file for module in _imported(root / path, params) for file in _files(module, root)]
            todo += [file for file in files if file not in WRITE_NOTHING]
    if any(_calls(root / path, "babelshelf.prompts.load_template") for path in found):
        found |= {file for section in _sections(found, root) for file, _ in _templates(params.get(section), section)}
    found |= {page for path in found for page in _pages(root / path, root)}
    return {path for path in found if not _is_empty_package(root / path)}


def params_read(stage: Stage, params: Params, root: Path = ROOT) -> set[str]:
    """Keys of params.yaml that `stage`, or what it imports, reads by the loader's `load`, `load_seed` and `read`."""
    found = set()
    for section in _sections(code(stage, params, root), root):
        of_task = params["tasks"][stage.task] if stage.task else {}
        found |= {section} & params.keys() | ({f"tasks.{stage.task}.{section}"} if section in of_task else set())
    return found


def written(paths: set[str], stage: Stage, params: Params, root: Path = ROOT) -> set[str]:
    """The paths as they stand in dvc.yaml: with a param in the place of the name that it chooses.

    A chosen backend is a module, or a package, which stands there as its folder.
    """
    names: dict[str, str] = {}
    for package, key in BACKENDS.items():
        chosen, by_param = f"{_folder(package)}/{_value(params, key)}", f"{_folder(package)}/${{{key}}}"
        names[f"{chosen}.py"] = f"{by_param}.py"
        names |= {path: by_param for path in paths if path.startswith(f"{chosen}/")}
    for section in params_read(stage, params, root):
        for path, key in _templates(params.get(section), section):
            names[path] = f"babelshelf/templates/${{{key}}}.txt"
    return {names.get(path, path) for path in paths}


def _stage(stage: Any) -> Stage:  # noqa: ANN401 - DVC is untyped
    _python, _m, module, *arguments = shlex.split(stage.cmd)
    return Stage(
        name=stage.name,
        script=f"{module.replace('.', '/')}.py",
        task=None if arguments[0].startswith("--") else arguments[0],
        paths=frozenset(argument for argument in arguments if "/" in argument),
        deps=frozenset(dep.def_path for dep in stage.deps if dep not in stage.params),
        outs=frozenset(out.def_path for out in stage.outs),
        params=frozenset(key for dep in stage.params for key in dep.params),
    )


@cache
def _nodes(file: Path) -> tuple[ast.AST, ...]:
    """All nodes of a module, without what only type checkers see; none of a file that is not Python."""
    nodes: list[ast.AST] = []
    todo: list[ast.AST] = [ast.parse(file.read_text(encoding="utf-8"))] if file.suffix == ".py" else []
    while todo:
        node = todo.pop()
        nodes.append(node)
        if isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            todo.extend(node.orelse)
        else:
            todo.extend(ast.iter_child_nodes(node))
    return tuple(nodes)


@cache
def _all_calls(file: Path) -> tuple[tuple[str, Any], ...]:
    """All calls of a module, each with the whole name of what it calls, whichever name the module imports it under."""
    names: dict[str, str] = {}
    for node in _nodes(file):
        if isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    calls = [node for node in _nodes(file) if isinstance(node, ast.Call)]
    return tuple((_whole_name(ast.unparse(call.func), names), call) for call in calls)


def _whole_name(name: str, names: dict[str, str]) -> str:
    first, dot, rest = name.partition(".")
    return f"{names.get(first, first)}{dot}{rest}"


def _calls(file: Path, function: str) -> list[Any]:
    return [call for name, call in _all_calls(file) if name == function]


def _imported(file: Path, params: Params) -> Iterator[str]:
    """Dotted names that `file` imports: modules, and functions and classes of modules."""
    for node in _nodes(file):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f"{file}, line {node.lineno}: a relative import; write the whole name")
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
    for call in _calls(file, "importlib.import_module"):
        package = ast.literal_eval(call.args[0].values[0]).removesuffix(".")  # of f"{package}.{chosen}"
        yield f"{package}.{_value(params, BACKENDS[package])}"


def _files(name: str, root: Path) -> Iterator[str]:
    """Files that an import of `name` runs, relative to `root`: the module's own and those of the packages above it."""
    parts = name.split(".")
    if parts[0] in PROJECT:
        for end in range(1, len(parts) + 1):
            path = "/".join(parts[:end])
            yield from (file for file in (f"{path}.py", f"{path}/__init__.py") if (root / file).is_file())


def _sections(files: set[str], root: Path) -> set[str]:
    """Names of the sections that the files load, as they stand in the calls; `seed` for `load_seed()`."""
    found: set[str] = set()
    for file in (root / path for path in files):
        found |= {"seed"} if _calls(file, f"{LOADER}.load_seed") else set()
        found |= {ast.literal_eval(call.args[1]) for call in _calls(file, f"{LOADER}.load")}
        found |= _keys_of(_calls(file, f"{LOADER}.read"), file)
    return found


def _keys_of(calls: list[Any], file: Path) -> set[str]:
    """The key in each `call[key]` and `call.get(key)`."""
    keys = []
    for node in _nodes(file):
        if isinstance(node, ast.Subscript) and node.value in calls:
            keys.append(ast.literal_eval(node.slice))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.value in calls:
            keys.append(ast.literal_eval(node.args[0]))
    if len(keys) < len(calls):
        raise ValueError(f'{file}: write read(...)["key"], so that the key can be found')
    return set(keys)


def _templates(section: Any, path: str) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - whatever YAML holds
    """Files of the templates that a mapping names, at any depth, each with the path of the param that names it."""
    for key, value in section.items() if isinstance(section, dict) else ():
        if key == "template":
            yield f"babelshelf/templates/{value}.txt", f"{path}.{key}"
        yield from _templates(value, f"{path}.{key}")


def _pages(file: Path, root: Path) -> Iterator[str]:
    """Files that a module beside them renders."""
    for call in _calls(file, "environment.get_template"):
        yield str((file.parent / ast.literal_eval(call.args[0])).relative_to(root))


def _is_empty_package(file: Path) -> bool:
    if file.name != "__init__.py":
        return False
    return all(isinstance(node, ast.Module | ast.Expr | ast.Constant) for node in _nodes(file))


def _folder(package: str) -> str:
    return package.replace(".", "/")


def _value(params: Params, path: str) -> str:
    value: Any = params
    for key in path.split("."):
        value = value[key]
    return str(value)


def main() -> None:
    """Print each stage's deps and params; `stage@qc` and `stage@qi` are one, as they differ in data only."""
    files: dict[str, set[str]] = {}
    keys: dict[str, set[str]] = {}
    for params in variants().values():
        for stage in stages(params):
            name = stage.name.partition("@")[0]
            files.setdefault(name, set()).update(written(code(stage, params), stage, params))
            read = params_read(stage, params)
            keys.setdefault(name, set()).update(key.replace(f".{stage.task}.", ".<task>.") for key in read)
    for name, paths in files.items():
        script_first = sorted(paths, key=lambda path: (not path.startswith("stages/"), path))
        print(f"{name}:", "  deps:", *(f"    - {path}" for path in script_first), sep="\n")
        print(f"  params: [{', '.join(sorted(keys[name]))}]")


if __name__ == "__main__":
    main()
