"""Rows, prompts and params of panels of judges, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from babelshelf.core.work_cache import WorkCache
from babelshelf.filter.judges.panel import Votes, ask_panel
from babelshelf.filter.params import JudgesParams
from babelshelf.llm.prompts import parse
from tests.helpers.endpoints import FakeEndpoint

TEMPLATE = parse("Is {candidate} a {query}? {answer}", "test")
PATH = "tasks.qc.filter.judges"
ENDPOINT = {
    "model": "m",
    "key_env": "none",
    "api": "chat",
    "request": {"temperature": 0, "max_tokens": 4},
    "concurrency": 4,
    "timeout": 5.0,
    "retries": 2,
}


def rows(number: int) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "id": [f"r{i}" for i in range(number)],
            "task": "qc",
            "language": "en",
            "query": [f"query {i}" for i in range(number)],
            "candidate": "shoe",
        }
    )


def query(prompt: str) -> str:
    """What a prompt asks about; the reminder of a second call and the harmless prompt show."""
    asked = prompt.rpartition("\n")[2]
    name = asked.removeprefix("Is shoe a ").removesuffix("?")
    return f"again {name}" if "\n" in prompt else name


def params(
    endpoints: dict[str, FakeEndpoint], changes: dict[str, Any] | None = None, **settings: object
) -> JudgesParams:
    """A panel; `changes` are those of each endpoint."""
    panel = {name: ENDPOINT | {"base_url": endpoint.url} | (changes or {}) for name, endpoint in endpoints.items()}
    values = {"contradicted": "relabel", "undecided": "drop", "max_calls": 100_000, "max_tokens": 10_000_000} | settings
    return JudgesParams.model_validate({"panel": panel} | values)


def ask(
    endpoints: dict[str, FakeEndpoint],
    cache: Path,
    number: int = 20,
    changes: dict[str, Any] | None = None,
    **settings: object,
) -> Votes:
    return ask_panel(rows(number), TEMPLATE, params(endpoints, changes, **settings), PATH, WorkCache(cache))
