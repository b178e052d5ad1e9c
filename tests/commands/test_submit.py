"""Submissions: what is written, that the check finds each broken rule, and the command from predictions to archive."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from babelshelf.commands.submit import check_submission, submit, write_submission
from babelshelf.core.errors import InputError
from babelshelf.core.params import section
from babelshelf.core.rows import write_table
from babelshelf.prepare.params import SOURCES, PrepareParams
from babelshelf.prepare.sources import cikm2025
from babelshelf.tables.prediction_sets import SCORABLE, answers, check_unlabelled
from tests.helpers import profiles
from tests.helpers.cikm2025_folder import write_folder, write_rows

Row = dict[str, Any]
LINES = [
    '{"id": 7, "task": "QI", "language": "vn", "origin_query": "a  b", "item_title": null}',
    '{"id":"x", "item_title":"\\ud83d\\ude00 \\ud800", "n": 1.50, "big": 12345678901234567890123, "b": {"c": []} }',
]


def rows_of(file: Path) -> list[Row]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


# --- writing ---


def test_a_row_stays_byte_by_byte_and_gets_its_prediction(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"\xef\xbb\xbf" + "\r\n\n".join(LINES).encode())
    write_submission(tmp_path / "in", [1, 0], tmp_path / "out")
    expected = [LINES[0][:-1] + ', "prediction": 1}', LINES[1][:-2] + ', "prediction": 0}']
    assert (tmp_path / "out").read_text(encoding="utf-8").splitlines() == expected
    check_submission(tmp_path / "in", tmp_path / "out")


def test_another_number_of_answers_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("\n".join(LINES), encoding="utf-8")
    with pytest.raises(InputError, match="2 rows, but 1 answers"):
        write_submission(tmp_path / "in", [1], tmp_path / "out")
    assert not (tmp_path / "out").exists()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
OBJECTS = st.dictionaries(st.text(max_size=5).filter(lambda key: key != "prediction"), VALUES, max_size=4)


@given(objects=st.lists(st.tuples(OBJECTS, st.booleans(), st.integers(0, 1)), max_size=6))
def test_whatever_the_rows_hold_what_is_written_passes_the_check(
    tmp_path: Path, objects: list[tuple[Row, bool, int]]
) -> None:
    rows = [json.dumps(row | {"id": n}, ensure_ascii=ascii) for n, (row, ascii, _) in enumerate(objects)]
    (tmp_path / "in").write_bytes("\n".join(rows).encode("utf-8"))
    wanted = [answer for _, _, answer in objects]
    write_submission(tmp_path / "in", wanted, tmp_path / "out")
    check_submission(tmp_path / "in", tmp_path / "out")
    written = (tmp_path / "out").read_bytes().splitlines()
    assert [json.loads(line)["prediction"] for line in written] == wanted


# --- the check ---


def _changed(number: int, **values: Any) -> Callable[[list[Row]], list[Row]]:  # noqa: ANN401
    return lambda rows: [row | values if n == number else row for n, row in enumerate(rows)]


BROKEN: dict[str, tuple[Callable[[list[Row]], list[Row]], str]] = {
    "a row is missing": (lambda rows: rows[:-1], "id 5: missing"),
    "a row is twice": (lambda rows: [*rows, rows[0]], "id 1: 2 times"),
    "a row is new": (lambda rows: [*rows, rows[0] | {"id": 99}], "id 99: not in the input"),
    "an id of another kind": (_changed(0, id="1"), "id 1: missing"),
    "out of order": (lambda rows: [rows[1], rows[0], *rows[2:]], "row 1 (id 2): out of order"),
    "another query": (_changed(2, origin_query="other"), "row 3 (id 3): origin_query is 'other', not "),
    "a number for a text": (_changed(2, n=1), "row 3 (id 3): n is 1, not 1.0"),
    "true for a number": (_changed(2, m=True), "row 3 (id 3): m is True, not 1"),
    "a key is missing": (
        lambda rows: [{key: value for key, value in row.items() if key != "n"} for row in rows],
        "row 1 (id 1): keys",
    ),
    "a key is new": (_changed(4, p_yes=0.5), "row 5 (id 5): keys"),
    "a prediction of 2": (_changed(4, prediction=2), "row 5 (id 5): prediction is 2, not 0 or 1"),
    "a prediction as text": (_changed(4, prediction="1"), "row 5 (id 5): prediction is '1', not 0 or 1"),
    "a prediction of true": (_changed(4, prediction=True), "row 5 (id 5): prediction is True, not 0 or 1"),
    "a prediction of 1.0": (_changed(4, prediction=1.0), "row 5 (id 5): prediction is 1.0, not 0 or 1"),
    "no prediction": (_changed(4, prediction=None), "row 5 (id 5): prediction is None, not 0 or 1"),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_the_check_finds_each_broken_rule(tmp_path: Path, rule: str) -> None:
    spoil, expected = BROKEN[rule]
    rows = [{"id": n, "origin_query": f"q{n}", "n": 1.0, "m": 1} for n in range(1, 6)]
    write_rows(tmp_path / "in", rows)
    sound = [row | {"prediction": n % 2} for n, row in enumerate(rows)]
    write_rows(tmp_path / "out", sound)
    check_submission(tmp_path / "in", tmp_path / "out")
    write_rows(tmp_path / "out", spoil(sound))
    with pytest.raises(InputError) as raised:
        check_submission(tmp_path / "in", tmp_path / "out")
    assert raised.value.message.splitlines()[1].startswith(expected)


@pytest.mark.parametrize("line", ["{bad", "3", "{}", "\xff", "[" * 100_000])
def test_a_line_that_is_no_row_is_named(tmp_path: Path, line: str) -> None:
    write_rows(tmp_path / "in", [{"id": 1}])
    (tmp_path / "out").write_bytes(b'{"id": 1, "prediction": 1}\n' + line.encode("latin-1"))
    with pytest.raises(InputError, match=r"out, row 2: no"):
        check_submission(tmp_path / "in", tmp_path / "out")


def test_an_input_that_has_predictions_is_refused(tmp_path: Path) -> None:
    write_rows(tmp_path / "in", [{"id": 1, "prediction": 0}])
    write_submission(tmp_path / "in", [0], tmp_path / "out")
    with pytest.raises(InputError, match="the input has the key 'prediction' already"):
        check_submission(tmp_path / "in", tmp_path / "out")


# --- answers ---


def test_rows_without_a_text_are_answered_with_yes() -> None:
    ids = ["a", "b", "c"]
    scored = pl.DataFrame({"id": ["c", "a"], "p_yes": [0.9, 0.1], "is_relevant": [True, False]})
    rows = cikm2025.UNLABELLED_SCHEMA.to_frame().clear(3).with_columns(id=pl.Series(ids), split=pl.lit("dev"))
    assert answers(rows, scored).rows() == [("dev", "a", 0.1, False), ("dev", "b", None, True), ("dev", "c", 0.9, True)]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"id": pl.lit("a")}, "the id is null or not unique"),
        ({"label": pl.lit(1, pl.Int8)}, "the label is not null"),
        ({"language": pl.lit("")}, "the language is empty"),
    ],
)
def test_rows_to_predict_keep_their_contract(change: dict[str, pl.Expr], expected: str) -> None:
    rows = cikm2025.UNLABELLED_SCHEMA.to_frame().clear(2).with_columns(id=pl.Series(["a", "b"]), language=pl.lit("en"))
    check_unlabelled(rows, "rows")
    with pytest.raises(InputError, match=expected):
        check_unlabelled(rows.with_columns(**change), "rows")


# --- the command ---


def settings(folder: Path, **changes: Any) -> PrepareParams:  # noqa: ANN401
    values = profiles.variants()["cikm2025.yaml"]
    values["prepare"]["input"] = {"qc": str(folder), "qi": str(folder)}
    values["prepare"] |= changes
    return section(PrepareParams, values, "prepare", None)


@pytest.fixture
def predicted(tmp_path: Path) -> Path:
    """A folder with the competition's files in `cikm`, and answers to them in `predictions`: no to every third row."""
    folder = write_folder(tmp_path / "cikm", 1200, 90)
    market = cikm2025.read({"qc": folder, "qi": folder}, settings(folder).chosen(), 1)
    for task, data in market.tasks.items():
        known = data.unlabelled.filter(SCORABLE).with_row_index("n")
        scored = known.select("id", p_yes=pl.lit(0.5), is_relevant=pl.col("n") % 3 > 0)
        write_table(tmp_path / "predictions" / task / "predictions.parquet", answers(data.unlabelled, scored))
    return tmp_path


