"""Metrics with known answers, and what counts as a language of train."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click import Command
from click.testing import CliRunner

from babelshelf.core.errors import InputError
from babelshelf.core.files import read_json, write_json
from babelshelf.core.rows import ROW_SCHEMA, write_rows, write_table
from babelshelf.evaluate.metrics import CURVE_POINTS, evaluate, languages_in_train, point_metrics, precision_recall
from babelshelf.evaluate.params import EvaluateParams
from babelshelf.tables.calibration import Calibration, Recalibration
from babelshelf.tables.predictions import PREDICTION_SCHEMA, all_yes_f1, arrays, read_predictions
from stages.calibrate import main as calibrate_main
from stages.evaluate import main as evaluate_main
from tests.helpers import profiles

SETTINGS = EvaluateParams(resamples=200, confidence=0.95, reliability_bins=2, in_train_rows=20)


def rows(languages: list[str], labels: list[int | None], p_yes: list[float]) -> pl.DataFrame:
    n = len(labels)
    return pl.DataFrame(
        {
            "id": [str(i) for i in range(n)],
            "task": ["qc"] * n,
            "language": languages,
            "query": ["q"] * n,
            "candidate": ["c"] * n,
            "label": labels,
            "origin": ["original"] * n,
            "parent_id": [None] * n,
            "group": [f"g{i // 2}" for i in range(n)],
            "p_yes": p_yes,
            "split": ["dev"] * n,
            "variant": ["original"] * n,
        },
        schema=PREDICTION_SCHEMA,
    )


def example() -> pl.DataFrame:
    return rows(
        ["en", "en", "en", "fr", "fr", "de", "de", "de", "de"],
        [1, 1, 0, 1, 0, 1, 0, 1, None],
        [0.9, 0.4, 0.5, 0.8, 0.1, 0.5, 0.7, 0.2, 0.9],
    )


def test_known_answers() -> None:
    answered = Calibration(0.5).answer(rows(["en"] * 5, [1, 1, 1, 0, 0], [0.9, 0.5, 0.1, 0.8, 0.2]))
    result = point_metrics(answered)  # a score at the threshold is a yes: tp 2, fp 1, fn 1, tn 1
    assert result["f1"] == result["precision"] == result["recall"] == pytest.approx(2 / 3)
    assert result["average_precision"] == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)
    assert result["mcc"] == pytest.approx((2 * 1 - 1 * 1) / 6)
    assert all_yes_f1(arrays(answered)[0]) == pytest.approx(3 / 4)


def test_average_precision_does_not_depend_on_the_order_of_tied_rows() -> None:
    tied = Calibration(0.5).answer(rows(["en"] * 2, [1, 0], [0.5, 0.5]))
    assert point_metrics(tied) == point_metrics(tied.reverse())
    assert point_metrics(tied)["average_precision"] == 0.5


def test_a_language_with_a_threshold_of_its_own_is_answered_by_it() -> None:
    thresholds = Calibration(0.45, {"de": 0.6, "pl": 0.0})
    answered = thresholds.answer(example())
    assert answered.filter(pl.col("language") == "de")["is_relevant"].to_list() == [False, True, False, True]
    others = pl.col("language") != "de"
    assert answered.filter(others).equals(Calibration(0.45).answer(example()).filter(others))
    shared, own = (evaluate(example(), ["en", "fr"], t, SETTINGS, 1) for t in (Calibration(0.45), thresholds))
    assert own["languages"]["de"]["f1"] < shared["languages"]["de"]["f1"]
    assert own["languages"]["en"] == shared["languages"]["en"]
    assert own["absent"]["f1"] == own["languages"]["de"]["f1"] == 0


def test_the_calibration_error_is_that_of_equal_bins() -> None:
    # two bins: en and fr (0.1 to 0.5: 2 of 5 positive), and the rest; by hand from the sorted scores
    result = evaluate(example(), ["en"], Calibration(0.5), SETTINGS, 1)["all"]
    low, high = np.array([0.1, 0.2, 0.4]), np.array([0.5, 0.5, 0.7, 0.8, 0.9])  # tied 0.5s share the bin of the first
    low, high = np.append(low, [0.5, 0.5]), high[2:]
    expected = (5 * abs(low.mean() - 3 / 5) + 3 * abs(high.mean() - 2 / 3)) / 8
    assert result["calibration_error"] == pytest.approx(expected)


def test_yes_and_no_swapped_turns_the_result_over() -> None:
    right = example().drop_nulls("label").filter(pl.col("language") != "de")
    swapped = right.with_columns(p_yes=1 - pl.col("p_yes"))
    metrics = [evaluate(r, ["en", "fr"], Calibration(0.45), SETTINGS, 1)["all"] for r in (right, swapped)]
    assert metrics[0]["mcc"] > 0 > metrics[1]["mcc"]
    assert metrics[0]["f1"] > metrics[1]["f1"]


def test_languages_are_measured_together_apart_and_one_by_one() -> None:
    result = evaluate(example(), ["en", "fr", "es"], Calibration(0.45), SETTINGS, 1)
    assert [result[part]["rows"] for part in ("all", "in_train", "absent")] == [8, 5, 3]
    assert result["unlabelled"] == 1
    assert result["all"]["groups"] == 4
    assert result["in_train"]["f1"] == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))
    assert result["absent"]["f1"] == pytest.approx(2 * 1 / (2 * 1 + 1 + 1))
    assert result["absent"]["all_yes_f1"] == pytest.approx(4 / 5)
    assert {k: (v["rows"], v["in_train"]) for k, v in result["languages"].items()} == {
        "de": (3, False), "en": (3, True), "fr": (2, True),
    }  # fmt: skip
    assert result["languages"]["fr"]["f1"] == 1
    for part in ("all", "in_train", "absent"):
        assert result[part]["f1_low"] <= result[part]["f1"] <= result[part]["f1_high"]


def test_an_empty_part_is_left_out() -> None:
    assert "absent" not in evaluate(example(), ["en", "fr", "de"], Calibration(0.5), SETTINGS, 1)


def test_wrong_language_codes_do_not_put_a_language_into_train() -> None:
    languages = ["en"] * 2000 + ["th"] * 20 + ["de"] * 19 + ["pl"] * 30
    train = rows(languages, [1] * 2039 + [None] * 30, [0.5] * 2069).select(ROW_SCHEMA.names())
    assert languages_in_train(train, 20) == ["en", "th"]  # of which th has under 2 % of the rows; pl has no label
    assert languages_in_train(train, 19) == ["de", "en", "th"]


def test_the_curve_is_thin_and_keeps_its_ends() -> None:
    generator = np.random.default_rng(0)
    label = (generator.random(5000) < 0.5).astype(int)
    curve = precision_recall(rows(["en"] * 5000, label.tolist(), generator.random(5000).tolist()))
    assert curve.height == CURVE_POINTS
    assert curve["recall"].is_sorted()
    assert curve.row(0) == (0.0, 1.0)
    assert curve.row(-1) == pytest.approx((1.0, label.mean()))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (pl.col("p_yes") + 0.2, "row 0 .id '0'.: p_yes is 1.1"),
        (pl.lit(None, pl.Float64).alias("p_yes"), "p_yes is None"),
        (pl.lit(float("nan")).alias("p_yes"), "p_yes is nan"),
        (pl.lit(None, pl.Int8).alias("label"), "no row has the label 1"),
        (pl.col("p_yes").cast(pl.Float32), "expected the columns"),
        (pl.lit(None, pl.String).alias("split"), "predictions for dev are needed, and 9 rows are of None"),
    ],
)
def test_bad_predictions_are_refused(tmp_path: Path, change: pl.Expr, message: str) -> None:
    write_table(tmp_path / "dev.parquet", example().with_columns(change))
    with pytest.raises(InputError, match=message):
        read_predictions(tmp_path / "dev.parquet", "dev")


def test_the_stages_write_metrics_and_plots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(
        "seed: 1\ntasks: {qc: {calibrate: {threshold: tuned}}}\n"
        "calibrate: {method: per_language, folds: 3, per_language: {shrinkage: 10}}\n"
        "evaluate: {resamples: 50, confidence: 0.95, reliability_bins: 3, in_train_rows: 1}\n"
    )
    write_table(Path("dev.parquet"), example())
    write_rows(Path("train.parquet"), example().filter(pl.col("language") != "de").select(ROW_SCHEMA.names()))
    options = ["--predictions", "dev.parquet", "--metrics", "calibrate.json", "--curve", "curve.csv"]
    assert CliRunner().invoke(calibrate_main, ["qc", *options], catch_exceptions=False).exit_code == 0
    assert pl.read_csv("curve.csv").shape == (101, 4)

    # the thresholds are the calibrated ones, not those of test
    calibrated = read_json(Path("calibrate.json"))
    assert list(calibrated["thresholds"]) == ["de", "en", "fr"]
    assert set(calibrated["cross_validated"]) == {"shared", "per_language"}
    write_json(Path("calibrate.json"), calibrated | {"threshold": 0.85, "thresholds": {"fr": 0.75}})
    write_table(Path("test.parquet"), example().with_columns(split=pl.lit("test")))
    write_table(Path("data/filtered/qc/train.parquet"), example().filter(pl.col("language") == "en"))
    write_table(Path("data/filtered/qc/dropped.parquet"), example().filter(pl.col("language") == "fr"))
    options = ["--predictions", "test.parquet", "--train", "train.parquet", "--calibrated", "calibrate.json"]
    options += ["--trained-on", "data/filtered/qc"]
    options += ["--metrics", "m.json", "--precision-recall", "pr.csv", "--languages", "l.csv", "--reliability", "r.csv"]
    assert CliRunner().invoke(evaluate_main, ["qc", *options], catch_exceptions=False).exit_code == 0
    metrics = read_json(Path("m.json"))
    assert metrics["threshold"] == 0.85
    assert metrics["all"]["recall"] == pytest.approx(2 / 5)
    assert metrics["absent"]["rows"] == 3
    assert metrics["dev_rows"] == {"de": 3, "en": 3, "fr": 2}
    assert metrics["filtered"]["language"] == {"en": {"read": 3, "dropped": 0}, "fr": {"read": 2, "dropped": 2}}
    assert pl.read_csv("l.csv")["language"].to_list() == ["de", "en", "fr"]
    assert pl.read_csv("r.csv").columns == ["p_yes", "positive_share", "rows"]
    assert pl.read_csv("pr.csv").columns == ["recall", "precision"]


def test_the_calibration_error_is_measured_before_and_after_recalibration() -> None:
    """Of 40 pairs with p(yes) 0.5 all are relevant; a recalibration that says 0.9 is wrong by 0.1 instead of 0.5."""
    table = rows(["en"] * 40, [1] * 40, [0.5] * 40)
    recalibrated = Calibration(0.5, {}, Recalibration(float(np.log(9)), 1.0))
    found = evaluate(table, ["en"], recalibrated, SETTINGS, 1)["all"]
    assert found["calibration_error"] == pytest.approx(0.5)
    assert found["recalibrated_error"] == pytest.approx(0.1)
    assert "recalibrated_error" not in evaluate(table, ["en"], Calibration(0.5), SETTINGS, 1)["all"]


@pytest.mark.parametrize(
    ("stage", "found", "needed"), [(calibrate_main, "test", "dev"), (evaluate_main, "dev", "test")]
)
def test_thresholds_come_from_dev_and_results_from_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: Command, found: str, needed: str
) -> None:
    monkeypatch.chdir(tmp_path)
    params = profiles.NANO.read_text(encoding="utf-8")
    Path("params.yaml").write_text(params, encoding="utf-8")
    write_table(Path("predictions.parquet"), example().with_columns(split=pl.lit(found)))
    write_rows(Path("train.parquet"), example().select(ROW_SCHEMA.names()))
    write_json(Path("calibrated.json"), {"threshold": 0.5})
    written = {"metrics", "curve", "precision-recall", "languages", "reliability"}
    paths = {"predictions": "predictions.parquet", "train": "train.parquet", "calibrated": "calibrated.json"}
    paths |= {"trained-on": "data/original/qc"}
    paths |= {name: f"{name}.out" for name in written}
    known = {option.lstrip("-") for parameter in stage.params for option in parameter.opts}
    options = [part for name, path in paths.items() if name in known for part in (f"--{name}", path)]
    result = CliRunner().invoke(stage, ["qc", *options])
    assert result.exit_code == 1
    assert f"predictions for {needed} are needed, and 9 rows are of '{found}'" in result.output
    assert not list(Path().glob("*.out"))
