"""What a translator is, and how the backend that the params name is found.

A backend is a module `babelshelf.translate.backends.<backend>` with a function
`load(settings, glossary) -> Translator`. It is imported only when it is chosen, so that no run needs the libraries of
another.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from babelshelf.core.errors import InputError

if TYPE_CHECKING:
    from babelshelf.translate.params import TranslateParams


@dataclass(frozen=True)
class Translation:
    """A translated query.

    Attributes:
        text: the translation.
        untranslated: words of the source (`babelshelf.text.words`) that the backend left as they are; empty for a
            backend that translates whole sentences.
        complete: whether the backend came to the end of the translation, not just to the limit of its length.
    """

    text: str
    untranslated: tuple[str, ...] = ()
    complete: bool = True


class UnfinishedError(InputError):
    """Some texts of a call could not be translated.

    Attributes:
        made: the call's translations in the order of its texts, None for those that there are none of.
    """

    def __init__(self, message: str, made: Sequence[Translation | None]) -> None:
        super().__init__(message)
        self.made = made


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
        """Translations of `texts`, in their order, from language `source` into `target` (ISO 639-1).

        Raises:
            UnfinishedError: some could not be made; the others are in it.
        """
        ...

    def close(self) -> None:
        """End what it has started: processes, connections. It is not asked any more."""
        ...


def load_translator(settings: TranslateParams, glossary: Path) -> Translator:
    """The translator that the params name, to be closed at the end; `glossary` is for backends that read one.

    Raises:
        InputError: the library that the backend needs is not installed, or the backend's own errors.
    """
    try:
        module = importlib.import_module(f"babelshelf.translate.backends.{settings.backend}")
    except ModuleNotFoundError as error:
        if error.name != settings.backend:
            raise
        mend = f"pip install -e '.[{settings.backend}]'"
        raise InputError(f"translate.backend: {settings.backend} is not installed: {mend}") from error
    translator: Translator = module.load(settings, glossary)
    return translator
