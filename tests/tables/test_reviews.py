"""Files of decisions: what counts, what a crash leaves, and what people agree on."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from babelshelf.core.errors import InputError
from babelshelf.tables.reviews import (
    DECISION_SCHEMA,
    Decision,
    Undo,
    agreed,
    agreement,
    append_line,
    read_person,
    read_reviews,
    reviewer_name,
)

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)


def decision(query: str, label: int | None, was: int | None = 1) -> Decision:
    return Decision(language="de", query=query, candidate="Lamps", label=label, was=was, at=AT)


def undo(query: str) -> Undo:
    return Undo(language="de", query=query, candidate="Lamps", undo=True, at=AT)


def write(folder: Path, **answers: str) -> pl.DataFrame:
    """Each person's answers to the queries a, b, c, ...: y, n, u, or - for none."""
    labels: dict[str, int | None] = {"y": 1, "n": 0, "u": None}
    for name, letters in answers.items():
        for query, letter in zip("abcdef", letters, strict=False):
            if letter != "-":
                append_line(folder / f"{name}.jsonl", decision(query, labels[letter]))
    return read_reviews(folder)


def labels(table: pl.DataFrame) -> dict[str, int | None]:
    return dict(table.select("query", "label").iter_rows())


def test_the_last_line_on_a_pair_counts_and_an_undo_restores_the_one_before(tmp_path: Path) -> None:
    file = tmp_path / "ana.jsonl"
    for line in (decision("a", 1), decision("b", 0), decision("a", 0), undo("a"), decision("c", None), undo("b")):
        append_line(file, line)
    (tmp_path / "README.md").write_text("no decisions")
    reviews = read_reviews(tmp_path)
    assert reviews.schema == DECISION_SCHEMA
    assert labels(reviews) == {"a": 1, "c": None}
    assert reviews.row(0, named=True) == {"reviewer": "ana", "language": "de", "query": "a", "candidate": "Lamps"} | {
        "label": 1,
        "was": 1,
        "at": AT,
    }


def test_a_line_is_on_the_disk_before_the_next_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, synced = tmp_path / "ana.jsonl", []

    def sync(descriptor: int) -> None:
        synced.append("file" if os.fstat(descriptor).st_size == len(file.read_bytes()) > 0 else "folder")

    monkeypatch.setattr(os, "fsync", sync)
    append_line(file, decision("a", 1))
    append_line(file, decision("b", 1))
    assert synced == ["file", "folder", "file"]


def test_without_files_there_are_no_decisions(tmp_path: Path) -> None:
    assert read_reviews(tmp_path / "qc").schema == DECISION_SCHEMA
    assert read_reviews(tmp_path / "qc").height == agreed(read_reviews(tmp_path)).height == 0
    assert read_person(tmp_path / "ana.jsonl") == {}


@pytest.mark.parametrize("tail", [b'{"language": "de", "qu', b'{"language": "de", "query": "\xc3'])
def test_an_unfinished_last_line_is_ignored_and_removed_by_the_next_one(tmp_path: Path, tail: bytes) -> None:
    file = tmp_path / "ana.jsonl"
    append_line(file, decision("a", 1))
    complete = file.read_bytes()
    file.write_bytes(complete + tail)
    assert labels(read_reviews(tmp_path)) == {"a": 1}
    append_line(file, decision("b", 0))
    assert labels(read_reviews(tmp_path)) == {"a": 1, "b": 0}
    assert file.read_bytes().startswith(complete + b'{"language": "de", "query": "b"')


def test_a_last_line_without_a_line_feed_counts(tmp_path: Path) -> None:
    file = tmp_path / "ana.jsonl"
    append_line(file, decision("a", 1))
    file.write_bytes(file.read_bytes().rstrip())
    append_line(file, decision("b", 0))
    assert labels(read_reviews(tmp_path)) == {"a": 1, "b": 0}


def test_texts_are_compared_in_nfc(tmp_path: Path) -> None:
    append_line(tmp_path / "ana.jsonl", decision("tu\u0308r", 1))
    assert labels(read_reviews(tmp_path)) == {"t\u00fcr": 1}


LINE = '{"language": "de", "query": "a", "candidate": "b", "label": 1, "was": 0, "at": "2026-01-31T12:00:00Z"}'


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("<<<<<<< HEAD", "not JSON"),
        (LINE.replace('"label": 1', '"label": 2'), "label"),
        (LINE.replace('"label": 1', '"label": true'), "label"),
        (LINE.replace('"label": 1, ', ""), "label"),
        (LINE.replace("-31T12:00:00Z", ""), "at"),
        (LINE.replace('"de"', '""'), "language"),
        (LINE.replace('"was"', '"before"'), "was"),
        ("[1]", "the line"),
        ('{"undo": true, "language": "de", "query": "x", "candidate": "b", "at": "2026-01-31T12:00:00Z"}', "undo"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "ana.jsonl").write_text(f"{LINE}\n{line}\n{LINE}\n", encoding="utf-8")
    with pytest.raises(InputError, match=rf"ana\.jsonl, line 2: {message}.*remove"):
        read_reviews(tmp_path)


def test_more_than_half_of_the_people_decide(tmp_path: Path) -> None:
    votes = agreed(write(tmp_path, ana="yyyuy-", ben="yn-uun", eve="nn--n-"))
    assert labels(votes) == {"a": 1, "b": 0, "c": 1, "d": None, "e": None, "f": 0}
    assert votes.row(0, named=True) == {"language": "de", "query": "a", "candidate": "Lamps", "label": 1} | {
        "yes": ["ana", "ben"],
        "no": ["eve"],
        "unsure": [],
    }


def test_one_who_is_unsure_ties_with_one_who_is_not(tmp_path: Path) -> None:
    assert labels(agreed(write(tmp_path, ana="y", ben="u"))) == {"a": None}


def test_kappa_is_cohens(tmp_path: Path) -> None:
    """Four common pairs of six, three alike: observed 0.75, by chance 3/4 * 2/4 + 1/4 * 2/4 = 0.5."""
    table = agreement(write(tmp_path, ana="yyynuy", ben="yynn--", eve="-----y"))
    assert table.rows() == [
        ("ana", "ben", 4, 3, pytest.approx(0.5)),
        ("ana", "eve", 1, 1, None),
    ]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("José García", "jose-garcia"),
        ("Łukasz/../x", "łukasz-x"),
        ("  ANA_b ", "ana_b"),
        ("李雷", "李雷"),
        ("مها", "مها"),
    ],
)
def test_a_name_becomes_a_safe_file_name(text: str, name: str) -> None:
    assert reviewer_name(text) == name


def test_a_name_without_letters_is_refused() -> None:
    with pytest.raises(InputError, match="--name"):
        reviewer_name("../..")
