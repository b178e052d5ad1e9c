"""Vectors of lists of texts, kept by texts and encoder in a cache that all stages share.

The last bits of a vector depend on the texts in its batch, as matrix products of other shapes add in another order. So
whole chunks are cached: the same list of texts always has the same vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from babelshelf.core.partial_work import fingerprint
from babelshelf.core.work_cache import WorkCache
from babelshelf.encoder.encoder import Encoder, FloatArray
from babelshelf.runtime.screen import progress

CHUNK = 1024  # texts: what a kill loses at most


def cached_vectors(texts: Sequence[str], encoder: Encoder, cache: Path, prompt: str = "") -> FloatArray:
    """Unit vectors of `texts`; only the chunks that the cache lacks are embedded.

    Args:
        texts: distinct texts.
        encoder: the encoder.
        cache: folder of the cache. A chunk's key holds its texts, the encoder's identity and the prompt.
        prompt: instruction before each text, see `Encoder.encode`.

    Returns:
        Shape (n_texts, dimension), float32.
    """
    stored: WorkCache[bytes] = WorkCache(cache)
    vectors = np.empty((len(texts), encoder.dimension), np.float32)
    with progress(total=len(texts), desc="embed", unit="text") as bar:
        for start in range(0, len(texts), CHUNK):
            part = texts[start : start + CHUNK]
            vectors[start : start + len(part)] = _chunk(part, encoder, stored, prompt)
            bar.update(len(part))
    return vectors


def _chunk(texts: Sequence[str], encoder: Encoder, stored: WorkCache[bytes], prompt: str) -> FloatArray:
    key = fingerprint(encoder.identity, prompt, list(texts))
    known = stored.get_many([key]).get(key)
    if known is None:
        known = encoder.encode(texts, prompt).astype("<f4", copy=False).tobytes()
        stored.put_many({key: known})
    return np.frombuffer(known, "<f4").reshape(len(texts), encoder.dimension)
