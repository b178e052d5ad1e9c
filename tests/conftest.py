"""What all tests share: nothing may reach a network, the repository's root, and one run of the pipeline."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

from tests.helpers.workspace import Workspace, copy_sources, score_in_small_chunks

if TYPE_CHECKING:
    from tests.helpers.browser import Browser

HAS_VLLM = find_spec("vllm") is not None

# `make test-slow` tries more examples (thorough); `exhaustive` takes hours. A deadline would fail on a busy machine.
RELAXED = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}
settings.register_profile("quick", max_examples=15, **RELAXED)
settings.register_profile("thorough", max_examples=50, **RELAXED)
settings.register_profile("exhaustive", max_examples=2000, **RELAXED)
settings.load_profile("quick")

os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "DVC_NO_ANALYTICS": "1"}


# By a fixture that takes long, so that one worker alone makes it.
GROUPS = {"climbed": "ladder", "published": "remotes", "project": "processes", "clean": "tune", "document": "report"}
GROUPS |= {"first_run": "pipeline", "browser": "browser"}


def pytest_itemcollected(item: pytest.Item) -> None:  # pytest-xdist reads the groups right after the collection
    """Tests of vLLM run where it is: in the environment of `make test-vllm`; what shares much goes to one worker."""
    if item.get_closest_marker("vllm") and not HAS_VLLM:
        item.add_marker(pytest.mark.skip(reason="no vLLM in this environment: `make test-vllm`"))
    group = next((GROUPS[name] for name in getattr(item, "fixturenames", ()) if name in GROUPS), None)
    if group is not None:
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return Path(__file__).parents[1]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless browser; skipped where there is none, or where it does not start, as in a container without memory."""
    from tests.helpers.browser import Browser, missing  # noqa: PLC0415 - selenium is not in the environment of vLLM

    if reason := missing():
        pytest.skip(reason)
    from selenium.common.exceptions import WebDriverException

    try:
        started = Browser()
    except WebDriverException as error:
        pytest.skip(f"chromium does not start here: {error.msg}")
    yield started
    started.quit()


@contextmanager
def _made_once(tmp_path_factory: pytest.TempPathFactory, name: str) -> Iterator[Path]:
    """A folder that all workers of pytest-xdist share, while no other of them is in it."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    with FileLock(shared.with_suffix(".lock")):
        shared.mkdir(exist_ok=True)
        yield shared


@pytest.fixture(scope="session")
def unbuilt(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A clone on the tiny setting in which nothing has run; not to be changed."""
    with _made_once(tmp_path_factory, "unbuilt") as shared:
        workspace = Workspace(shared / "repository", shared / "dvc")
        if not (shared / "done").exists():
            copy_sources(root, workspace.folder)
            workspace.set_params((root / "tests" / "fixtures" / "tiny.yaml").read_text(encoding="utf-8"))
            score_in_small_chunks(workspace.folder / "babelshelf" / "score" / "scorer.py")
            (shared / "done").touch()
    return workspace


@dataclass(frozen=True)
class FirstRun:
    """`dvc repro summarize` in the unbuilt clone; the clone is not to be changed.

    Attributes:
        workspace: the clone.
        output: what the command printed.
    """

    workspace: Workspace
    output: str


@pytest.fixture(scope="session")
def first_run(unbuilt: Workspace, tmp_path_factory: pytest.TempPathFactory) -> FirstRun:
    """The clone after `dvc repro summarize`, and the output of the command."""
    with _made_once(tmp_path_factory, "built") as shared:
        workspace = Workspace(shared / "repository", Path(unbuilt.environment["DVC_SITE_CACHE_DIR"]))
        workspace.environment |= {"OMP_NUM_THREADS": "2"}  # which is not the param `threads`
        output = shared / "output.txt"
        if not output.exists():
            unbuilt.copy(workspace.folder)
            output.write_text(workspace.dvc("repro", "--no-run-cache", "summarize"), encoding="utf-8")
        return FirstRun(workspace, output.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def built(first_run: FirstRun) -> Workspace:
    """The clone after `dvc repro summarize`; not to be changed."""
    return first_run.workspace
