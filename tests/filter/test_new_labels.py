"""Rows without a label that people label become rows of train or of dev, and no query gets into two splits."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from babelshelf.core.files import read_json
from babelshelf.core.rows import ROW_SCHEMA, read_rows, write_rows, write_table
from babelshelf.filter.new_labels import NewRows, newly_labelled
from babelshelf.tables.prediction_sets import UNLABELLED_SCHEMA
from babelshelf.tables.predictions import source
from babelshelf.tables.reviews import PAIR, read_reviewed_dev
from babelshelf.tables.truth import no_truth, write_truth
from babelshelf.text.keys import keys
from stages.filter import main
from tests.filter.test_decisions import agreed, params


def rows(*pairs: tuple[str, str, str], label: int | None = None) -> pl.DataFrame:
    """Rows of language, query and candidate."""
    own = [
        (f"{language}-{query}-{candidate}", "qc", language, query, candidate, label, "original", None, query)
        for language, query, candidate in pairs
    ]
    return pl.DataFrame(own, schema=ROW_SCHEMA, orient="row")


LAMP, SOFA, SHOE, HAT = ("de", "lampe", "lamp"), ("pl", "sofa", "sofa"), ("it", "scarpa", "shoe"), ("de", "hut", "hat")
TRAIN = rows(("en", "shoe", "shoe"), ("en", "Hut!", "tent"), label=1)
UNLABELLED = rows(LAMP, LAMP, SOFA, SHOE, HAT).with_columns(split=pl.lit("test")).select(UNLABELLED_SCHEMA.names())
HELD_OUT = keys(pl.Series(["Scarpa"]))


def made(*decisions: tuple[str, str, str, int | None], dev: tuple[str, ...] = ()) -> NewRows:
    return newly_labelled(UNLABELLED, agreed(*decisions), TRAIN, HELD_OUT, dev_languages=dev)


def test_a_row_that_people_label_goes_where_its_language_goes() -> None:
    new = made((*LAMP, 1), (*SOFA, 0), dev=("de",))
    assert new.dev.select(*PAIR, "label").rows() == [(*LAMP, 1)]
    assert new.train.select(*PAIR, "label").rows() == [(*SOFA, 0)]
    assert new.counts == {"labelled": 2, "train": 1, "dev": 1, "left_out": 0}
    assert new.train.schema == new.dev.schema == ROW_SCHEMA
    assert made((*LAMP, 1), (*SOFA, 0)).dev.is_empty()


def test_without_agreement_a_row_stays_without_a_label() -> None:
    assert made((*LAMP, None), ("de", "other", "lamp", 1)).counts == {
        "labelled": 0, "train": 0, "dev": 0, "left_out": 0
    }  # fmt: skip


@pytest.mark.parametrize("dev", [(), ("it",)])
def test_a_query_of_dev_or_test_is_left_out(dev: tuple[str, ...]) -> None:
    assert made((*SHOE, 1), dev=dev).counts == {"labelled": 1, "train": 0, "dev": 0, "left_out": 1}


def test_a_query_of_train_may_not_go_to_dev() -> None:
    """The German "hut" has the key of the English "Hut!"."""
    assert made((*HAT, 1)).counts["train"] == 1
    assert made((*HAT, 1), dev=("de",)).counts == {"labelled": 1, "train": 0, "dev": 0, "left_out": 1}


def test_of_a_query_in_two_languages_dev_comes_first() -> None:
    both = pl.concat(
        [UNLABELLED, rows(("pl", "Lampe", "hat")).with_columns(split=pl.lit("test")).select(UNLABELLED.columns)]
    )
    new = newly_labelled(both, agreed((*LAMP, 1), ("pl", "Lampe", "hat", 0)), TRAIN, HELD_OUT, dev_languages=["de"])
    assert new.counts == {"labelled": 2, "train": 0, "dev": 1, "left_out": 1}


def test_a_pair_that_train_has_is_not_new() -> None:
    known = rows(SOFA, label=1)
    assert newly_labelled(UNLABELLED, agreed((*SOFA, 0)), known, HELD_OUT, dev_languages=[]).counts["labelled"] == 0


def test_the_stage_writes_new_rows_of_train_and_of_dev(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    values = params(dev_languages=["de"]).model_dump(exclude={"judges"})
    Path("params.yaml").write_text(json.dumps({"threads": 1, "tasks": {"qc": {"filter": values}}}))
    write_rows(Path("train.parquet"), TRAIN)
    write_table(
        Path("scores/scores.parquet"), TRAIN.select("id", p_yes=pl.lit(0.9)).with_columns(**source("train", "x"))
    )
    write_table(Path("unlabelled.parquet"), UNLABELLED)
    write_table(Path("held_out.parquet"), HELD_OUT.alias("key").to_frame())
    write_truth(Path("truth"), no_truth())
    Path("reviews").mkdir()
    lines = [
        dict(zip(PAIR, pair, strict=True)) | {"label": 1, "was": None, "at": "2026-01-31T12:00:00Z"}
        for pair in (LAMP, SOFA, SHOE)
    ]
    Path("reviews/ann.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    paths = {"train": "train.parquet", "scores": "scores", "truth": "truth", "reviews": "reviews", "variant": "x"}
    paths |= {"unlabelled": "unlabelled.parquet", "held-out": "held_out.parquet", "prompt": "prompt.txt"}
    paths |= {"out": "out", "metrics": "m.json"}
    options = [part for name, path in paths.items() for part in (f"--{name}", path)]
    result = CliRunner().invoke(main, ["qc", *options], catch_exceptions=False)
    assert "0 dropped; newly labelled: 1 for train, 1 for dev" in result.output
    assert read_rows(Path("out/train.parquet")).select(PAIR).rows()[-1] == SOFA
    assert read_reviewed_dev(Path("out")).select(*PAIR, "label").rows() == [(*LAMP, 1)]
    assert read_json(Path("m.json"))["newly_labelled"] == {"labelled": 3, "train": 1, "dev": 1, "left_out": 1}
