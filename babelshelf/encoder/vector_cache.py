"""Vectors of texts, each text embedded once: kept by text and encoder in a cache that all stages share."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from babelshelf.core.work_cache import WorkCache
from babelshelf.encoder.encoder import Encoder, FloatArray
from babelshelf.runtime.screen import progress

CHUNK = 1024  # texts that are stored at once: what a kill loses at most


def cached_vectors(texts: Sequence[str], encoder: Encoder, cache: Path, prompt: str = "") -> FloatArray:
    """Unit vectors of `texts`; only those that the cache lacks are embedded.

    Args:
        texts: distinct texts.
        encoder: the encoder.
        cache: folder of the cache. A text's key holds the encoder's identity and the prompt.
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
    keys = [_key(text, encoder.identity, prompt) for text in texts]
    known = stored.get_many(keys)
    missing = [number for number, key in enumerate(keys) if key not in known]
    if missing:
        new = encoder.encode([texts[number] for number in missing], prompt).astype("<f4", copy=False)
        added = {keys[number]: vector.tobytes() for number, vector in zip(missing, new, strict=True)}
        stored.put_many(added)
        known |= added
    return np.stack([np.frombuffer(known[key], "<f4") for key in keys])


def _key(text: str, identity: str, prompt: str) -> str:
    return hashlib.blake2b("\0".join((identity, prompt, text)).encode(), digest_size=16).hexdigest()
