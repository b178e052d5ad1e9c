"""A client of an endpoint with OpenAI's API: retries, concurrent requests, refusals, and failures of a batch.

The SDK retries timeouts, 408, 409, 429 with its Retry-After, and 5xx. What fails after that is one error at the end of
the batch, which carries the replies that succeeded, so that the caller can store them and ask only for the rest. A
prompt that the endpoint refuses (400 or 422: a content filter, a prompt that is too long) has a refused reply. If it
refuses a harmless prompt as well, or the key or the model, the batch stops at once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any

from openai import (
    APIConnectionError,
    APIError,
    APIStatusError,
    BadRequestError,
    InternalServerError,
    OpenAI,
    RateLimitError,
    UnprocessableEntityError,
)

from babelshelf.core.errors import InputError
from babelshelf.endpoint.reply import Reply

if TYPE_CHECKING:
    from babelshelf.endpoint.params import EndpointParams

KEY = "OPENAI_API_KEY"
CONTENT_FILTER = "content_filter"  # as finish_reason, or as an error's code
PROMPT_STATUSES = {400, 422}  # of a request refused for its prompt; or of any request, for its other keys


class FailedRequestsError(InputError):
    """Raised when requests of a batch failed after all retries.

    Attributes:
        replies: replies in the order of the prompts, None for those without one.
        stopped: whether the batch was given up: the endpoint is down, or refuses the key, the model or any text.
    """

    def __init__(self, message: str, replies: Sequence[Reply | None], *, stopped: bool) -> None:
        super().__init__(message)
        self.replies = replies
        self.stopped = stopped


class EndpointClient:
    """Sends prompts, up to `concurrency` at once, one in each request.

    Args:
        settings: the endpoint and the further keys of each request.
        section: path of these params, such as `translate.openai`, for messages.
        key: the environment variable that has the key; one that is not set, or None, sends no key that is worth one.
    """

    def __init__(self, settings: EndpointParams, section: str, key: str | None = KEY) -> None:
        self._settings = settings
        self._section = section
        self._key = key
        self._client = OpenAI(
            base_url=settings.base_url,
            api_key=(os.environ.get(key) if key else None) or "none",  # `vllm serve` needs none
            timeout=settings.timeout,
            max_retries=settings.retries,
        )
        self._accepts_requests: bool | None = None
        self._lock = Lock()

    def ask(self, prompts: Sequence[str], harmless: str) -> list[Reply]:
        """Replies to the prompts, in order.

        Args:
            prompts: one for each request.
            harmless: a prompt that no filter refuses. It is sent once if a prompt is refused before any reply came, to
                tell a refused prompt from a wrong request.

        Raises:
            FailedRequestsError: requests failed after all retries; it has the replies to all others.
        """
        batch = _Batch(limit=self._settings.concurrency)
        with ThreadPoolExecutor(self._settings.concurrency) as pool:
            replies = list(pool.map(lambda prompt: batch.run(partial(self._ask, prompt, harmless)), prompts))
        if batch.failures:
            raise FailedRequestsError(self._message(batch.failures, len(prompts)), replies, stopped=batch.stopped)
        return [reply for reply in replies if reply is not None]

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _ask(self, prompt: str, harmless: str) -> Reply:
        """The reply, an empty one if the endpoint refuses this prompt."""
        try:
            reply = self._request(prompt)
        except APIStatusError as error:
            if error.code == CONTENT_FILTER or (error.status_code in PROMPT_STATUSES and self._accepts_any(harmless)):
                return Reply("", refused=True)
            raise
        self._accepts_requests = True
        return reply

    def _accepts_any(self, harmless: str) -> bool:
        """Whether the endpoint has replied to a request, or replies to a harmless prompt, which is sent once."""
        with self._lock:
            if self._accepts_requests is None:
                try:
                    self._request(harmless)
                    self._accepts_requests = True
                except (BadRequestError, UnprocessableEntityError):
                    self._accepts_requests = False
            return self._accepts_requests

    def _request(self, prompt: str) -> Reply:
        model, request = self._settings.model, dict(self._settings.request)
        if self._settings.api == "chat":
            messages: Any = [{"role": "user", "content": prompt}]
            reply: Any = self._client.chat.completions.create(model=model, messages=messages, extra_body=request)
        else:
            reply = self._client.completions.create(model=model, prompt=prompt, extra_body=request)
        if getattr(reply, "choices", None) is None:
            raise InputError(f"the reply is not of OpenAI's API: does {self._section}.base_url lack a /v1?")
        tokens = getattr(getattr(reply, "usage", None), "total_tokens", None) or 0
        return _reply(reply.choices[0], self._settings.api, tokens) if reply.choices else Reply("", tokens=tokens)

    def _message(self, failures: Sequence[APIError | InputError], prompts: int) -> str:
        first = next((error for error in failures if not _is_transient(error)), failures[0])
        status = first.status_code if isinstance(first, APIStatusError) else None
        why = first.message.rstrip(".")
        return (
            f"{self._settings.base_url}: {len(failures)} of {prompts} requests failed, each after up to "
            f"{self._settings.retries} retries: {why}.{self._hint(status)}"
        )

    def _hint(self, status: int | None) -> str:
        if status in PROMPT_STATUSES:
            return f" It refuses any text: are model, api and request of {self._section} right?"
        if status in {401, 403}:
            return f" Is {self._key} set, and right?" if self._key else f" {self._section} names no key: it needs one."
        return f" Are base_url and model of {self._section} right?" if status == 404 else ""


class _Batch:
    """The failures of a batch, and whether it was given up, as further requests are not worth sending.

    Args:
        limit: number of consecutive failures after which the endpoint counts as down.
    """

    def __init__(self, limit: int) -> None:
        self.failures: list[APIError | InputError] = []
        self._limit = limit
        self._in_a_row = 0
        self.stopped = False
        self._lock = Lock()

    def run(self, ask: Callable[[], Reply]) -> Reply | None:
        """The reply, None if the request failed or was not sent."""
        if self.stopped:
            return None
        try:
            reply = ask()
        except (APIError, InputError) as error:
            with self._lock:
                self.failures.append(error)
                self._in_a_row += 1
                self.stopped = self.stopped or self._in_a_row > self._limit or not _is_transient(error)
            return None
        self._in_a_row = 0
        return reply


def _is_transient(error: APIError | InputError) -> bool:
    """Whether other requests may succeed: not if the endpoint refuses the key, the model or the request."""
    return isinstance(error, APIConnectionError | RateLimitError | InternalServerError)


def _reply(choice: Any, api: str, tokens: int) -> Reply:  # noqa: ANN401 - a choice of either API
    if choice.finish_reason == CONTENT_FILTER:
        return Reply("", refused=True, tokens=tokens)
    complete = choice.finish_reason != "length"
    if api == "chat":
        refused = bool(choice.message.refusal)
        return Reply("" if refused else choice.message.content or "", complete, refused, tokens)
    return Reply(choice.text or "", complete, tokens=tokens)
