"""What an encoder is: a frozen model from texts to unit vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]


class Encoder(Protocol):
    """A frozen model that maps texts to unit vectors.

    Attributes:
        name: for messages and the outputs.
        dimension: number of dimensions of a vector.
        identity: hash of the weights; two encoders of one identity give the same vectors.
        languages: ISO 639-1 codes of the languages it was trained on; None where nobody says.
    """

    name: str
    dimension: int
    identity: str
    languages: frozenset[str] | None

    def encode(self, texts: Sequence[str], prompt: str = "") -> FloatArray:
        """Unit vectors, shape (n_texts, dimension).

        Args:
            texts: texts of any length; what exceeds the model's limit is ignored.
            prompt: instruction before each text, which makes the texts queries.
        """
        ...
