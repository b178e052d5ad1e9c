"""The benchmark of labels for rows without one, on few rows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from babelshelf.commands.review.items import UNLABELLED, ReviewItem
from benchmarks import review_unlabelled
from benchmarks.label_noise import halves
from benchmarks.review_unlabelled import ALL, NEXT, NONE, RANDOM, UNCERTAIN, ordered
from benchmarks.tests.test_label_errors import data
from tests.helpers.hash_encoder import HashEncoder


def test_a_unit_has_a_line_for_each_order_and_is_not_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(review_unlabelled, "load_builtin", lambda _: HashEncoder())
    monkeypatch.setattr(review_unlabelled, "demo", lambda *_: lambda _: data(240))
    monkeypatch.setattr(review_unlabelled, "RESAMPLES", 20)
    out = tmp_path / "results.jsonl"
    options = ["--reviewed", "20", "--seeds", "2", "--cache", str(tmp_path / "cache"), "--out", str(out)]
    assert CliRunner().invoke(review_unlabelled.main, options, catch_exceptions=False).output == (
        "demo, qi: done\ndemo, qc: done\n"
    )
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [line["order"] for line in lines] == [*review_unlabelled.ORDERS] * 2
    assert lines[0]["ap_gain"] == lines[1]["ap_over_random"] == [0, 0, 0]
    assert lines[4]["ap"] > 0.9  # with the labels of all rows
    assert CliRunner().invoke(review_unlabelled.main, options, catch_exceptions=False).output == ""


def test_orders() -> None:
    rows = [("a", 0.9), ("b", 0.45), ("c", 0.01), ("d", 0.6)]
    items = [ReviewItem(UNLABELLED, "qi", "en", name, "c", None, "original", name, None, p, {}, 0) for name, p in rows]
    first = {order: [item.id for item in ordered(order, items, 2, 1, None)] for order in (NONE, UNCERTAIN, ALL, NEXT)}
    assert first == {NONE: [], UNCERTAIN: ["b", "d"], ALL: ["a", "b", "c", "d"], NEXT: ["b", "d"]}
    assert len({id(item) for item in ordered(RANDOM, items, 2, 1, None)}) == 2


def test_halves_keep_query_groups_whole() -> None:
    rows = data(240).train
    second = halves(rows["group"], 1)
    assert 0.4 < second.mean() < 0.6
    assert rows.with_columns(second=second).group_by("group").agg(n="second")["n"].list.n_unique().max() == 1
