"""Translation by an endpoint with OpenAI's API: a service, or `vllm serve`; `babelshelf.endpoint` has the client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from babelshelf.endpoint.client import EndpointClient, FailedRequestsError
from babelshelf.endpoint.reply import Reply
from babelshelf.translate.causal_lm import render
from babelshelf.translate.translator import Translation, UnfinishedError

if TYPE_CHECKING:
    from babelshelf.translate.backends.openai import Params

HARMLESS = "shoes"  # a query that no filter refuses


class OpenAITranslator:
    """Translates by requests, `concurrency` at once, one for each query.

    Empty replies and refusals are empty translations, which the check `empty` drops and counts.
    """

    counts: Mapping[str, int] = {}
    limits_length = True

    def __init__(self, settings: Params) -> None:
        self._prompt = settings.prompt
        self._client = EndpointClient(settings, "translate.openai")
        values = settings.model_dump()
        # The key of the cache: the order of these names must not change.
        self.identity = repr(
            ("openai", {name: values[name] for name in ("base_url", "model", "api", "prompt", "request")})
        )

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[Translation]:
        """Translations of `texts`.

        Raises:
            UnfinishedError: requests failed after all retries; it has the translations of all other texts.
        """
        prompts = [render(self._prompt, text, source, target) for text in texts]
        try:
            replies = self._client.ask(prompts, harmless=render(self._prompt, HARMLESS, source, target))
        except FailedRequestsError as error:
            translations = [None if reply is None else _translation(reply) for reply in error.replies]
            raise UnfinishedError(f"{error.message} What was translated is kept: run again", translations) from error
        return [_translation(reply) for reply in replies]

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _translation(reply: Reply) -> Translation:
    first_line = reply.text.strip().partition("\n")[0]
    return Translation(first_line.strip(), complete=reply.complete)
