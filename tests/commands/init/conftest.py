"""`init` without its first result, which embeds texts for a minute; test_first_result tests that by itself."""

from __future__ import annotations

import pytest

from babelshelf.commands.init import proposal


@pytest.fixture(autouse=True)
def no_first_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proposal, "first_result", lambda *_: iter(()))