def test_from_predictions_to_archives(predicted: Path) -> None:
    lines = submit(settings(predicted / "cikm"), predicted / "predictions", predicted / "out")
    assert lines[0] == f"{predicted}/out/dev/dev_QC.txt: 90 rows, 60 yes (66.7%)"
    for split in ("dev", "test"):
        with zipfile.ZipFile(predicted / "out" / f"{split}.zip") as archive:
            assert archive.namelist() == [f"{split}_QC.txt", f"{split}_QI.txt"]
            content = archive.read(f"{split}_QC.txt").decode()
        made_rows = [json.loads(line) for line in content.splitlines()]
        expected = rows_of(predicted / "cikm" / f"{split}_QC.txt")
        first = 0 if split == "dev" else 90
        assert made_rows == [row | {"prediction": int((first + n) % 3 > 0)} for n, row in enumerate(expected)]


def test_the_same_answers_are_the_same_bytes(predicted: Path) -> None:
    for out in ("one", "two"):
        submit(settings(predicted / "cikm"), predicted / "predictions", predicted / out)
    assert (predicted / "one" / "dev.zip").read_bytes() == (predicted / "two" / "dev.zip").read_bytes()


def test_predictions_of_other_rows_are_refused_and_nothing_is_written(predicted: Path) -> None:
    file = predicted / "cikm" / "dev_QI.txt"
    write_rows(file, list(reversed(rows_of(file))))
    with pytest.raises(InputError, match=r"not made from the rows of .*dev_QI\.txt: run `dvc repro predict@qi`"):
        submit(settings(predicted / "cikm"), predicted / "predictions", predicted / "out")
    assert list((predicted / "out").iterdir()) == []


