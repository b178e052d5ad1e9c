"""The comparison of the classifier with an LM: gains, agreement, and runs that are made once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from babelshelf.core.rows import ROW_SCHEMA
from benchmarks.proxy_truth import agreement, data_sets, recipes, results, text


def runs(model: str, recipe: str, levels: list[float], shift: float = 0.0) -> list[dict[str, object]]:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.01, results.RESAMPLES)
    return [
        {"data": "d", "model": model, "recipe": recipe, "seed": seed, "rows": 10, "seconds": 1.0}
        | {"ap": level + shift, "ap_draws": (level + shift + noise).tolist()}
        for seed, level in enumerate(levels, start=1)
    ]


def test_gains_are_over_none_and_in_points() -> None:
    lines = [*runs("lm", "none", [0.80, 0.82]), *runs("lm", "far", [0.83, 0.85])]
    found = agreement.gains(lines, "ap")
    assert found.recipes == ["far"]
    assert found.value == pytest.approx([3.0])
    assert found.level == pytest.approx(81.0)
    low, high = found.bounds[:, 0]
    assert low < 3.0 < high


def test_the_interval_grows_with_the_deviation_over_seeds() -> None:
    widths = []
    for spread in (0.001, 0.02):
        lines = [*runs("lm", "none", [0.8 - spread, 0.8 + spread]), *runs("lm", "far", [0.8 + spread, 0.8 - spread])]
        low, high = agreement.gains(lines, "ap").bounds[:, 0]
        widths.append(high - low)
    assert widths[1] > 10 * widths[0]


def test_opposite_gains_disagree_in_rank_and_sign() -> None:
    shifts = {"none": 0.0, "near": -0.02, "far": 0.03, "half": -0.04}
    lm = agreement.gains([one for name, by in shifts.items() for one in runs("lm", name, [0.8, 0.8], by)], "ap")
    same = agreement.agreement(lm, lm)
    assert same.kendall[0] == pytest.approx(1.0)
    assert same.signs == pytest.approx((1.0, 1.0, 1.0))
    flipped = {name: -by for name, by in shifts.items()}
    other = agreement.gains([one for name, by in flipped.items() for one in runs("c", name, [0.8, 0.8], by)], "ap")
    opposite = agreement.agreement(lm, other)
    assert opposite.kendall[0] == pytest.approx(-1.0)
    assert opposite.spearman[0] == pytest.approx(-1.0)
    assert opposite.signs == pytest.approx((0.0, 0.0, 0.0))


def test_draws_share_the_query_groups_and_not_the_seeds() -> None:
    for gains, same in (([0.83, 0.83], True), ([0.82, 0.84], False)):
        lm, classifier = (
            agreement.gains([*runs(model, "none", [0.80, 0.80]), *runs(model, "far", gains)], "ap")
            for model in ("lm", "classifier")
        )
        assert np.allclose(lm.draws, classifier.draws) is same


def test_results_of_runs_that_were_killed_have_a_table() -> None:
    common = {"device": "cpu", "mcc": 0.5, "f1": 0.8, "all_yes_f1": 0.7}
    made = [*runs("lm", "none", [0.8, 0.9]), *runs("lm", "far", [0.8]), *runs("lm", "flipped-filtered", [0.8])]
    found = list(text.lines([line | common for line in made]))
    assert any(line.startswith("| lm | far | 1 |") for line in found)


def test_what_a_filter_recovers_is_over_the_same_seeds_with_wrong_labels() -> None:
    levels = {"none": [0.9, 0.9], "flipped": [0.7, 0.8], "flipped-filtered": [0.75, 0.86]}
    lines = [
        one | {"device": "cpu", "mcc": 0.5, "f1": 0.8, "all_yes_f1": 0.7}
        for model in ("lm", "classifier")
        for recipe, values in levels.items()
        for one in runs(model, recipe, values)
    ]
    found = [line for line in text.lines(lines) if "| flipped-filtered | 100% |" in line]
    assert len(found) == 2
    assert found[0].startswith("| d | lm | flipped-filtered | 100% | +5.5 [")


def test_an_lm_is_compared_with_the_classifier_on_the_same_seeds() -> None:
    common = {"device": "cpu", "mcc": 0.5, "f1": 0.8, "all_yes_f1": 0.7}
    lines = [one | common for one in [*runs("lm", "none", [0.9, 0.92, 0.94]), *runs("classifier", "none", [0.9, 0.9])]]
    assert next(line for line in text.lines(lines) if line.startswith("| d | lm | 10 | 2 | +1.0 ["))


def test_finished_runs_are_known_by_data_model_recipe_and_seed(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    assert results.finished(file) == set()
    for line in runs("lm", "none", [0.8, 0.9]):
        results.append(file, line)
    assert results.finished(file) == {("d", "lm", "none", 1), ("d", "lm", "none", 2)}


def table(groups: int) -> pl.DataFrame:
    made = [
        {
            "id": f"{group}-{row}",
            "task": "qc",
            "language": "en" if group % 3 else "de",
            "query": f"query {group}",
            "candidate": f"A > {row}",
            "label": row % 2,
            "origin": "original",
            "parent_id": None,
            "group": f"g{group}",
        }
        for group in range(groups)
        for row in range(2)
    ]
    return pl.DataFrame(made, schema=ROW_SCHEMA)


def test_measured_has_draws_around_average_precision() -> None:
    rows = table(60).with_columns(p_yes=pl.Series(np.random.default_rng(1).random(120)))
    found = results.measured(results.Scored(rows, rows, ["en"]), seed=1)
    assert len(found["ap_draws"]) == len(found["ap_absent_draws"]) == results.RESAMPLES
    assert min(found["ap_draws"]) < found["ap"] < max(found["ap_draws"])
    assert found["ap_absent"] != found["ap"]


def test_a_cut_keeps_groups_whole_and_their_order() -> None:
    rows = table(50)
    found = data_sets.cut(rows, 21)
    assert found.height == 20
    assert found["group"].value_counts()["count"].to_list() == [2] * 10
    assert found["id"].to_list() == [one for one in rows["id"] if one in set(found["id"])]
    both = data_sets.balanced(rows, ["en"], 20)
    assert both["language"].value_counts().sort("language")["count"].to_list() == [10, 10]


def test_half_and_flipped_change_what_they_say() -> None:
    rows = table(50)
    data = data_sets.DataSet(rows, rows, rows, [], rows["query"], None, [])
    inputs = recipes.RecipeInputs(data, encoder=None, work=Path(), seed=1)  # type: ignore[arg-type]
    wrong = recipes.flipped(inputs)
    assert int((wrong["label"] != rows["label"]).sum()) == 20
    assert wrong.drop("label").equals(rows.drop("label"))
    kept = recipes.half(inputs)
    assert kept["group"].n_unique() == 25
    assert kept.height == 50
    assert "translated" not in recipes.recipes(data)
    assert tuple(recipes.RECIPES) == data_sets.RECIPES
