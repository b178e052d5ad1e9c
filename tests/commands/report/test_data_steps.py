"""What a row's data step planned, kept and dropped, as the report says it beside the gain."""

from __future__ import annotations

import json
from typing import Any

import pytest

from babelshelf.commands.ladder.comparison import Step
from babelshelf.commands.ladder.rows import LadderRow
from babelshelf.commands.ladder.runs import Run
from babelshelf.commands.report.data_steps import sentences

METRICS: dict[str, dict[str, Any]] = {
    "translate": {
        "planned": {"de": {"queries": 8, "rows": 600}, "it": {"queries": 9, "rows": 1000}},
        "kept": {"de": {"queries": 3, "rows": 200}, "it": {"queries": 4, "rows": 300}},
        "dropped": {
            "script": {"de": {"queries": 1, "rows": 100}, "it": {"queries": 0, "rows": 0}},
            "numbers": {"de": {"queries": 0, "rows": 0}, "it": {"queries": 0, "rows": 0}},
            "untranslated": {"de": {"queries": 4, "rows": 300}, "it": {"queries": 5, "rows": 700}},
        },
    },
    "mine_negatives": {"target": {"de": 9, "it": 5}, "mined": {"de": 7, "it": 5}, "dropped_draws": {"equal_text": 2}},
    "filter": {
        "read": 90,
        "kept": 81,
        "by_origin": {"negative": {"dropped": 0}, "original": {"dropped": 2}, "translated": {"dropped": 7}},
    },
}


def step(train_on: str, *, without: str = "") -> Step:
    recipe = {"train_on": train_on, "filter_on": "negatives", "negatives_on": "translated"}
    files = {f"metrics/{stage}/qc.json": json.dumps(one).encode() for stage, one in METRICS.items() if stage != without}
    run = Run("row", {"tasks": {"qc": recipe}}, files.get)
    row = LadderRow(name="row", title="+ step", tasks=["qc"], set={}, seeds=[2])
    return Step(row, {2: run}, {}, None, (), (), None)


@pytest.mark.parametrize(
    ("train_on", "expected"),
    [
        ("translated", "1,600 translations were planned and 500 kept; dropped: untranslated 1,000, script 100."),
        ("negatives", "14 negatives were planned and 12 mined; dropped: equal_text 2."),
        ("filtered", "of 90 rows 81 were kept; dropped: translated 7, original 2."),
    ],
)
def test_a_data_step_says_what_it_planned_kept_and_dropped(train_on: str, expected: str) -> None:
    assert list(sentences(step(train_on), "qc")) == [f"+ step: {expected}"]


def test_a_row_without_a_data_step_or_its_metrics_says_nothing() -> None:
    assert list(sentences(step("original"), "qc")) == []
    assert list(sentences(step("translated", without="translate"), "qc")) == []
