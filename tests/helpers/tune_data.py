"""Simulated pairs for `babelshelf tune`: topics with several texts each, and an encoder that knows their topics."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from babelshelf.commands.tune.task_data import TaskFiles
from babelshelf.core.params import read
from babelshelf.core.rows import ROW_SCHEMA
from babelshelf.encoder.encoder import FloatArray
from tests.helpers.profiles import NANO

DIMENSION = 24
NOISE = {"buy": 2.0, "item": 0.5}  # of a query, of a candidate
TOPICS, TEXTS = 30, 6  # candidates of a topic are near each other and relevant to the same queries
QUERY, CANDIDATE = "nopqrstuvw", "abcdefghij"
SAME = str.maketrans(QUERY, CANDIDATE)
LANGUAGES = ("en", "fr", "es", "pt")


class TopicEncoder:
    """A text's vector is that of its topic and some noise; queries and candidates share no letters that tell more."""

    name, dimension, identity, languages = "topics", DIMENSION, "topics", None

    def __init__(self) -> None:
        self.embedded = 0

    def encode(self, texts: Sequence[str], prompt: str = "") -> FloatArray:
        self.embedded += len(texts)
        sums = np.stack([_with_noise(*text.split()[:2], text) for text in texts])
        unit: FloatArray = (sums / np.linalg.norm(sums, axis=1, keepdims=True)).astype(np.float32)
        return unit


def pairs(queries: int, *, positive_share: float = 0.6, noise: float = 0.0, seed: int = 0) -> pl.DataFrame:
    """Pairs in `LANGUAGES`: a query is relevant to all candidates of its topic, and to no other.

    Args:
        queries: number of query groups; each has three pairs.
        positive_share: of the true labels.
        noise: share of the labels that are flipped.
        seed: of all draws.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for group in range(queries):
        topic = int(rng.integers(TOPICS))
        language = LANGUAGES[int(rng.integers(len(LANGUAGES)))]
        for place in range(3):
            relevant = rng.random() < positive_share
            of = topic if relevant else (topic + int(rng.integers(1, TOPICS))) % TOPICS
            label = int(relevant) ^ int(rng.random() < noise)
            candidate = candidate_text(of, int(rng.integers(TEXTS)))
            query = f"buy {_name(topic, QUERY)} {_name(group, QUERY)}"
            rows.append((f"{group}-{place}", "qi", language, query, candidate, label, f"g{group}"))
    columns = ["id", "task", "language", "query", "candidate", "label", "group"]
    table = pl.DataFrame(rows, schema=columns, orient="row").with_columns(
        pl.col("label").cast(pl.Int8), origin=pl.lit("original"), parent_id=pl.lit(None, pl.String)
    )
    return table.select(ROW_SCHEMA.names())


def candidate_text(topic: int, text: int) -> str:
    return f"item {_name(topic, CANDIDATE)} {_name(text, CANDIDATE)}"


def _name(number: int, letters: str) -> str:
    """Letters for a number: others in queries than in candidates, so that no lexical feature reads them."""
    return "".join(letters[int(digit)] for digit in str(number))


def write(rows: pl.DataFrame, folder: Path) -> TaskFiles:
    """Train, dev and the catalogue; there is no test."""
    groups = rows["group"].unique(maintain_order=True)
    dev = rows["group"].is_in(groups.tail(len(groups) // 5).implode())
    files = TaskFiles(folder / "train.parquet", folder / "dev.parquet", folder / "catalogue.parquet")
    folder.mkdir(parents=True, exist_ok=True)
    rows.filter(~dev).write_parquet(files.train)
    rows.filter(dev).write_parquet(files.dev)
    candidates = [candidate_text(topic, text) for topic in range(TOPICS) for text in range(TEXTS)]
    pl.DataFrame({"candidate": candidates, "in_train": True}).write_parquet(files.catalogue)
    return files


def params() -> dict[str, Any]:
    """Those of the profile nano, without translation."""
    values = read(NANO)
    values["translate"]["languages"] = []
    of_classifier = {"penalties": [0.3, 0.1, 0.03], "folds": 3, "penalty_rows": 2000}
    values["classifier"] = values.get("classifier", {}) | of_classifier
    return values


def _with_noise(kind: str, topic: str, text: str) -> np.ndarray:
    vector: np.ndarray = _vector(topic.translate(SAME)) + NOISE[kind] * _vector(text)
    return vector


def _vector(word: str) -> np.ndarray:
    seed = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "big")
    return np.random.default_rng(seed).normal(size=DIMENSION)
