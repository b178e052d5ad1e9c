"""Intervals against those of repeated rows by scikit-learn, and what pairing and grouping do to their width."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import average_precision_score, f1_score, matthews_corrcoef

from babelshelf.core.errors import InputError
from babelshelf.evaluate.bootstrap import Pair, intervals, paired_difference
from babelshelf.evaluate.metric_names import RESAMPLED
from babelshelf.evaluate.ranking import mean_ndcg
from babelshelf.tables.calibration import Calibration

OPTIONS = {"resamples": 500, "confidence": 0.95, "seed": 1}


def predictions(n: int = 600, *, per_group: int = 3, signal: float = 0.3, seed: int = 0) -> pl.DataFrame:
    """Rows with tied scores; the higher `signal`, the better the predictions."""
    generator = np.random.default_rng(seed)
    label = generator.random(n) < 0.6
    p_yes = np.clip(generator.normal(0.5 + signal * (label - 0.5), 0.2), 0, 1).round(2)
    return pl.DataFrame(
        {
            "id": [f"{i:05}" for i in range(n)],
            "language": ["de" if i % 2 else "en" for i in range(n)],
            "group": [f"g{i // per_group}" for i in range(n)],
            "query": [f"q{i // per_group}" for i in range(n)],
            "label": label.astype(np.int8),
            "p_yes": p_yes,
        }
    )


def at(threshold: float, rows: pl.DataFrame) -> pl.DataFrame:
    return Calibration(threshold).answer(rows)


def expected(rows: pl.DataFrame, threshold: float) -> np.ndarray:
    label, p_yes = rows["label"].to_numpy(), rows["p_yes"].to_numpy()
    yes = p_yes >= threshold
    of_rows = [f1_score(label, yes), average_precision_score(label, p_yes), matthews_corrcoef(label, yes)]
    return np.array([*of_rows, mean_ndcg(rows)])


def widths(rows: pl.DataFrame) -> np.ndarray:
    result = intervals(at(0.5, rows), **OPTIONS)
    defined = [metric for metric in RESAMPLED if f"{metric}_low" in result]
    return np.array([result[f"{metric}_high"] - result[f"{metric}_low"] for metric in defined])


def test_difference_is_that_of_scikit_learn_and_lies_in_its_interval() -> None:
    a, b = predictions(signal=0.2), predictions(signal=0.4)
    result = paired_difference(Pair(at(0.4, a), at(0.5, b)), **OPTIONS)
    assert [result[m].value for m in RESAMPLED] == pytest.approx(list(expected(b, 0.5) - expected(a, 0.4)), abs=1e-6)
    assert all(result[m].low < result[m].value < result[m].high for m in RESAMPLED)
    assert all(result[m].low > 0 for m in RESAMPLED)


def test_every_resample_equals_scikit_learn_on_the_repeated_rows() -> None:
    rows = predictions(60)
    groups = sorted(rows["group"].unique())
    drawn = np.random.default_rng([1, 9, 0]).multinomial(len(groups), np.full(len(groups), 1 / len(groups)), size=20)
    samples = []
    for counts in drawn:
        copies = pl.DataFrame({"group": groups, "copy": [list(range(count)) for count in counts]}).explode("copy")
        repeated = rows.join(copies.drop_nulls(), on="group").with_columns(group=pl.format("{} {}", "group", "copy"))
        samples.append(expected(repeated, 0.5))
    result = intervals(at(0.5, rows), resamples=20, confidence=0.9, seed=1)
    low, high = np.quantile(samples, [0.05, 0.95], axis=0)
    assert [result[f"{m}_low"] for m in RESAMPLED] == pytest.approx(list(low), abs=1e-6)  # sums are float32
    assert [result[f"{m}_high"] for m in RESAMPLED] == pytest.approx(list(high), abs=1e-6)


def test_a_metric_that_is_not_defined_has_no_interval_and_no_difference() -> None:
    rows = at(0.5, predictions(300, per_group=1))  # no group has both labels
    assert "ndcg_at_10_low" not in intervals(rows, **OPTIONS)
    assert paired_difference(Pair(rows, rows), **OPTIONS).keys() == {"f1", "average_precision", "mcc"}


def test_a_resample_without_a_group_of_both_labels_does_not_count() -> None:
    mixed = predictions(2, per_group=2).with_columns(
        label=pl.Series([1, 0]), p_yes=pl.Series([0.6, 0.4]), language=pl.lit("en")
    )
    single = predictions(4, per_group=1).with_columns(pl.col("id", "group") + "x", label=pl.lit(1, pl.Int64))
    result = intervals(at(0.5, pl.concat([mixed, single])), **OPTIONS)  # a third of the resamples lack the group
    assert (result["ndcg_at_10_low"], result["ndcg_at_10_high"]) == (1, 1)


def test_repeated_rows_of_a_group_make_no_interval_narrower() -> None:
    rows = predictions(300, per_group=1)
    repeated = pl.concat([rows] * 4)
    alone = repeated.with_columns(group=pl.int_range(pl.len()).cast(pl.String))
    assert widths(repeated) == pytest.approx(widths(rows), rel=1e-6)
    assert (widths(alone) < 0.7 * widths(repeated)).all()


def test_pairing_makes_the_interval_of_a_small_gain_narrow() -> None:
    a = predictions()
    flip = pl.int_range(pl.len()) % 20 == 0
    b = a.with_columns(p_yes=pl.when(flip).then(pl.col("label").cast(pl.Float64)).otherwise("p_yes"))
    difference = paired_difference(Pair(at(0.5, a), at(0.5, b)), **OPTIONS)["f1"]
    assert difference.high - difference.low < widths(a)[0]
    assert paired_difference(Pair(at(0.5, a), at(0.5, a)), **OPTIONS)["f1"].high == 0


def test_only_the_rows_of_the_languages_count_and_their_order_does_not() -> None:
    a, b = predictions(signal=0.2), predictions(signal=0.4)
    worse = b.with_columns(p_yes=pl.when(pl.col("language") == "en").then(1 - pl.col("p_yes")).otherwise("p_yes"))
    of_german = paired_difference(Pair(at(0.5, a), at(0.5, b)), languages=["de"], **OPTIONS)
    shuffled = Pair(at(0.5, a).reverse(), at(0.5, worse).sample(fraction=1, shuffle=True, seed=3))
    assert paired_difference(shuffled, languages=["de"], **OPTIONS) == of_german
    assert paired_difference(shuffled, languages=["en"], **OPTIONS)["f1"].high < 0


@pytest.mark.parametrize("change", [pl.col("label").reverse(), pl.col("id") + "x", pl.col("group") + "x"])
def test_runs_on_other_rows_are_refused(change: pl.Expr) -> None:
    rows = predictions(60)
    with pytest.raises(InputError, match="same labelled rows"):
        paired_difference(Pair(at(0.5, rows), at(0.5, rows.with_columns(change))), **OPTIONS)


def test_the_seed_decides() -> None:
    rows = predictions(60)
    assert intervals(at(0.5, rows), **OPTIONS) == intervals(at(0.5, rows), **OPTIONS)
    assert intervals(at(0.5, rows), **OPTIONS) != intervals(at(0.5, rows), **OPTIONS | {"seed": 2})
