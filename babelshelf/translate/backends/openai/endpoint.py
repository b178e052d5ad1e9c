"""Translation by an endpoint that speaks OpenAI's API: a service, or `vllm serve` on a machine of yours.

The SDK retries what may be retried (timeouts, 408, 409, 429 with its Retry-After, 5xx). What fails after that is one
error at the end of the batch, which carries what succeeded, so that the next run asks only for the rest. A text that
the endpoint refuses (400 or 422: a content filter, a prompt too long) has an empty translation; where it refuses a
harmless text as well, or the key or the model, the batch stops at once. The key is read from OPENAI_API_KEY alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
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
from babelshelf.translate.causal_lm import render
from babelshelf.translate.translator import Translation, UnfinishedError

if TYPE_CHECKING:
    from babelshelf.translate.backends.openai import Params

KEY = "OPENAI_API_KEY"
REFUSED = "content_filter"  # as finish_reason, or as an error's code
OF_A_TEXT = {400, 422}  # statuses of a request that is refused for its text; or of any, for its other keys
HARMLESS = "shoes"  # tells the two apart
HINTS = {
    400: "It refuses any text: are model, api and request of translate.openai right?",
    401: f"Is {KEY} set, and right?",
    403: f"Is {KEY} set, and right?",
    404: "Are base_url and model of translate.openai right?",
    422: "It refuses any text: are model, api and request of translate.openai right?",
}


class OpenAITranslator:
    """Translates by requests, `concurrency` at once, one a query.

    An empty reply and a refusal are empty translations, which the check `empty` drops and counts.
    """

    counts: Mapping[str, int] = {}
    limits_length = True

    def __init__(self, settings: Params) -> None:
        self._settings = settings
        self._client = OpenAI(
            base_url=settings.base_url,
            api_key=os.environ.get(KEY) or "none",  # an endpoint of one's own needs none
            timeout=settings.timeout,
            max_retries=settings.retries,
        )
        how = settings.model_dump(include={"base_url", "model", "api", "prompt", "request"})
        self.identity = repr(("openai", how))
        self._takes_requests: bool | None = None
        self._lock = Lock()

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[Translation]:
        """Translations of `texts`.

        Raises:
            UnfinishedError: requests failed for good; it holds the translations of all others.
        """
        batch = _Batch(limit=self._settings.concurrency)
        with ThreadPoolExecutor(self._settings.concurrency) as pool:
            made = list(pool.map(lambda text: batch.run(partial(self._ask, text, source, target)), texts))
        if batch.failures:
            raise UnfinishedError(self._message(batch.failures, len(texts)), made)
        return [translation for translation in made if translation is not None]

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _ask(self, text: str, source: str, target: str) -> Translation:
        """The translation, an empty one where the endpoint refuses this text."""
        try:
            made = self._request(render(self._settings.prompt, text, source, target))
        except APIStatusError as error:
            if error.code == REFUSED or (error.status_code in OF_A_TEXT and self._takes_any(source, target)):
                return Translation("")
            raise
        self._takes_requests = True
        return made

    def _takes_any(self, source: str, target: str) -> bool:
        """Whether the endpoint has taken a request, or takes that of a harmless text, for which it is asked once."""
        with self._lock:
            if self._takes_requests is None:
                try:
                    self._request(render(self._settings.prompt, HARMLESS, source, target))
                    self._takes_requests = True
                except (BadRequestError, UnprocessableEntityError):
                    self._takes_requests = False
            return self._takes_requests

    def _request(self, prompt: str) -> Translation:
        model, request = self._settings.model, dict(self._settings.request)
        if self._settings.api == "chat":
            messages: Any = [{"role": "user", "content": prompt}]
            return _of_chat(self._client.chat.completions.create(model=model, messages=messages, extra_body=request))
        return _of_completion(self._client.completions.create(model=model, prompt=prompt, extra_body=request))

    def _message(self, failures: Sequence[APIError | InputError], asked: int) -> str:
        first = next((error for error in failures if not _may_pass(error)), failures[0])
        status = first.status_code if isinstance(first, APIStatusError) else None
        hint = f" {HINTS[status]}" if status in HINTS else ""
        why = first.message.rstrip(".")
        return (
            f"{self._settings.base_url}: {len(failures)} of {asked} requests failed, each after up to "
            f"{self._settings.retries} retries: {why}.{hint} What was translated is kept: run again"
        )


class _Batch:
    """The failures of a batch, and whether it is of use to ask on.

    Args:
        limit: failures in a row after which the endpoint counts as down.
    """

    def __init__(self, limit: int) -> None:
        self.failures: list[APIError | InputError] = []
        self._limit = limit
        self._in_a_row = 0
        self._stopped = False
        self._lock = Lock()

    def run(self, ask: Callable[[], Translation]) -> Translation | None:
        """The translation, None where the request failed or was not made."""
        if self._stopped:
            return None
        try:
            made = ask()
        except (APIError, InputError) as error:
            with self._lock:
                self.failures.append(error)
                self._in_a_row += 1
                self._stopped = self._stopped or self._in_a_row > self._limit or not _may_pass(error)
            return None
        self._in_a_row = 0
        return made


def _may_pass(error: APIError | InputError) -> bool:
    """Whether other requests may succeed: not where the endpoint refuses the key, the model or the request."""
    return isinstance(error, APIConnectionError | RateLimitError | InternalServerError)


def _of_chat(reply: Any) -> Translation:  # noqa: ANN401 - whatever the endpoint sent
    choice = _choice(reply)
    return _translation(choice.message.content if choice and not choice.message.refusal else "", choice)


def _of_completion(reply: Any) -> Translation:  # noqa: ANN401 - whatever the endpoint sent
    choice = _choice(reply)
    return _translation(choice.text if choice else "", choice)


def _choice(reply: Any) -> Any:  # noqa: ANN401 - whatever the endpoint sent
    if getattr(reply, "choices", None) is None:
        raise InputError("the reply is not of OpenAI's API: does translate.openai.base_url lack a /v1?")
    return reply.choices[0] if reply.choices else None


def _translation(text: str | None, choice: Any) -> Translation:  # noqa: ANN401 - a choice of either API
    reason = choice.finish_reason if choice else ""
    if reason == REFUSED:
        return Translation("")
    first_line = (text or "").strip().partition("\n")[0]
    return Translation(first_line.strip(), complete=reason != "length")