def test_without_predictions_the_command_to_run_is_named(predicted: Path) -> None:
    with pytest.raises(InputError, match=r"predictions\.parquet: no such file; run `dvc repro predict@qc`"):
        submit(settings(predicted / "cikm"), predicted / "nothing", predicted / "out")


def test_another_source_has_no_submissions(predicted: Path) -> None:
    other = settings(predicted / "cikm", source="demo", demo=SOURCES.defaults("demo"))
    with pytest.raises(InputError, match=r"prepare\.source is 'demo': submissions are for cikm2025"):
        submit(other, predicted / "predictions", predicted / "out")


def test_a_part_of_several_can_be_the_competitions(predicted: Path) -> None:
    before = submit(settings(predicted / "cikm"), predicted / "predictions", predicted / "out")
    parts = profiles.variants()["cikm2025-esci.yaml"]["prepare"]["mixed"]
    parts["parts"][0]["path"] = str(predicted / "cikm")
    mixed = settings(predicted, source="mixed", mixed=parts)
    assert submit(mixed, predicted / "predictions", predicted / "out") == before
    parts["parts"] = parts["parts"][1:]
    with pytest.raises(InputError, match=r"prepare\.source is 'mixed': submissions are for cikm2025"):
        submit(settings(predicted, source="mixed", mixed=parts), predicted / "predictions", predicted / "out")


def test_the_command_line_prints_what_was_written(root: Path, predicted: Path) -> None:
    values = profiles.variants()["cikm2025.yaml"]
    values["prepare"]["input"] = {"qc": "cikm", "qi": "cikm"}
    profiles.dump(values, predicted / "params.yaml")
    (predicted / "data" / "predictions").mkdir(parents=True)
    (predicted / "predictions").rename(predicted / "data" / "predictions" / "submission")
    command = [sys.executable, "-m", "babelshelf.cli", "submit"]
    environment = os.environ | {"PYTHONPATH": str(root)}
    result = subprocess.run(command, cwd=predicted, env=environment, check=True, capture_output=True, text=True)
    assert result.stdout.splitlines()[2] == "submission/dev.zip: checked"
