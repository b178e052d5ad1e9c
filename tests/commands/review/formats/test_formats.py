"""Files of other tools: what is exported, filled in as the tool does it, comes back as decisions."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from babelshelf.cli import main
from babelshelf.commands.review.items import read_filtered
from babelshelf.tables.reviews import read_reviews
from tests.helpers.review_folder import write_review_folder

ANSWERS = ["yes", "no", "unsure"]  # to the flagged rows d, c and e
DECIDED = {"حذاء رياضي nike": 1, "lampe rot": 0, "נעל כחולה": None}
WAS = {"حذاء رياضي nike": 0, "lampe rot": 1, "נעל כחולה": 1}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    repository = write_review_folder(tmp_path / "repository")
    monkeypatch.chdir(repository)
    return repository


def review(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["review", *arguments], catch_exceptions=False)


def fill_csv(file: Path) -> None:
    with file.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row, answer in zip(rows, ANSWERS, strict=True):
        row |= {"decision": answer.upper(), "reviewer": "Ana"}
    with file.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows([*rows, rows[0] | {"decision": "", "query": "not decided"}])


def fill_label_studio(file: Path) -> None:
    """As its export "JSON" is, by https://labelstud.io/guide/task_format."""
    tasks = json.loads(file.read_text(encoding="utf-8"))
    for number, (task, answer) in enumerate(zip(tasks, ANSWERS, strict=True), 1):
        result = {"from_name": "relevance", "to_name": "query", "type": "choices", "value": {"choices": [answer]}}
        annotation = {"id": number, "completed_by": {"id": 7, "email": "ana@example.com"}, "result": [result]}
        times = {"created_at": "2021-03-09T22:16:08.728353Z", "updated_at": "2021-03-09T22:17:08.728378Z"}
        task |= {"id": number, "annotations": [annotation | times | {"was_cancelled": False}], "predictions": []}
    tasks[0]["annotations"].append({"was_cancelled": True, "completed_by": 8, "result": []})
    file.write_text(json.dumps(tasks), encoding="utf-8")


def fill_argilla(file: Path) -> None:
    """As `Record.to_dict` of argilla 2 writes it."""
    records = json.loads(file.read_text(encoding="utf-8"))
    for record, answer in zip(records, ANSWERS, strict=True):
        record["responses"] = {"relevance": [{"value": answer, "user_id": "Ana"}]}
        record |= {"status": "completed", "_server_id": "0"}
    file.write_text(json.dumps(records), encoding="utf-8")


FORMATS = {"csv": fill_csv, "label-studio": fill_label_studio, "argilla": fill_argilla}


@pytest.mark.parametrize("form", FORMATS)
def test_what_is_exported_and_filled_in_comes_back(folder: Path, form: str) -> None:
    fill: Callable[[Path], None] = FORMATS[form]
    file = folder / f"rows.{form}"
    assert "3 rows" in review("qi", "--export", str(file), "--format", form).output
    fill(file)
    assert "3 of 3 decisions added" in review("qi", "--import", str(file), "--format", form).output
    reviews = read_reviews(folder / "reviews/qi")
    assert set(reviews["reviewer"]) == {"ana"}
    assert dict(reviews.select("query", "label").iter_rows()) == DECIDED
    assert dict(reviews.select("query", "was").iter_rows()) == WAS
    pairs = {item.pair for item in read_filtered("qi", folder / "data").items("flagged")}
    assert set(reviews.select("language", "query", "candidate").iter_rows()) == pairs
    again = review("qi", "--import", str(file), "--format", form, "--name", "Ana")
    assert "0 of 3 decisions added" in again.output


@pytest.mark.parametrize(
    ("arguments", "queries"),
    [
        (["--next", "3"], ["lampe rot", "lampada", "נעל כחולה"]),  # c has two translations; Italian is absent
        (["--next", "2", "--queue", "unlabelled"], ["lampada", "red shoe"]),
        (["--queue", "unlabelled", "--queue", "flagged"], ["lampada", "red shoe", *DECIDED]),
    ],
)
def test_options_choose_the_rows(folder: Path, arguments: list[str], queries: list[str]) -> None:
    review("qi", "--export", "rows.csv", *arguments)
    with (folder / "rows.csv").open(encoding="utf-8-sig", newline="") as stream:
        assert [row["query"] for row in csv.DictReader(stream)] == queries


