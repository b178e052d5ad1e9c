"""Translation with a causal LM: what the backends `transformers` and `vllm` share.

A model of translation such as Seed-X (arXiv:2507.13618) continues a prompt that ends with the target's tag. There is no
chat template. The translation is the first line of what the model says; the two backends get the same token ids, so
they differ in their arithmetic only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from babelshelf.core import languages
from babelshelf.core.partial_work import fingerprint
from babelshelf.llm import base_model
from babelshelf.llm.params import NEWEST, is_folder
from babelshelf.translate.translator import Translation

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from babelshelf.translate.params import CausalLmParams

# What does not change a translation but how fast it comes.
SPEED = {"languages", "batch_size", "max_num_seqs", "tensor_parallel", "gpu_memory_utilization"}


class Generator(Protocol):
    """A causal LM that continues prompts."""

    def generate(self, prompts: Sequence[list[int]]) -> list[list[int]]:
        """What follows each prompt: new token ids alone, up to and with the one that ended them, if one did."""
        ...

    def close(self) -> None:
        """End the model's processes, where it has any."""
        ...


class LmTranslator:
    """Translates by continuing a prompt.

    Args:
        backend: its name.
        settings: the section of the backend.
        load: makes the generator from the model's folder; called with the first text, so that a run whose translations
            are all in the cache loads no weights.
    """

    counts: Mapping[str, int] = {}
    limits_length = True

    def __init__(self, backend: str, settings: CausalLmParams, load: Callable[[Path], Generator]) -> None:
        self._settings = settings
        self._load = load
        self._model, folder = _resolve(settings)
        self._known_folder = folder
        self.identity = repr((backend, self._model, settings.model_dump(exclude={"model", "revision", *SPEED})))

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[Translation]:
        """Translations of `texts`; a prompt that is too long for `max_length` is not asked, and gives none."""
        prompts = self._encode([render(self._settings.prompt, text, source, target) for text in texts])
        room = self._settings.max_length - self._settings.max_tokens
        fitting = [index for index, prompt in enumerate(prompts) if len(prompt) <= room]
        translations = [Translation("", complete=False)] * len(prompts)
        replies = self._generator.generate([prompts[index] for index in fitting]) if fitting else []
        for index, tokens in zip(fitting, replies, strict=True):
            translations[index] = decode(tokens, self._tokenizer)
        return translations

    def close(self) -> None:
        """Close the generator, if there was a text to load it for."""
        if "_generator" in self.__dict__:
            self._generator.close()

    def _encode(self, prompts: list[str]) -> list[list[int]]:
        ids: list[list[int]] = self._tokenizer(prompts)["input_ids"] if prompts else []
        return ids

    @cached_property
    def _folder(self) -> Path:
        return self._known_folder or base_model.download(self._settings.model, self._settings.revision)

    @cached_property
    def _tokenizer(self) -> PreTrainedTokenizerBase:
        return base_model.load_tokenizer(self._folder)

    @cached_property
    def _generator(self) -> Generator:
        return self._load(self._folder)


def render(prompt: str, query: str, source: str, target: str) -> str:
    """The prompt of a query from language `source` into `target` (ISO 639-1)."""
    return prompt.format(
        query=query,
        source=source,
        target=target,
        source_name=languages.name(source),
        target_name=languages.name(target),
    )


def decode(tokens: Sequence[int], tokenizer: PreTrainedTokenizerBase) -> Translation:
    """The first line of a reply; complete where the model ended it, by its end of text or a new line."""
    ended = tokenizer.eos_token_id in tokens
    own = list(tokens[: tokens.index(tokenizer.eos_token_id)]) if ended else list(tokens)
    text, new_line, _ = str(tokenizer.decode(own, skip_special_tokens=True)).partition("\n")
    return Translation(text.strip(), complete=ended or bool(new_line))


def _resolve(settings: CausalLmParams) -> tuple[str, Path | None]:
    """The model's name with what pins it, and its folder where that had to be looked up.

    A folder is known by its contents; a hub model without a revision by the commit of today.
    """
    if is_folder(settings.model):
        base_model.to_folder(settings.model)  # its errors say what is wrong with it
        folder = base_model.local_folder(settings.model)
        return f"folder@{fingerprint(folder)}", folder
    if settings.revision != NEWEST:
        return f"{settings.model}@{settings.revision}", None
    folder = base_model.download(settings.model, None)
    return f"{settings.model}@{folder.name}", folder
