"""The data contract: each broken rule is an error that names the row, and nothing is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from babelshelf.core.errors import InputError
from babelshelf.core.rows import ROW_SCHEMA, check_rows, positive_share, read_rows, write_csv, write_rows

ROW: dict[str, Any] = {
    "id": "a",
    "task": "qc",
    "language": "de",
    "query": "schuhe",
    "candidate": "Shoes",
    "label": 1,
    "origin": "original",
    "parent_id": None,
    "group": "g",
}


def table(*changes: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame([ROW | {"id": f"r{n}"} | change for n, change in enumerate(changes)], schema=ROW_SCHEMA)


BROKEN = [
    ({"id": ""}, "the id is empty or null"),
    ({"id": None}, "the id is empty or null"),
    ({"id": "r0"}, "the id is not unique"),
    ({"label": 2}, "the label is neither 0, 1 nor null"),
    ({"label": -1}, "the label is neither 0, 1 nor null"),
    ({"origin": "invented"}, "the origin is unknown"),
    ({"origin": None}, "the origin is unknown"),
    ({"origin": "translated"}, "a derived row names no parent"),
    ({"origin": "negative"}, "a derived row names no parent"),
    ({"group": ""}, "the group is empty or null"),
    ({"group": None}, "the group is empty or null"),
    ({"language": ""}, "the language is empty or null"),
    ({"language": None}, "the language is empty or null"),
    *[
        ({column: value}, f"the {column} is {broken}")
        for column in ("query", "candidate")
        for value, broken in [
            (" \t", "empty or null"),
            (None, "empty or null"),
            ("u\u0308ber", "not in Unicode's NFC form"),
        ]
    ],
]


@pytest.mark.parametrize(("change", "message"), BROKEN)
def test_a_broken_rule_is_an_error_and_nothing_is_written(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"rows.parquet, row [01] .*{message}"):
        write_rows(tmp_path / "rows.parquet", table({}, change))
    assert list(tmp_path.iterdir()) == []


def test_the_message_has_the_first_row_and_how_many_there_are() -> None:
    with pytest.raises(InputError, match=r"mine, row 1 \(id 'r1'\): the query is empty or null \(2 such rows\)"):
        check_rows(table({}, {"query": ""}, {}, {"query": None}), "mine")


def test_rows_of_every_origin_and_label_pass_and_come_back_the_same(tmp_path: Path) -> None:
    parent = {"parent_id": "r0"}
    rows = table(
        {"label": None},
        {"origin": "translated"} | parent,
        {"origin": "negative", "label": 0} | parent,
    )
    write_rows(tmp_path / "new" / "rows.parquet", rows)
    assert read_rows(tmp_path / "new" / "rows.parquet").equals(rows)


@pytest.mark.parametrize(
    "rows",
    [
        table({}).drop("group"),
        table({}).with_columns(extra=pl.lit(1)),
        table({}).cast({"label": pl.Int64}),
    ],
    ids=["missing", "unknown", "other type"],
)
def test_other_columns_are_refused_on_writing_and_on_reading(tmp_path: Path, rows: pl.DataFrame) -> None:
    path = tmp_path / "rows.parquet"
    with pytest.raises(InputError, match="expected the columns"):
        write_rows(path, rows)
    rows.write_parquet(path)
    with pytest.raises(InputError, match=r"rows\.parquet: expected the columns"):
        read_rows(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.parquet: no such file"):
        read_rows(tmp_path / "gone.parquet")


def test_positive_share_by_language_and_origin_leaves_unlabelled_rows_out() -> None:
    negative = {"origin": "negative", "parent_id": "r0", "label": 0}
    rows = table({}, {"label": 0}, negative, {"language": "en"}, {"language": "en", "label": None})
    assert positive_share(rows) == {
        "all": {"all": 0.5, "negative": 0.0, "original": pytest.approx(2 / 3)},
        "de": {"all": pytest.approx(1 / 3), "negative": 0.0, "original": 0.5},
        "en": {"all": 1.0, "original": 1.0},
    }


def test_plot_data_has_six_digits(tmp_path: Path) -> None:
    write_csv(tmp_path / "plot.csv", pl.DataFrame({"step": [1], "loss": [1 / 3]}))
    assert (tmp_path / "plot.csv").read_text() == "step,loss\n1,0.333333\n"
