"""Symmetric label noise: the same share of both classes is flipped; simulated sources give it to their train rows."""

from __future__ import annotations

import numpy as np
import polars as pl


def with_noise(rows: pl.DataFrame, share: float, rng: np.random.Generator) -> pl.DataFrame:
    """The rows with `share` of each class's labels flipped; all rows are labelled."""
    labels = rows["label"].to_numpy().copy()
    chosen = [rng.permutation(np.flatnonzero(labels == label)) for label in (0, 1)]
    flipped = np.concatenate([indices[: round(share * len(indices))] for indices in chosen])
    labels[flipped] = 1 - labels[flipped]
    return rows.with_columns(label=pl.Series(labels, dtype=pl.Int8))


def clean_share(positive_share: float, noise: float) -> float:
    """The positive share from which noise, which moves it towards a half, leads to `positive_share`."""
    return (positive_share - noise) / (1 - 2 * noise)
