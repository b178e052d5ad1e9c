"""Predictions name the split of their rows and the training set of their model; readers refuse those of another."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from babelshelf.classifier import model_folder
from babelshelf.classifier.features import training_features
from babelshelf.classifier.model_folder import encoder_record, write_model
from babelshelf.classifier.params import HeadParams
from babelshelf.classifier.training import fit_rows
from babelshelf.core.errors import InputError
from babelshelf.core.rows import read_table, write_rows, write_table
from babelshelf.encoder.params import EncoderParams
from babelshelf.llm import base_model
from babelshelf.tables.predictions import read_predictions, read_train_scores, source
from babelshelf.tables.reviews import REVIEWED_DEV
from stages import score, score_train
from tests.helpers import profiles, tiny_lm
from tests.helpers.hash_encoder import HashEncoder

ROWS = tiny_lm.rows()
ENCODER = EncoderParams(devices=["cpu"], batch_size=8, precision="fp32", max_length="none", truncate_dim="none")


@pytest.fixture(autouse=True)
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A classifier that was trained on the variant `translated`, in the working directory of the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setattr(model_folder, "load_embedder", lambda *_: HashEncoder())
    Path("params.yaml").write_text(profiles.NANO.read_text(encoding="utf-8"), encoding="utf-8")
    write_rows(Path("rows.parquet"), ROWS)
    base_model.write(Path("base/embedder"), {"builtin": "hash", "sha256": {}})
    head = HeadParams(penalties=[0.1], folds=3, penalty_rows=1000)
    fit = fit_rows(training_features(ROWS, HashEncoder(), Path("vectors")), ROWS, head, 1)
    record = {"variant": "translated", "encoder": encoder_record(HashEncoder(), ENCODER), "path_share": 0.0}
    write_model(Path("model"), fit, record, Path("base/embedder"))
    return Path("model")


def test_scores_of_dev_and_test(model: Path) -> None:
    write_rows(Path("dev.parquet"), ROWS[:8])
    write_rows(Path("filtered") / REVIEWED_DEV, ROWS[8:10])  # those that people have labelled are of dev, too
    write_rows(Path("test.parquet"), ROWS[10:])
    options = ["--dev", "dev.parquet", "--test", "test.parquet", "--trained-on", "filtered", "--base", "base"]
    options += ["--model", str(model)]
    CliRunner().invoke(score.main, ["qi", *options, "--out", "out"], catch_exceptions=False)
    for split, rows in (("dev", 10), ("test", ROWS.height - 10)):
        found = read_predictions(Path("out", f"{split}.parquet"), split)
        assert set(found["split"]) == {split}
        assert set(found["variant"]) == {"translated"}
        assert found.height == rows


def test_scores_of_train_name_the_variant_of_the_model_not_that_of_the_recipe(model: Path) -> None:
    options = ["--pairs", "rows.parquet", "--base", "base", "--model", str(model), "--out", "out"]
    CliRunner().invoke(score_train.main, ["qi", *options], catch_exceptions=False)
    file = Path("out/scores.parquet")
    assert read_train_scores(file, "translated")["id"].equals(ROWS["id"])
    with pytest.raises(
        InputError, match=r"by the model of 'original' are needed.*of 'train' by the model of 'translated'"
    ):
        read_train_scores(file, "original")


@pytest.mark.parametrize(("split", "variant"), [("dev", "translated"), ("train", None), (None, "translated")])
def test_the_filter_takes_no_scores_of_other_rows_or_models(split: str, variant: str | None) -> None:
    right = ROWS.select("id", p_yes=pl.lit(0.5), **source("train", "translated"))
    wrong = right.with_columns(source=pl.int_range(pl.len()) < 3).with_columns(
        split=pl.when("source").then(pl.lit(split, pl.String)).otherwise("split"),
        variant=pl.when("source").then(pl.lit(variant, pl.String)).otherwise("variant"),
    )
    write_table(Path("right.parquet"), right)
    write_table(Path("wrong.parquet"), wrong.drop("source"))
    assert read_train_scores(Path("right.parquet"), "translated").equals(
        read_table(Path("right.parquet")).select("id", "p_yes")
    )
    with pytest.raises(InputError, match=f"3 rows are of {split!r} by the model of {variant!r}"):
        read_train_scores(Path("wrong.parquet"), "translated")


def test_scores_without_their_source_are_refused() -> None:
    write_table(Path("scores.parquet"), ROWS.select("id", p_yes=pl.lit(0.5)))
    with pytest.raises(InputError, match=r"scores.parquet: expected the columns .*variant"):
        read_train_scores(Path("scores.parquet"), "translated")
