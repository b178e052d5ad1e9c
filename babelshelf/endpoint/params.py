"""Params of an endpoint with OpenAI's API."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from babelshelf.core.params import Section


class EndpointParams(Section):
    """Where the endpoint is, and how it is used; its key is read from the environment's OPENAI_API_KEY alone."""

    base_url: str = Field(pattern=r"^https?://[^\s@]+$")  # no user:password@ either
    model: str = Field(min_length=1)
    api: Literal["chat", "completions"]
    request: dict[str, JsonValue]  # further keys of each request, as they are
    concurrency: int = Field(gt=0)  # requests at once
    timeout: float = Field(gt=0)  # seconds a try
    retries: int = Field(ge=0)  # of a request, by the SDK
