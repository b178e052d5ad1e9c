"""Which rows are shown, in which order, with which gloss."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from babelshelf.commands.review.gloss import Gloss, Glosses
from babelshelf.commands.review.items import FilteredTask, read_filtered
from babelshelf.commands.review.session import ReviewSession, opened
from babelshelf.core.errors import InputError
from babelshelf.core.params import load
from babelshelf.core.rows import ROW_SCHEMA, write_table
from babelshelf.filter.params import FilterParams
from babelshelf.filter.self_validation import filter_rows
from babelshelf.tables.reviews import agreed, read_reviews
from babelshelf.tables.truth import no_truth
from tests.helpers.review_folder import write_review_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_review_folder(tmp_path / "repository")


@pytest.fixture
def filtered(folder: Path) -> FilteredTask:
    return read_filtered("qi", folder / "data")


def test_flagged_rows_come_worst_first_without_translations_that_follow(filtered: FilteredTask) -> None:
    items = filtered.items("flagged")
    assert [(one.id, one.contradiction, one.translations) for one in items] == [
        ("d", 0.97, 0),
        ("c", 0.9, 2),
        ("e", 0.8, 0),
    ]
    assert [one.id for one in filtered.items("unlabelled")] == ["f", "g"]


def test_disputed_pairs_are_those_that_the_data_has(filtered: FilteredTask) -> None:
    pairs = pl.DataFrame({"language": ["en", "en"], "query": ["red lamp", "gone"], "candidate": ["Desk Lamp"] * 2})
    assert [one.id for one in filtered.items("disputed", pairs)] == ["a"]
    assert filtered.items("disputed") == []


def test_rows_that_judges_were_asked_about_are_flagged_too(folder: Path) -> None:
    rows = read_filtered("qi", folder / "data").rows.filter(pl.col("id").is_in(["b", "d"]))
    said = {"judges_yes": [["x", "y"]] * 2, "judges_no": [[]] * 2, "judges_none": [["z"]] * 2}
    table = rows.with_columns(pl.Series(name, value, pl.List(pl.String)) for name, value in said.items())
    write_table(folder / "data/filtered/qi/judged.parquet", table.select([*ROW_SCHEMA, "p_yes", *said]))
    items = {one.id: one for one in read_filtered("qi", folder / "data").items("flagged")}
    assert sorted(items) == ["b", "c", "d", "e"]
    assert items["b"].judges == items["d"].judges == {"yes": ["x", "y"], "no answer": ["z"]}


def test_a_gloss_is_a_translation_in_the_data_or_the_glossarys(folder: Path, filtered: FilteredTask) -> None:
    glosses = Glosses(filtered.rows, folder / "data/demo/glossary.tsv")
    found = {one.id: glosses.of(one) for one in filtered.items("disputed", filtered.rows)}
    assert found["c"] == found["c/ar"] == Gloss("red light", "translation")
    assert found["d"] is None  # no word of it is in the glossary
    assert found["a"] is None  # English
    assert found["e"] is None  # the glossary has no Hebrew
    lamp = filtered.rows.filter(id="d").with_columns(query=pl.lit("مصباح أحمر nike"))
    item = FilteredTask("qi", lamp, lamp).items("disputed", lamp)[0]
    assert glosses.of(item) == Gloss("lamp red nike", "glossary")
    assert Glosses(filtered.rows, None).of(item) is None
    same = FilteredTask("qi", rows := lamp.with_columns(language=pl.lit("de"), query=pl.lit("Hotel")), rows)
    (folder / "hotel.tsv").write_text("en\tde\nhotel\thotel\n", encoding="utf-8")
    assert Glosses(rows, folder / "hotel.tsv").of(same.items("disputed", rows)[0]) is None


def test_before_the_filter_has_run_the_command_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"dropped\.parquet: no such file: run `dvc repro filter@qi`"):
        read_filtered("qi", tmp_path)


def test_a_label_that_a_person_gives_reaches_the_training_set(folder: Path, filtered: FilteredTask) -> None:
    item = filtered.items("unlabelled")[0]
    with opened(folder / "reviews", "qi", "ana") as file:
        ReviewSession([item], {"qi": file}).decide(0)
    people = agreed(read_reviews(folder / "reviews/qi"))
    rows, scores = filtered.rows.select(list(ROW_SCHEMA)), filtered.rows.select("id", "p_yes")
    settings = load(FilterParams, "filter", "qi", folder / "params.yaml")
    kept = filter_rows(rows, scores, no_truth(), settings, agreed=people).kept
    assert dict(kept.select("id", "label").iter_rows())[item.id] == 0
    assert rows.filter(id=item.id)["label"].to_list() == [None]
