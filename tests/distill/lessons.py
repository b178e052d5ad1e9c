"""Params and lessons of students, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from babelshelf.classifier.params import ClassifierParams
from babelshelf.core.params import section
from babelshelf.distill.params import DistillParams
from babelshelf.distill.student_inputs import StudentInputs
from babelshelf.distill.teaching import Lessons
from babelshelf.distill.unlabelled import PAIR_SCHEMA
from tests.helpers import tiny_lm
from tests.helpers.hash_encoder import HashEncoder

HEAD = ClassifierParams(
    devices=["auto"],
    batch_size=8,
    precision="fp32",
    max_length="none",
    truncate_dim="none",
    penalties=[0.01],
    folds=3,
    penalty_rows=1000,
)
USUAL: dict[str, Any] = {
    "student": "classifier",
    "label_weight": 0.5,
    "queries_per_language": 100,
    "pairs_per_query": {"near": 2, "middle": 1, "far": 1},
    "prediction_queries": False,
    "query_prompt": "",
    "ranks": [2, 4],
}


def params(**changes: object) -> DistillParams:
    """The section `distill`."""
    return section(DistillParams, {"distill": USUAL | changes}, "distill", None)


def lessons() -> Lessons:
    """Labelled rows, and pairs without labels; the targets say, less surely, what the labels do: shoes are relevant."""
    rows = tiny_lm.rows()
    pairs = tiny_lm.rows(queries=("a present", "the blue one")).with_columns(
        id=pl.format("u{}", "id"), label=pl.lit(None, pl.Int8), distance=pl.lit("far")
    )
    scores = [table["candidate"].is_in(tiny_lm.SHOES).to_numpy() * 0.6 + 0.2 for table in (rows, pairs)]
    return Lessons.of(rows, pairs.select(PAIR_SCHEMA.names()), (scores[0], scores[1]), 0.0)


def inputs(folder: Path, **changes: object) -> StudentInputs:
    """What a student is trained with; `changes` are of the section `distill`."""
    return StudentInputs(
        settings=params(**changes),
        head=HEAD,
        encoder=HashEncoder(),
        embedder=folder / "embedder",
        vectors=folder / "vectors",
        checkpoints=folder / "checkpoints",
        record={"variant": "original", "teacher": {"model": "models/sft/original/qi", "base": {}}, "path_share": 0.0},
        seed=1,
    )


def agreement(p_yes: np.ndarray, rows: pl.DataFrame) -> float:
    """Share of rows in which p(yes) says what the rule of `lessons` does."""
    return float(((p_yes > 0.5) == rows["candidate"].is_in(tiny_lm.SHOES).to_numpy()).mean())
