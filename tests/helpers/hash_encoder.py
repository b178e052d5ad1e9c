"""An encoder for tests, without weights: the sum of a random vector for each character 3-gram of a text."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


class HashEncoder:
    """Texts with common 3-grams have similar vectors; `calls` has the texts of each call."""

    name = "hash"
    languages = None

    def __init__(self, dimension: int = 16, identity: str = "hash-1") -> None:
        self.dimension, self.identity = dimension, identity
        self.calls: list[list[str]] = []

    def encode(self, texts: Sequence[str], prompt: str = "") -> npt.NDArray[np.float32]:
        self.calls.append(list(texts))
        return np.stack([self._vector(prompt + text) for text in texts])

    def _vector(self, text: str) -> npt.NDArray[np.float32]:
        padded = f" {text.lower()} "
        grams = [padded[start : start + 3] for start in range(len(padded) - 2)] or [padded]
        total = sum(np.random.default_rng(zlib.crc32(gram.encode())).normal(size=self.dimension) for gram in grams)
        return (total / np.linalg.norm(total)).astype(np.float32)
