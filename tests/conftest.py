"""What all tests share: nothing may reach a network, the repository's root, and one run of the pipeline."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.helpers.workspace import Workspace, copy_sources, score_in_small_chunks

HAS_VLLM = find_spec("vllm") is not None

os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "DVC_NO_ANALYTICS": "1"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of vLLM run where it is: in the environment of `make test-vllm`."""
    if not HAS_VLLM:
        without = pytest.mark.skip(reason="no vLLM in this environment: `make test-vllm`")
        for item in items:
            if item.get_closest_marker("vllm"):
                item.add_marker(without)


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return Path(__file__).parents[1]


@pytest.fixture(scope="session")
def unbuilt(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A clone on the tiny setting in which nothing has run."""
    workspace = Workspace(tmp_path_factory.mktemp("unbuilt"), tmp_path_factory.mktemp("dvc"))
    copy_sources(root, workspace.folder)
    workspace.set_params((root / "tests" / "fixtures" / "tiny.yaml").read_text(encoding="utf-8"))
    score_in_small_chunks(workspace.folder / "babelshelf" / "score" / "scorer.py")
    return workspace


@pytest.fixture(scope="session")
def first_run(unbuilt: Workspace, tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, list[str]]:
    """The clone after `dvc repro summarize`, and the stages that ran; not to be changed."""
    workspace = unbuilt.copy(tmp_path_factory.mktemp("built") / "repository")
    return workspace, workspace.repro("summarize")


@pytest.fixture(scope="session")
def built(first_run: tuple[Workspace, list[str]]) -> Workspace:
    """The clone after `dvc repro summarize`; not to be changed."""
    return first_run[0]
