"""A small shop for `babelshelf try`: a catalogue of paths, labelled pairs, and models that answer by the words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from babelshelf.commands.try_page.trial import QueryTrial
from babelshelf.commands.try_page.tried_model import TriedModel
from babelshelf.core.rows import ROW_SCHEMA
from babelshelf.tables.calibration import Calibration
from tests.helpers.hash_encoder import HashEncoder

CATALOGUE = ("home > lamps > red lamps", "home > lamps > blue lamps", "shoes > running shoes", "home > mugs")
TRAIN = (  # id, language, query, candidate, label, origin, parent
    ("r1", "en", "red lamp", "home > lamps > red lamps", 1, "original", None),
    ("r2", "en", "blue lamp", "home > lamps > blue lamps", 1, "original", None),
    ("r3", "en", "running shoe", "shoes > running shoes", 1, "original", None),
    ("r1/de", "de", "rote lampe", "home > lamps > red lamps", 1, "translated", "r1"),
    ("r1/negative", "en", "red lamp", "home > lamps > blue lamps", 0, "negative", "r1"),
    ("r4", "ar", "مصباح أحمر", "home > lamps > red lamps", 1, "original", None),
    ("r5", "en", "red lamp please", "home > lamps > red lamps", None, "original", None),
)
TEST = (  # the model says yes to all pairs with a common word: right on the first, wrong on the second and the third
    ("t1", "en", "red lamp", "home > lamps > red lamps", 1),
    ("t2", "en", "blue lamps", "home > lamps > red lamps", 0),
    ("t3", "en", "mug", "home > lamps > red lamps", 1),
    ("t4", "en", "mug", "shoes > running shoes", 0),
)


class WordScorer:
    """p(yes) is high if query and candidate share a word; a plural is the same word."""

    chunk = 8

    def __init__(self, shift: float = 0.0) -> None:
        self._shift = shift

    def encode(self, rows: pl.DataFrame) -> pl.Series:
        self._rows = rows
        return pl.Series(np.arange(rows.height))

    def order(self, prompts: pl.Series) -> np.ndarray:
        return np.arange(len(prompts))[::-1]

    def score(self, prompts: pl.Series) -> np.ndarray:
        pairs = self._rows[prompts.to_list()].select("query", "candidate").iter_rows()
        return np.array([min(0.1 + 0.4 * len(_words(query) & _words(path)) + self._shift, 1) for query, path in pairs])


def _words(text: str) -> set[str]:
    return {word.removesuffix("s") for word in text.replace(">", " ").split()}


def train_rows() -> pl.DataFrame:
    """A training set with every origin, a row without a label, and one that people relabelled."""
    columns = ["id", "language", "query", "candidate", "label", "origin", "parent_id"]
    table = pl.DataFrame(TRAIN, schema=columns, orient="row").with_columns(
        pl.col("label").cast(pl.Int8), task=pl.lit("qc"), group=pl.col("query")
    )
    return table.select(*ROW_SCHEMA.names(), by=pl.when(pl.col("id") == "r3").then(pl.lit("people")))


def model(name: str = "models/a", *, shift: float = 0.0, calibration: Calibration | None = None) -> TriedModel:
    """A model; with `calibration` it has answers to the pairs of `TEST`."""
    scorer = WordScorer(shift)
    loaded = TriedModel(name, "negatives", scorer, calibration or Calibration(0.5), calibration is not None, None)
    if calibration is None:
        return loaded
    rows = pl.DataFrame(TEST, schema=["id", "language", "query", "candidate", "label"], orient="row")
    answers = loaded.answer(rows.with_columns(task=pl.lit("qc")))
    return TriedModel(name, "negatives", scorer, calibration, True, rows.hstack(answers))


def trial(cache: Path, *models: TriedModel) -> QueryTrial:
    """The shop."""
    return QueryTrial("qc", models, CATALOGUE, train_rows(), encoder=HashEncoder(dimension=64), cache=cache)
