"""Vectors of a list are the same whatever the cache has of it; a kill loses at most a chunk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from babelshelf.encoder import vector_cache
from babelshelf.encoder.encoder import FloatArray
from babelshelf.encoder.vector_cache import cached_vectors
from tests.helpers.hash_encoder import HashEncoder

TEXTS = [f"text {number}" for number in range(10)]


class UnevenEncoder(HashEncoder):
    """Vectors that depend in their last bits on how many texts are embedded at once, as those of real encoders do."""

    def encode(self, texts: Sequence[str], prompt: str = "") -> FloatArray:
        """See `Encoder`."""
        return super().encode(texts, prompt) + np.float32(1e-6 * len(texts))


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_cache, "CHUNK", 4)


def test_a_list_has_the_same_vectors_whatever_was_embedded_before(tmp_path: Path) -> None:
    fresh = cached_vectors(TEXTS, UnevenEncoder(), tmp_path / "fresh")
    for part in (TEXTS[:3], TEXTS[5:], TEXTS[::2]):
        cached_vectors(part, UnevenEncoder(), tmp_path / "used")
    assert np.array_equal(cached_vectors(TEXTS, UnevenEncoder(), tmp_path / "used"), fresh)


def test_a_list_that_was_embedded_is_read_from_the_cache_and_a_prompt_is_another_list(tmp_path: Path) -> None:
    first = cached_vectors(TEXTS, UnevenEncoder(), tmp_path)
    again = UnevenEncoder()
    assert np.array_equal(cached_vectors(TEXTS, again, tmp_path), first)
    assert again.calls == []
    cached_vectors(TEXTS, again, tmp_path, prompt="query: ")
    assert [len(call) for call in again.calls] == [4, 4, 2]


def test_a_run_that_was_killed_goes_on_after_its_last_chunk(tmp_path: Path) -> None:
    class Killed(UnevenEncoder):
        def encode(self, texts: Sequence[str], prompt: str = "") -> FloatArray:
            if len(self.calls) == 2:
                raise KeyboardInterrupt
            return super().encode(texts, prompt)

    with pytest.raises(KeyboardInterrupt):
        cached_vectors(TEXTS, Killed(), tmp_path)
    resumed = UnevenEncoder()
    cached_vectors(TEXTS, resumed, tmp_path)
    assert resumed.calls == [TEXTS[8:]]
