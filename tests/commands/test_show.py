"""The summary, the table on the screen and the one in a README."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from babelshelf.commands.show import BEGIN, END, columns, lines, markdown, meaning, meanings, table, with_results
from babelshelf.core.errors import InputError
from babelshelf.core.files import read_json, write_json
from babelshelf.evaluate.metric_names import HEADINGS
from stages.summarize import main


def part(f1: float) -> dict[str, float]:
    names = ("f1", "precision", "recall", "average_precision", "mcc")
    values = dict.fromkeys(HEADINGS, 0.5) | {name: f1 + i / 100 for i, name in enumerate(names)}
    return values | {"f1_low": f1 - 0.02, "f1_high": f1 + 0.02, "all_yes_f1": 0.75, "rows": 10, "groups": 5}


def evaluated(f1: float, *, absent: bool = True) -> dict[str, Any]:
    parts = {"all": part(f1), "in_train": part(f1 + 0.05)} | ({"absent": part(f1 - 0.1)} if absent else {})
    return {"threshold": 0.4321, "confidence": 0.95, **parts, "languages": {"en": {"f1": f1}}}


@pytest.fixture
def metrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two tasks of params.yaml and the file of a task that was there once, summarized by the stage."""
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("tasks: {qc: {}, qi: {}}")
    for task, values in {"qc": evaluated(0.8), "qi": evaluated(0.7, absent=False), "stale": evaluated(0.1)}.items():
        write_json(Path(f"metrics/evaluate/{task}.json"), values)
    options = ["--evaluated", "metrics/evaluate", "--metrics", "metrics/summarize.json"]
    assert CliRunner().invoke(main, options, catch_exceptions=False).exit_code == 0
    return tmp_path / "metrics"


def test_summary_is_small_and_of_the_tasks_in_params_alone(metrics: Path) -> None:
    assert read_json(metrics / "summarize.json") == {
        "f1_average": 0.75,
        "tasks": {
            "qc": {
                "f1": 0.8, "f1_low": 0.78, "f1_high": 0.82, "average_precision": 0.83, "mcc": 0.84,
                "ndcg_at_10": 0.5, "all_yes_f1": 0.75,
                "f1_in_train": 0.85, "f1_absent": 0.7, "all_yes_margin": 0.03, "all_yes_margin_absent": -0.07,
                "threshold": 0.4321,
            },
            "qi": {
                "f1": 0.7, "f1_low": 0.68, "f1_high": 0.72, "average_precision": 0.73, "mcc": 0.74,
                "ndcg_at_10": 0.5, "all_yes_f1": 0.75,
                "f1_in_train": 0.75, "all_yes_margin": -0.07, "threshold": 0.4321,
            },
        },
        "warnings": {
            "qc": ['F1 in languages absent from train is not clearly above answering "yes" to every pair '
                   "(68.0–72.0 against 75.0)"],
            "qi": ['F1 is not clearly above answering "yes" to every pair (68.0–72.0 against 75.0)'],
        },
    }  # fmt: skip


def column(metrics: Path, task: str, languages: str) -> dict[str, str]:
    """What the table has of a part, by heading."""
    place = columns(metrics).index((task, languages))
    return {heading: cells[place] for heading, *cells in lines(metrics)}


def test_table_has_a_column_for_each_part_and_a_line_for_each_metric(metrics: Path) -> None:
    assert columns(metrics) == [("qc", "all"), ("qc", "in train"), ("qc", "absent"), ("qi", "all"), ("qi", "in train")]
    assert {line[0] for line in lines(metrics)} == {*HEADINGS.values(), "95 % interval", "Threshold"}
    expected = {"F1": "70.0", "95 % interval": "68.0–72.0", "Precision": "71.0", "Recall": "72.0", "AP": "73.0"}
    expected |= {"MCC": "74.0", 'All "yes" F1': "75.0", "Threshold": "0.432"}
    assert column(metrics, "qc", "absent").items() >= expected.items()


def test_a_metric_that_a_part_does_not_have_is_a_dash_and_one_that_none_has_is_left_out(metrics: Path) -> None:
    values = evaluated(0.8)
    del values["absent"]["ndcg_at_10"]
    write_json(metrics / "evaluate/qc.json", values)
    assert [column(metrics, "qc", part)["nDCG@10"] for part in ("all", "absent")] == ["50.0", "–"]
    for part in ("all", "in_train"):
        del values[part]["ndcg_at_10"]
    write_json(metrics / "evaluate/qc.json", values)
    assert column(metrics, "qc", "all")["nDCG@10"] == "–"
    write_json(metrics / "evaluate/qi.json", values)
    assert "nDCG@10" not in markdown(metrics)


