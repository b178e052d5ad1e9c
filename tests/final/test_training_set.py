"""The variant `final` has the rows of dev and test, and only `predict_final` accepts a model that was trained on it."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from babelshelf.core.errors import InputError
from babelshelf.final.training_set import with_held_out
from babelshelf.score.scorer import refuse_final
from stages import calibrate, evaluate
from tests.helpers import tiny_lm

ROWS = tiny_lm.rows()
TRAIN, DEV, TEST = ROWS[:20], ROWS[20:25], ROWS[25:]


def test_labelled_rows_of_dev_and_test_are_added_as_they_are() -> None:
    without_label = DEV.with_row_index().with_columns(
        label=pl.when(pl.col("index") == 0).then(None).otherwise(pl.col("label")).cast(pl.Int8)
    )
    made = with_held_out(TRAIN, {"dev": without_label.drop("index"), "test": TEST})
    assert made.rows.equals(pl.concat([TRAIN, DEV[1:], TEST]))
    assert made.counts == {"train": 20, "dev": 4, "test": 5, "all": 29}


def test_a_row_that_is_in_train_already_is_an_error() -> None:
    with pytest.raises(InputError, match=r"id 'r19' is in train and held out \(1 such rows\)"):
        with_held_out(TRAIN, {"dev": DEV, "test": pl.concat([TEST, TRAIN[19:]])})


def test_without_labelled_rows_there_is_nothing_to_add() -> None:
    unlabelled = DEV.with_columns(label=pl.lit(None, pl.Int8))
    with pytest.raises(InputError, match="run the stage predict"):
        with_held_out(TRAIN, {"dev": unlabelled, "test": unlabelled})


@pytest.mark.parametrize("variant", ["original", "filtered", None])
def test_models_of_other_variants_may_score_dev_and_test(tmp_path: Path, variant: str | None) -> None:
    (tmp_path / "prompt.json").write_text(json.dumps({"variant": variant} if variant else {}))
    refuse_final(tmp_path)


def test_a_model_that_was_trained_on_dev_and_test_may_not(tmp_path: Path) -> None:
    (tmp_path / "prompt.json").write_text(json.dumps({"variant": "final"}))
    with pytest.raises(InputError, match="trained on dev and test"):
        refuse_final(tmp_path)


@pytest.mark.parametrize("stage", [calibrate, evaluate])
def test_what_predict_final_writes_is_neither_calibrated_nor_evaluated(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: object
) -> None:
    """Its rows are of the prediction sets, without labels: they have the columns of answers."""
    (tmp_path / "params.yaml").write_text((root / "profiles" / "nano.yaml").read_text(encoding="utf-8"))
    monkeypatch.chdir(tmp_path)
    answers = pl.DataFrame({"split": ["dev"], "id": ["r1"], "p_yes": [0.5], "is_relevant": [True]})
    answers.write_parquet("predictions.parquet")
    Path("calibrated.json").write_text('{"threshold": 0.5}')
    TRAIN.write_parquet("train.parquet")
    options = {"--predictions": "predictions.parquet", "--metrics": "metrics.json"}
    if stage is calibrate:
        options |= {"--curve": "curve.csv"}
    else:
        options |= {"--train": "train.parquet", "--trained-on": "data", "--calibrated": "calibrated.json"}
        options |= {f"--{name}": f"{name}.csv" for name in ("precision-recall", "reliability", "languages")}
    result = CliRunner().invoke(stage.main, ["qc", *(word for option in options.items() for word in option)])  # type: ignore[attr-defined]
    assert result.exit_code == 1
    assert "predictions.parquet: expected the columns" in result.output
    assert not Path("metrics.json").exists()