def test_label_studio_keeps_the_time(folder: Path) -> None:
    file = folder / "rows.json"
    review("qi", "--export", str(file), "--format", "label-studio")
    fill_label_studio(file)
    review("qi", "--import", str(file), "--format", "label-studio")
    assert read_reviews(folder / "reviews/qi")["at"].dt.to_string().unique().to_list() == [
        "2021-03-09 22:17:08.728378+00:00"
    ]


ANSWERED = '{"relevance": [{"value": "yes"}]}'
HEADER = "language,query,candidate,decision\n"


@pytest.mark.parametrize(
    ("form", "text", "message"),
    [
        ("csv", HEADER + "en,a,b,maybe\n", "row 2: the decision is 'maybe': write yes, no or unsure"),
        ("csv", HEADER + "en,,b,yes\n", "row 2: no decision on a pair: query"),
        ("csv", "query,candidate\na,b\n", "no column decision, language"),
        ("csv", HEADER + "en,a,b,yes\n", "has no name of a person: give --name"),
        ("label-studio", "{", "not JSON"),
        ("label-studio", '[{"query": "a", "relevance": "yes"}]', "entry 1: no object with `data`"),
        ("argilla", '{"records": []}', "entry 1: no object with `fields`"),
        ("argilla", f'[{{"fields": {{"query": "a"}}, "responses": {ANSWERED}}}]', "entry 1: no decision on a pair"),
        ("prodigy", "", "no format 'prodigy'"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_file_is_named(folder: Path, form: str, text: str, message: str) -> None:
    file = folder / "rows.txt"
    file.write_text(text, encoding="utf-8")
    result = review("qi", "--import", str(file), "--format", form)
    assert result.exit_code == 1
    assert message in result.output
    assert not (folder / "reviews").exists()


def test_agreement_names_people_kappa_and_pairs_in_dispute(folder: Path) -> None:
    answers: dict[str, Any] = {"Ana": ["yes", "no", "no"], "Ben": ["yes", "yes", "no"]}
    for name, given in answers.items():
        rows = [f"en,q{number},c,{answer}\n" for number, answer in enumerate(given)]
        (folder / "rows.csv").write_text(HEADER + "".join(rows), encoding="utf-8")
        review("qi", "--import", "rows.csv", "--name", name)
    output = review("qi", "--agreement").output
    assert "qi: 3 pairs, 2 people; 2 pairs have a label that most agree on" in output
    assert "ana and ben: 3 pairs in common, 67% alike, Cohen's kappa 0.40" in output
    assert "en  q1  |  c  (yes: ben; no: ana)" in output
    assert "qc: 0 pairs" in review("--agreement").output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["qx"], "has no tasks.qx"),
        (["qc"], "run `dvc repro filter@qc`"),
        (["--export", "f.csv"], "name the TASK"),
        (["qi", "--agreement", "--export", "f.csv"], "give one of them"),
        (["qi", "--import", "missing.csv"], "missing.csv: no such file"),
        (["qi", "--queue", "disputed", "--export", "f.csv"], "no rows to decide on"),
        (["qi", "--queue", "disputed", "--next", "2"], "leave --queue disputed out"),
    ],
)
def test_what_is_wrong_on_the_command_line_is_named(folder: Path, arguments: list[str], message: str) -> None:
    assert folder
    result = review(*arguments)
    assert result.exit_code == 1
    assert message in result.output


def test_a_second_process_of_one_person_is_refused(folder: Path) -> None:
    from babelshelf.commands.review.session import opened  # noqa: PLC0415

    (folder / "rows.csv").write_text(HEADER + "en,a,b,yes\n", encoding="utf-8")
    with opened(Path("reviews"), "qi", "ana"):
        result = review("qi", "--import", "rows.csv", "--name", "Ana")
    assert "another `babelshelf review` has it open" in result.output
