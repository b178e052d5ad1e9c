"""Any endpoint of OpenAI's API; its key is read from the environment's OPENAI_API_KEY alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from babelshelf.endpoint.params import EndpointParams
from babelshelf.llm.requirements import Package, Requirement
from babelshelf.translate.params import Prompt

if TYPE_CHECKING:
    from babelshelf.translate.params import TranslateParams
    from babelshelf.translate.translator import Translator

SECTION = r"""
base_url: http://localhost:8000/v1
model: ByteDance-Seed/Seed-X-PPO-7B
api: completions # or chat
prompt: "Translate the following {source_name} sentence into {target_name}:\n{query} <{target}>"
request: {temperature: 0, max_tokens: 64} # further keys of each request
concurrency: 32 # requests at once
timeout: 60 # seconds a try
retries: 5 # of a request, by the SDK
"""


class Params(EndpointParams):
    """The section `translate.openai`."""

    prompt: Prompt


def requirements(settings: TranslateParams) -> Iterator[Requirement]:
    """What translating needs."""
    yield Package("openai", "pip install -e '.[openai]'")


def load(settings: TranslateParams, glossary: Path) -> Translator:
    """The translator; it connects with the first text."""
    from babelshelf.translate.backends.openai.endpoint import OpenAITranslator  # noqa: PLC0415 - slow to import

    return OpenAITranslator(settings.own(Params))
