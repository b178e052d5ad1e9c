"""What a translator is, and how the backend that the params name is found.

A backend is a plugin (`babelshelf.core.plugins`), a module of `babelshelf.translate.backends`. It has

- `load(settings, glossary) -> Translator`;
- `requirements(settings) -> Iterator[Requirement]`, where it needs packages, GPUs, memory or a model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from babelshelf.core.errors import InputError
from babelshelf.translate.params import BACKENDS, TranslateParams


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

    @property
    def limits_length(self) -> bool:
        """Whether a translation may end early, at a limit of its length: the check `incomplete` drops such ones."""
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
        InputError: the backend's own errors.
    """
    translator: Translator = BACKENDS.load(settings.backend).load(settings, glossary)
    return translator
