"""Random negatives for files of positive pairs alone: what is drawn, what never is, and what is counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from babelshelf.core.errors import InputError
from babelshelf.prepare.leak_checks import check
from babelshelf.prepare.marketplace import Marketplace
from babelshelf.prepare.sources import files
from babelshelf.prepare.statistics import statistics
from tests.prepare.sources.test_files import everything, params

LANGUAGES = ("en", "fr", "de")


def clicks(queries: int = 120, **columns: Any) -> pl.DataFrame:  # noqa: ANN401 - any value of a column
    """Two clicked titles for each query; titles are in the language of the query."""
    rows = [
        {
            "query": f"query {number}",
            "candidate": f"title {(number + 7 * click) % 40} {LANGUAGES[number % 3]}",
            "language": LANGUAGES[number % 3],
        }
        for number in range(queries)
        for click in (0, 1)
    ]
    return pl.DataFrame(rows).with_columns(**{name: pl.lit(value) for name, value in columns.items()})


def read(table: pl.DataFrame, folder: Path, seed: int = 1, number: int = 1, **task: Any) -> Marketplace:  # noqa: ANN401
    """The marketplace of a file of clicks without labels, or with those that `task` describes."""
    file = folder / "clicks.csv"
    table.write_csv(file)
    columns = {"label": ""} | task.pop("columns", {})
    labels = {"positive": [], "negative": [], "random_negatives": number} | task.pop("labels", {})
    settings = params({"columns": columns, "labels": labels} | task)
    market = files.read({"qc": file, "qi": file}, settings, seed)
    check(market)
    return market


@pytest.mark.parametrize(
    ("table", "task"),
    [
        (clicks(), {}),
        (clicks(label=1), {"columns": {"label": "label"}, "labels": {"positive": ["1"]}}),
        (clicks(click="yes"), {"columns": {"label": "click"}, "labels": {"positive": ["yes"]}}),
        (clicks(clicks=3.0), {"columns": {"label": "clicks"}, "labels": {"positive_from": 1}}),
    ],
    ids=["no column", "all 1", "click", "counts"],
)
def test_each_positive_gets_a_negative_of_its_split_and_language(
    table: pl.DataFrame, task: dict[str, Any], tmp_path: Path
) -> None:
    market = read(table, tmp_path, **task)
    rows = everything(market)
    positive, negative = rows.filter(label=1), rows.filter(label=0)
    assert (
        positive.select("query", "candidate", "language")
        .sort(pl.all())
        .equals(table.select("query", "candidate", "language").sort(pl.all()))
    )
    assert set(positive["origin"]) == {"original"}
    assert set(negative["origin"]) == {"negative"}
    assert negative["parent_id"].sort().equals(positive["id"].sort().alias("parent_id"))
    parents = negative.join(positive, left_on="parent_id", right_on="id", suffix="_parent")
    for column in ("query", "language", "group", "split", "task"):
        assert (parents[column] == parents[f"{column}_parent"]).all(), column
    offered = positive.select("split", "language", "candidate").unique()
    assert negative.join(offered, on=["split", "language", "candidate"], how="anti").is_empty()
    assert negative.select("query", "candidate").is_duplicated().sum() == 0
    known = table.select("query", "candidate")
    assert negative.join(known, on=["query", "candidate"], how="semi").is_empty()


def test_counts_are_of_the_rows_that_were_added(tmp_path: Path) -> None:
    market = read(clicks(), tmp_path, number=3)
    added = everything(market).filter(label=0)
    found = statistics(market)["left_out"]["qc"]
    by_split = dict(added["split"].value_counts().iter_rows())
    assert found["random_negatives"] == by_split | {"missing": 720 - added.height}
    assert (found["read"], found["kept"], found["dropped"]) == (240, 240, {})
    assert by_split["train"] == 3 * everything(market).filter(label=1, split="train").height


def test_draws_depend_on_the_seed_alone(tmp_path: Path) -> None:
    first, again, other = (everything(read(clicks(), tmp_path, seed)) for seed in (1, 1, 2))
    assert first.equals(again)
    assert not first.filter(label=0)["candidate"].equals(other.filter(label=0)["candidate"])


def test_popular_candidates_are_drawn_as_often_as_they_are_clicked(tmp_path: Path) -> None:
    number = pl.int_range(3000)
    candidate = pl.when(number % 4 == 0).then(pl.lit("popular")).otherwise(pl.format("title {}", number % 500))
    table = pl.select(query=pl.format("query {}", number), candidate=candidate, language=pl.lit("en"))
    rows = everything(read(table, tmp_path)).filter(split="train")
    positive = (rows.filter(label=1)["candidate"] == "popular").mean()
    # a query that has it can't draw it: of the other three quarters a quarter do
    assert (rows.filter(label=0)["candidate"] == "popular").mean() == pytest.approx(0.75 * positive, abs=0.03)  # type: ignore[operator]


# --- what may be relevant is never drawn ---


@pytest.mark.parametrize("other", ["Query 0", "QUERY-0", "query  0"])
def test_candidates_of_the_same_query_in_another_spelling(other: str, tmp_path: Path) -> None:
    """All of the group's candidates are known but one."""
    titles = [f"title {number}" for number in range(6)]
    group = [("query 0", "title 0"), *((other, title) for title in titles[1:5])]
    rest = [(f"other {number}", titles[number % 6]) for number in range(60)]
    table = pl.DataFrame([*group, *rest], schema=["query", "candidate"], orient="row").with_columns(
        language=pl.lit("en")
    )
    rows = everything(read(table, tmp_path))
    drawn = rows.filter(label=0, group="query 0")
    assert set(drawn["candidate"]) <= {"title 5"}


