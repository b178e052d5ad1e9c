"""Which rows the simulated person reviews, and what they decide."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from babelshelf.commands.review.items import FLAGGED, FilteredTask, read_filtered
from babelshelf.tables.truth import FACTS_SCHEMA, Truth
from benchmarks.review_order import decisions, ordered
from tests.helpers.review_folder import write_review_folder


@pytest.fixture
def filtered(tmp_path: Path) -> FilteredTask:
    return read_filtered("qi", write_review_folder(tmp_path / "repository") / "data")


def test_orders(filtered: FilteredTask) -> None:
    flagged = filtered.items(FLAGGED)
    ids = {order: [item.id for item in ordered(order, flagged, 2, 1, None)] for order in
           ("nobody reviews", "worst first", "as --next", "all that is flagged")}  # fmt: skip
    assert ids == {"nobody reviews": [], "worst first": ["d", "c"], "as --next": ["c", "e"]} | {
        "all that is flagged": ["d", "c", "e"]
    }
    assert len(ordered("at random", flagged, 2, 1, None)) == 2


def test_the_person_is_always_right(filtered: FilteredTask) -> None:
    facts = {"key": ["d", "c"], "facts": [["lamp"], ["shoe"]]}
    shelf = {"key": ["Desk Lamp", "Blue Running Shoe"], "facts": [["lamp"], ["boot"]]}
    truth = Truth(pl.DataFrame(facts, schema=FACTS_SCHEMA), pl.DataFrame(shelf, schema=FACTS_SCHEMA))
    found = decisions(ordered("worst first", filtered.items(FLAGGED), 2, 1, None), filtered.rows, truth)
    assert dict(found.select("query", "label").iter_rows()) == {"حذاء رياضي nike": 1, "lampe rot": 0}
    assert decisions([], filtered.rows, truth).is_empty()
