"""The interface of a sentence encoder: all that mining, the classifier and the base models know of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]


class Encoder(Protocol):
    """Texts to unit vectors, whose inner product is their cosine."""

    @property
    def name(self) -> str:
        """What params.yaml calls it: a built-in encoder, an id of the hub or a folder."""

    @property
    def dimension(self) -> int:
        """Number of dimensions of a vector."""

    @property
    def identity(self) -> str:
        """Digest of the weights and of all else that the vectors depend on: the key of a cache of vectors."""

    @property
    def languages(self) -> frozenset[str] | None:
        """Languages that it was trained for, ISO 639-1; None where the model does not say."""

    def encode(self, texts: Sequence[str], prompt: str = "") -> FloatArray:
        """Vectors of `texts`.

        Args:
            texts: may be empty, and may repeat.
            prompt: instruction before each text, which makes the texts queries; "": they are documents.

        Returns:
            Shape (n, dimension), each row of length 1.

        Raises:
            InputError: the encoder was not trained with this prompt.
        """
