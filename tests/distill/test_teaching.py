"""The teacher's scores are kept by what they depend on, and targets mix them with labels as the params say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from babelshelf.distill.teaching import Lessons, Teacher, cached_scores
from babelshelf.distill.unlabelled import PAIR_SCHEMA
from tests.helpers import tiny_lm

ROWS = tiny_lm.rows()


class LengthScorer:
    """p(yes) by the length of the texts; `scored` has the number of pairs of each call."""

    chunk = 8

    def __init__(self, fails_at: int | None = None) -> None:
        self.scored: list[int] = []
        self._fails_at = fails_at

    def encode(self, rows: pl.DataFrame) -> pl.Series:
        return rows.select(pl.col("query").str.len_chars() + pl.col("candidate").str.len_chars()).to_series()

    def order(self, prompts: pl.Series) -> np.ndarray:
        return prompts.arg_sort().to_numpy().astype(np.int64)

    def score(self, prompts: pl.Series) -> np.ndarray:
        if len(self.scored) == self._fails_at:
            raise KeyboardInterrupt
        self.scored.append(len(prompts))
        p_yes: np.ndarray = 1 / prompts.cast(pl.Float64).to_numpy()
        return p_yes


def expected(rows: pl.DataFrame) -> np.ndarray:
    return 1 / np.array([len(query) + len(candidate) for query, candidate in rows.select("query", "candidate").rows()])


def test_a_killed_run_scores_the_rest_alone(tmp_path: Path) -> None:
    killed = LengthScorer(fails_at=2)
    with pytest.raises(KeyboardInterrupt):
        cached_scores(ROWS, killed, "m", tmp_path)
    rest = LengthScorer()
    assert np.array_equal(cached_scores(ROWS, rest, "m", tmp_path), expected(ROWS))
    assert sum(killed.scored) + sum(rest.scored) == ROWS.height
    assert len(rest.scored) == 2


@pytest.mark.parametrize("change", ["model", "query", "candidate", "language", "task"])
def test_scores_are_those_of_this_model_and_these_texts(tmp_path: Path, change: str) -> None:
    cached_scores(ROWS, LengthScorer(), "m", tmp_path)
    again, other = LengthScorer(), LengthScorer()
    cached_scores(ROWS.with_columns(id=pl.format("x{}", "id"), label=pl.lit(None, pl.Int8)), again, "m", tmp_path)
    assert again.scored == []
    rows = ROWS if change == "model" else ROWS.with_columns(pl.col(change) + "x")
    assert np.array_equal(cached_scores(rows, other, "n" if change == "model" else "m", tmp_path), expected(rows))
    assert sum(other.scored) == ROWS.height


def test_no_rows_need_no_scores(tmp_path: Path) -> None:
    scorer = LengthScorer()
    assert cached_scores(ROWS.clear(), scorer, "m", tmp_path).shape == (0,)


@pytest.mark.parametrize(("weight", "of_labelled"), [(0.0, [0.9, 0.3]), (1.0, [0.0, 1.0]), (0.25, [0.675, 0.475])])
def test_a_label_has_its_weight_in_the_target_and_a_missing_one_none(weight: float, of_labelled: list[float]) -> None:
    train = ROWS.head(3).with_columns(label=pl.Series([0, 1, None], dtype=pl.Int8))
    pairs = ROWS.tail(1).with_columns(label=pl.lit(None, pl.Int8), distance=pl.lit("far")).select(PAIR_SCHEMA.names())
    lessons = Lessons.of(train, pairs, (np.array([0.9, 0.3, 0.7]), np.array([0.1])), weight)
    assert np.allclose(lessons.targets, [*of_labelled, 0.7, 0.1])
    assert lessons.training == 3
    assert lessons.rows["id"].to_list() == [*train["id"], *pairs["id"]]


def test_a_teacher_s_identity_is_that_of_its_weights_base_and_settings(tmp_path: Path) -> None:
    base = tiny_lm.save_base(tmp_path / "base")
    model = tmp_path / "model"
    model.mkdir()
    (model / "prompt.json").write_text("{}", encoding="utf-8")

    def identity(folder: Path = base, rows: int = 64) -> str:
        return Teacher(folder, model, tiny_lm.score_params(row_tokens=rows), tmp_path / "cache").identity

    first = identity()
    assert first == identity()
    assert first != identity(rows=32)
    assert first != identity(tiny_lm.save_base(tmp_path / "other", tiny_lm.WIDE))
    (model / "prompt.json").write_text('{"max_length": 8}', encoding="utf-8")
    assert first != identity()
