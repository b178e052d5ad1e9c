"""What a translator is, and how the backend that the params name is found.

A backend is a module `babelshelf.translators.<backend>` with a function `load(settings, glossary) -> Translator`; it is
imported only when it is chosen, so that no run needs the libraries of another.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from babelshelf.params.translate import TranslateParams


@dataclass(frozen=True)
class Translation:
    """A translated query.

    Attributes:
        text: the translation.
        untranslated: words of the source (`babelshelf.words.words`) that the backend knew it left as they are; empty
            for a backend that translates whole sentences.
    """

    text: str
    untranslated: tuple[str, ...] = ()


class Translator(Protocol):
    """A backend that translates texts."""

    @property
    def identity(self) -> str:
        """All that its translations depend on but the text: backend, model and revision, prompt or glossary's hash."""
        ...

    @property
    def counts(self) -> Mapping[str, int]:
        """What the backend has to report of what it was loaded from, for the metrics."""
        ...

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[Translation]:
        """Translations of `texts`, in their order, from language `source` into `target` (ISO 639-1)."""
        ...


def load_translator(settings: TranslateParams, glossary: Path) -> Translator:
    """The translator that the params name; `glossary` is for backends that read one."""
    module = importlib.import_module(f"babelshelf.translators.{settings.backend}")
    translator: Translator = module.load(settings, glossary)
    return translator
