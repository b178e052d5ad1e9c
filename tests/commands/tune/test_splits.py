"""Folds: no query group on both sides, no absent language in training rows, nothing hidden in an inner fold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from babelshelf.commands.tune.splits import nested
from babelshelf.commands.tune.task_data import SearchData, TaskFiles, language_sets, read_data
from tests.helpers import tune_data


@pytest.fixture
def data(tmp_path: Path) -> SearchData:
    """Train in four languages; dev has a fifth one."""
    rows = tune_data.pairs(200)
    groups = rows["group"].unique(maintain_order=True)
    rows = rows.with_columns(
        language=pl.when(pl.col("group").is_in(groups.tail(15).implode())).then(pl.lit("de")).otherwise("language")
    )
    return read_data("qi", tune_data.write(rows, tmp_path), 20, 10_000, 1)


def test_languages_that_only_dev_has_are_absent_and_never_trained_on(data: SearchData) -> None:
    assert data.absent == ["de"]
    assert data.rows.filter(pl.Series(~data.trainable))["language"].unique().to_list() == ["de"]


def test_the_largest_language_is_never_left_out(data: SearchData) -> None:
    sizes = data.rows.filter(pl.Series(data.trainable))["language"].value_counts(sort=True)
    sets = language_sets(data, 1)
    assert len(sets) == 3
    assert sizes["language"][0] not in frozenset[str]().union(*sets)
    assert len(frozenset[str]().union(*sets)) == 3


def test_no_group_and_no_absent_language_crosses_a_split(data: SearchData) -> None:
    groups, languages = data.rows["group"].to_numpy(), data.rows["language"].to_numpy()
    for scope in nested(data, language_sets(data, 1), 1):
        for split in scope.splits:
            assert not set(groups[split.train]) & set(groups[split.test])
            assert not set(languages[split.train]) & split.absent
            assert split.train.any()
            assert split.test.any()


def test_a_search_sees_nothing_of_the_fold_that_judges_it(data: SearchData) -> None:
    groups, languages = data.rows["group"].to_numpy(), data.rows["language"].to_numpy()
    everything, *judged = nested(data, language_sets(data, 1), 1)
    assert everything.judge is None
    for scope in judged:
        assert scope.judge is not None
        hidden = scope.judge.absent - {"de"}
        assert hidden
        for split in scope.splits:
            used = split.train | split.test
            assert not set(groups[used]) & set(groups[scope.judge.test])
            assert not set(languages[used]) & hidden


def test_the_outer_folds_measure_on_each_row_once(data: SearchData) -> None:
    everything, *_ = nested(data, [], 1)
    assert (np.sum([split.test for split in everything.splits], axis=0) == 1).all()


def test_the_files_of_a_task_are_not_those_of_test() -> None:
    files = TaskFiles.of("qc")
    assert {path.name for path in (files.train, files.dev, files.catalogue)} == {
        "train.parquet",
        "dev.parquet",
        "qc.parquet",
    }
