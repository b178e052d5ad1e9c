"""`babelshelf init` on files of positive pairs alone: it asks, `--only-positives` answers, and the rest is drawn."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from babelshelf.commands.init import expectations
from babelshelf.core.params import read
from tests.commands.init.test_init import init, pairs, proposed, repository, works
from tests.prepare.sources.test_files import everything

__all__ = ["repository"]  # params.yaml and the profiles in the working folder, for each test


@pytest.fixture(autouse=True)
def short_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long training takes is measured once, not for a third of a second."""
    monkeypatch.setattr(expectations, "TIMED_SECONDS", 0.0)


EASY = "check: qc: no row is irrelevant, so random candidates are added as negatives (train "


def clicks(**columns: pl.Expr) -> pl.DataFrame:
    """Pairs with the columns `query`, `category` and `language`, each there once, and `columns`."""
    table = pairs().select(query="q", category="path", language="lang").unique(maintain_order=True)
    return table.with_columns(**columns)


NUMBER = pl.int_range(pl.len())
POSITIVES = {
    "all 1": ({"label": pl.lit(1)}, {"positive": ["1"]}),
    "all true": ({"relevant": pl.lit("True")}, {"positive": ["true"]}),
    "an event": ({"click": pl.when(NUMBER % 3 == 0).then(pl.lit("purchase")).otherwise(pl.lit("view"))}, None),
    "clicks": ({"clicks": NUMBER % 7 + 1}, {"positive_from": "none"}),
    "many counts": ({"clicks": NUMBER % 90 + 2}, {"positive": [], "positive_from": 2.0}),
    "no label": ({}, {"positive": []}),
    "a column of two values that is no label": ({"device": pl.lit("app")}, {"positive": []}),
}


@pytest.mark.parametrize("kind", POSITIVES)
def test_all_rows_are_read_as_relevant(kind: str) -> None:
    columns, labels = POSITIVES[kind]
    table = clicks(**columns)
    table.write_csv("clicks.csv")
    result = init("--qc", "clicks.csv", "--only-positives")
    assert result.exit_code == 0, result.output
    assert EASY in result.output
    written = proposed()["labels"]
    assert written["random_negatives"] == 1
    assert labels is None or labels.items() <= written.items()
    rows = everything(works())
    positive = rows.filter(label=1).select("query", "candidate").sort(pl.all())
    assert positive.equals(table.select("query", candidate="category").sort(pl.all()))
    assert rows.filter(label=0).height == positive.height
    # a mined negative for each positive too, as many as the random ones
    assert read(Path("params.yaml"))["tasks"]["qc"]["mine_negatives"]["positive_share"] == 0.34


@pytest.mark.parametrize("kind", ["all 1", "all true", "clicks", "many counts", "no label"])
def test_without_the_option_it_is_asked(kind: str) -> None:
    clicks(**POSITIVES[kind][0]).write_csv("clicks.csv")
    before = Path("params.yaml").read_text(encoding="utf-8")
    result = init("--qc", "clicks.csv")
    assert result.exit_code == 1
    assert "--only-positives" in result.output
    assert Path("params.yaml").read_text(encoding="utf-8") == before


@pytest.mark.parametrize("arguments", [["--positive", "1"], []])
def test_yes_takes_it_as_the_likeliest(arguments: list[str]) -> None:
    clicks(label=pl.lit(1)).write_csv("clicks.csv")
    assert "--only-positives" in init("--qc", "clicks.csv", *arguments).output
    result = init("--qc", "clicks.csv", *arguments, "--yes")
    assert result.exit_code == 0, result.output
    assert "check: label values: all rows are relevant (1)" in result.output
    assert proposed()["labels"]["random_negatives"] == 1


@pytest.mark.parametrize(
    ("label", "share"),
    [
        (NUMBER % 2, "50% of the labels in 'label' are 0"),
        (pl.when(NUMBER % 4 == 0).then(pl.lit("no")).otherwise(pl.lit("yes")), "25% of the labels in 'label' are no"),
        (NUMBER % 4 - 1, "50% of the labels in 'label' are"),
    ],
)
def test_a_file_with_irrelevant_rows_is_refused(label: pl.Expr, share: str) -> None:
    clicks().head(148).with_columns(label=label).write_csv("pairs.csv")
    for more in ([], ["--yes"]):
        result = init("--qc", "pairs.csv", "--only-positives", *more)
        assert result.exit_code == 1
        assert f"--only-positives, but {share}" in result.output


def test_a_column_can_be_no_label() -> None:
    clicks(label=NUMBER % 2).write_csv("pairs.csv")
    arguments = ["--qc", "pairs.csv", "--column", "label="]
    result = init(*arguments)
    assert result.exit_code == 1
    assert "no column is the label; if these are positive pairs alone, such as clicks: say --only" in result.output
    assert init(*arguments, "--only-positives").exit_code == 0
    assert proposed()["columns"]["label"] == ""


def test_rows_without_a_label_are_left_out() -> None:
    """An export of impressions marks clicks, and leaves the cell empty otherwise."""
    table = clicks(click=pl.when(NUMBER % 2 == 0).then(pl.lit("1")))
    table.write_csv("pairs.csv")
    result = init("--qc", "pairs.csv", "--only-positives")
    assert result.exit_code == 0, result.output
    market = works()
    assert everything(market).filter(label=1).height == table["click"].count()
    assert market.counts["qc"]["dropped"] == {"missing_label": table["click"].null_count()}
