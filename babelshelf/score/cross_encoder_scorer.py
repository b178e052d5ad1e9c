"""Score pairs with a cross-encoder, on a GPU or the CPU, whatever `score.backend` says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from babelshelf.classifier.model import probabilities

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

RECORD = "cross_encoder.json"
CHUNK = 8192  # pairs: what a kill loses at most
BATCH = 64  # pairs that the model takes at once


class CrossEncoderScorer:
    """A `Scorer` whose prompts are the pairs themselves: structs of `query` and `candidate`.

    Args:
        model: of sentence-transformers, with one label: its logit is that of "yes".
    """

    chunk = CHUNK

    def __init__(self, model: CrossEncoder) -> None:
        self._model = model

    def encode(self, rows: pl.DataFrame) -> pl.Series:
        """Pairs, shape (rows,)."""
        return rows.select(pair=pl.struct("query", "candidate")).to_series()

    def order(self, prompts: pl.Series) -> np.ndarray:
        """By length, so that little is padded, int64, shape (prompts,)."""
        lengths = sum(prompts.struct.field(name).str.len_bytes().to_numpy() for name in ("query", "candidate"))
        return np.argsort(lengths, kind="stable")

    def score(self, prompts: pl.Series) -> np.ndarray:
        """p(yes) of each pair, float64, shape (prompts,)."""
        from torch import nn  # noqa: PLC0415 - slow to import

        pairs = list(
            zip(prompts.struct.field("query").to_list(), prompts.struct.field("candidate").to_list(), strict=True)
        )
        logits = self._model.predict(pairs, batch_size=BATCH, show_progress_bar=False, activation_fn=nn.Identity())
        return probabilities(np.asarray(logits, np.float64).reshape(-1))


@contextmanager
def load(model: Path) -> Iterator[CrossEncoderScorer]:
    """A scorer from a folder in sentence-transformers' format; without access to the hub."""
    from sentence_transformers import CrossEncoder  # noqa: PLC0415 - slow to import

    yield CrossEncoderScorer(CrossEncoder(str(model), local_files_only=True))
