"""The tables of README and docs are those of the committed results."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.tables import Table, calibration, real_pairs, tables, with_table

RUN = {"data": "shops", "model": "gemma-3-270m", "recipe": "none", "ap_absent": 0.5, "f1": 0.5}


@pytest.mark.parametrize("table", tables(), ids=lambda table: f"{table.page} {table.name}")
def test_a_page_has_the_table_of_the_committed_results(table: Table) -> None:
    page = table.page.read_text(encoding="utf-8")
    assert with_table(page, table) == page


def test_with_table_replaces_what_stands_between_the_comments() -> None:
    table = Table(Path("page.md"), "t", lambda: ["| a |"])
    text = "before\n<!-- t -->\n\n| old |\n\n<!-- /t -->\nafter\n"
    assert with_table(text, table) == "before\n<!-- t -->\n\n| a |\n\n<!-- /t -->\nafter\n"
    with pytest.raises(ValueError, match=r"page\.md has no <!-- t -->"):
        with_table("nothing", table)


def test_real_pairs_has_mean_and_deviation_of_its_own_runs() -> None:
    runs = [RUN | {"ap": 0.8}, RUN | {"ap": 0.9}, RUN | {"ap": 0.1, "recipe": "half"}]
    lines = [line for line in real_pairs(runs) if line.startswith("| Gemma 3 270M, LoRA |")]
    assert lines == ["| Gemma 3 270M, LoRA | 85.0 ± 7.1 | 50.0 | 50.0 |"]


def test_calibration_has_gains_with_their_intervals_and_what_auto_chose() -> None:
    line = {"data": "shops", "method": "logistic", "dev_rows": 2960, "f1": 0.832, "calibration_error": 0.0104}
    gains = {"gain": [0.0069, 0.001, 0.0128], "gain_absent": [-0.005, -0.02, 0.01]}
    auto = line | {"method": "auto", "chosen": ["shared", "logistic"], "gain": [0.002, -0.004, 0.009]}
    assert calibration([line | gains, auto])[2:] == [
        "| shops | 2,960 | logistic | 83.2 | +0.7 [+0.1, +1.3] | -0.5 [-2.0, +1.0] | 1.0 |",
        "| shops | 2,960 | auto (shared, logistic) | 83.2 | +0.2 [-0.4, +0.9] |  | 1.0 |",
    ]
