"""Find the built-in encoders by name; several joined by `+` are one encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from babelshelf.core.partial_work import fingerprint
from babelshelf.core.plugins import Plugins
from babelshelf.encoder.encoder import Encoder, FloatArray
from babelshelf.encoder.packaged_weights import PackagedWeights

ENCODERS = Plugins("babelshelf.encoder.builtin", "base_model", "embedder.model")
JOIN = "+"


class JoinedEncoder:
    """The vectors of several encoders side by side; a cosine is the mean of theirs."""

    def __init__(self, encoders: Sequence[Encoder]) -> None:
        self._encoders = encoders
        self.name = JOIN.join(encoder.name for encoder in encoders)
        self.dimension = sum(encoder.dimension for encoder in encoders)
        self.identity = fingerprint(*(encoder.identity for encoder in encoders))
        known = [encoder.languages for encoder in encoders]
        self.languages = None if None in known else frozenset[str]().union(*(part for part in known if part))

    def encode(self, texts: Sequence[str], prompt: str = "") -> FloatArray:
        """See `Encoder`."""
        parts = [encoder.encode(texts, prompt) for encoder in self._encoders]
        joined: FloatArray = np.concatenate(parts, axis=1) / np.float32(np.sqrt(len(parts)))
        return joined


def is_builtin(model: str) -> bool:
    """Whether `model` names a built-in encoder, or several joined by `+`."""
    return set(model.split(JOIN)) <= set(ENCODERS.names())


def load_builtin(model: str) -> Encoder:
    """Load a built-in encoder.

    Raises:
        InputError: there is none of that name, its package is missing, or its weights are others.
    """
    encoders: list[Encoder] = [ENCODERS.load(name).load() for name in model.split(JOIN)]
    return encoders[0] if len(encoders) == 1 else JoinedEncoder(encoders)


def languages(model: str) -> frozenset[str]:
    """Languages that a built-in encoder was trained for; of several encoders, one is enough."""
    return frozenset[str]().union(*(ENCODERS.load(name).LANGUAGES for name in model.split(JOIN)))


def packages(model: str) -> list[PackagedWeights]:
    """What a built-in encoder needs."""
    return [ENCODERS.load(name).WEIGHTS for name in model.split(JOIN)]


def pointer(model: str) -> dict[str, Any]:
    """What `models/base/embedder` says of a built-in encoder, after its weights were checked.

    Raises:
        InputError: a package is missing, or its weights are others.
    """
    needed = packages(model)
    for one in needed:
        one.check()
    return {
        "builtin": model,
        "packages": {one.package: one.version for one in needed},
        "sha256": sha256(model),
    }


def sha256(model: str) -> dict[str, str]:
    """The SHA-256 of each file of a built-in encoder, by package and path."""
    return {f"{one.module}/{file}": digest for one in packages(model) for file, digest in one.sha256.items()}
