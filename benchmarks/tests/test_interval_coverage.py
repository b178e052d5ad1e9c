"""The tables of docs/method.md are those of the file of results, and what they say holds."""

from __future__ import annotations

from pathlib import Path

from benchmarks.interval_coverage import RESULTS, SEEDS, read_results, tables

ROOT = Path(__file__).parents[2]


def test_the_tables_in_the_docs_are_those_of_the_results() -> None:
    page = (ROOT / "docs" / "method.md").read_text(encoding="utf-8")
    for part in "\n".join(tables(read_results(ROOT / RESULTS))).split("\n\n"):
        assert part in page


def test_the_interval_covers_within_two_points_of_95_percent() -> None:
    found = [line for line in read_results(ROOT / RESULTS) if "both" in line]
    assert {line["seeds"] for line in found} == set(SEEDS)
    assert all(line["both"]["draws"] == 2000 and 0.93 <= line["both"]["coverage"] <= 0.97 for line in found)