def test_table_fits_a_screen_of_80_columns(metrics: Path) -> None:
    write_json(metrics / "evaluate/qi.json", evaluated(0.7))
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(table(metrics))
    text = console.export_text()
    assert [line for line in lines(metrics) if line[0] not in text or any(cell not in text for cell in line)] == []
    assert "F1 average: 75.0" in text
    assert "…" not in text


def test_readme_follows_the_metrics(metrics: Path) -> None:
    readme = f"# Title\n\n{BEGIN}\nold\n{END}\n\nMore.\n"
    updated = with_results(readme, metrics)
    assert updated == f"# Title\n\n{BEGIN}\n\n{markdown(metrics)}\n\n{END}\n\nMore.\n"
    assert "|  | qc all | qc in train | qc absent | qi all | qi in train |" in updated
    assert "| F1 | 80.0 | 85.0 | 70.0 | 70.0 | 75.0 |" in updated
    assert "F1 average: **75.0**" in updated
    assert with_results(updated, metrics) == updated
    write_json(metrics / "evaluate/qc.json", evaluated(0.6))
    assert with_results(updated, metrics) != updated


@pytest.mark.parametrize("readme", ["# Title\n", f"{END}\n{BEGIN}\n", f"{BEGIN}\n"])
def test_readme_without_its_markers_is_an_error(metrics: Path, readme: str) -> None:
    with pytest.raises(InputError, match="results: begin"):
        with_results(readme, metrics)


def test_a_task_that_was_not_evaluated_is_an_error(metrics: Path) -> None:
    Path(metrics / "evaluate/qi.json").unlink()
    with pytest.raises(InputError, match="evaluate@qi"):
        lines(metrics)


def test_warnings_follow_what_the_table_means(metrics: Path) -> None:
    few = {"dev_rows": {"en": 3}}
    write_json(metrics / "evaluate/qc.json", evaluated(0.9) | few)
    write_json(metrics / "evaluate/qi.json", evaluated(0.7) | few)
    said = meanings(metrics, params("nano"))
    assert [line.partition(":")[0] for line in said] == ["qc", "check", "qi", "check"]
    assert said[1] == "check: qc: dev has fewer than 50 labelled rows, too few to check a threshold, of en (3)"


def params(model: str, train_on: str = "original", method: str = "sft") -> dict[str, Any]:
    recipe = {"method": method, "train_on": train_on, "filter_on": "negatives", "negatives_on": "translated"}
    return {"base_model": {"lm": {"model": model}}, "tasks": {"qc": recipe, "qi": recipe}}


NANO = params("nano")
LARGE = params("Qwen/Qwen3-14B-Base")
TRANSLATED = params("nano", "negatives")
CLASSIFIER = params("nano", method="classifier")


def test_a_clear_gain_is_said_with_its_numbers_and_without_advice() -> None:
    assert meaning("qc", evaluated(0.9), NANO) == (
        'qc: F1 is above answering "yes" to every pair (88.0–92.0 against 75.0) and in languages absent from train F1 '
        'is above answering "yes" to every pair (78.0–82.0 against 75.0).'
    )


def test_an_interval_that_only_touches_all_yes_is_no_gain() -> None:
    text = meaning("qi", evaluated(0.77, absent=False), LARGE)
    assert 'F1 is not clearly above answering "yes" to every pair (75.0–79.0 against 75.0).' in text
    assert text.endswith("add labelled pairs, train longer, or set a larger base_model.lm.")


@pytest.mark.parametrize(
    ("f1", "values", "advice"),
    [
        (0.7, NANO, "set tasks.qc.method to classifier"),
        (0.7, CLASSIFIER, "make data-report"),
        (0.7, LARGE, "larger base_model.lm"),
        (0.8, NANO, "translate.languages"),
        (0.8, LARGE, "tasks.qc.train_on"),
        (0.8, TRANSLATED, "translate more of the queries"),
    ],
)
def test_the_advice_fits_what_is_behind_and_the_base_model(f1: float, values: dict[str, Any], advice: str) -> None:
    assert advice in meaning("qc", evaluated(f1), values)