def test_a_candidate_in_another_case_is_the_same(tmp_path: Path) -> None:
    table = pl.DataFrame(
        {
            "query": [f"query {number}" for number in range(80)],
            "candidate": ["Red Shoe" if number % 2 else "red shoe" for number in range(80)],
            "language": "en",
        }
    )
    with pytest.raises(InputError, match="not both relevant and irrelevant pairs"):
        read(table, tmp_path)


def test_the_candidate_of_a_leaked_row(tmp_path: Path) -> None:
    """The query is in test with one title, and in train with all others, which are left out there."""
    titles = [f"title {number}" for number in range(5)]
    rows = [("asked", title, "train") for title in titles[1:4]] + [("asked", "title 0", "test")]
    for split in ("train", "dev", "test"):
        rows += [(f"{split} {number}", titles[number % 5], split) for number in range(20)]
    table = pl.DataFrame(rows, schema=["query", "candidate", "split"], orient="row").with_columns(language=pl.lit("en"))
    for seed in range(5):
        file = tmp_path / "clicks.csv"
        table.write_csv(file)
        settings = params(
            {"columns": {"label": "", "split": "split"}, "labels": {"random_negatives": 3}}, {"leaks": "drop"}
        )
        market = files.read({"qc": file, "qi": file}, settings, seed)
        check(market)
        asked = everything(market).filter(query="asked")
        assert asked.select("candidate", "label", "split").sort("label").rows() == [
            ("title 4", 0, "test"),
            ("title 0", 1, "test"),
        ]
        assert market.counts["qc"]["dropped"] == {"leak": 3}
        assert market.counts["qc"]["random_negatives"]["missing"] >= 2  # of the query's three


def test_a_label_of_zero_is_bad_among_positives(tmp_path: Path) -> None:
    table = clicks().with_columns(click=pl.when(pl.int_range(pl.len()) == 5).then(0).otherwise(1))
    market = read(table, tmp_path, columns={"label": "click"}, labels={"positive": ["1"]})
    assert market.counts["qc"]["dropped"] == {"bad_label": 1}


# --- params ---


def test_no_column_of_labels_needs_random_negatives() -> None:
    with pytest.raises(InputError, match=r"without columns\.label all rows are relevant: set labels\.random_negatives"):
        params({"columns": {"label": ""}})


@pytest.mark.parametrize("labels", [{"negative": []}, {"positive": []}, {"positive": [], "negative": []}])
def test_one_class_needs_random_negatives(labels: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="for files with positives alone, set random_negatives to 1"):
        params({"labels": labels})
