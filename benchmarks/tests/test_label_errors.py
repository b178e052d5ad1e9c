"""The benchmark of label errors on few rows: what is flipped, what is measured, and that a finished unit is kept."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from babelshelf.core.rows import ROW_SCHEMA
from babelshelf.tables.truth import FACTS_SCHEMA, Truth
from benchmarks import label_errors
from benchmarks.label_noise import KINDS, LabelledData, hard_negatives
from benchmarks.label_rules import RULES
from tests.helpers.hash_encoder import HashEncoder


def data(rows: int = 120) -> LabelledData:
    """Queries that name their positive candidate."""
    words = ["lamp", "shoe", "tent", "bowl"]
    table = pl.DataFrame(
        [
            (f"r{n}", "qi", "en" if n % 3 else "fr", f"{words[n % 4]} {n // 2}", words[(n // 2) % 4], "original", None)
            for n in range(rows)
        ],
        schema=["id", "task", "language", "query", "candidate", "origin", "parent_id"],
        orient="row",
    ).with_columns(
        label=pl.col("query").str.starts_with(pl.col("candidate")).cast(pl.Int8),
        group=pl.col("query"),
        parent_id=pl.lit(None, pl.String),
    ).select(ROW_SCHEMA.names())  # fmt: skip
    hard = (table["label"] == 0).to_numpy() & (np.arange(rows) % 5 == 0)
    return LabelledData(table, hard, table, table)


def test_noise_is_of_its_share_and_place() -> None:
    found, languages = data(), data().train["language"]
    assert KINDS["30 %"].flipped(found, 1).sum() == 36
    assert not KINDS["none"].flipped(found, 1).any()
    assert not np.array_equal(KINDS["10 %"].flipped(found, 1), KINDS["10 %"].flipped(found, 2))
    concentrated = KINDS["10 %, concentrated"].flipped(found, 1)
    assert concentrated.sum() == 12
    assert not (concentrated & ~found.hard & (languages == "fr").to_numpy()).any()


def test_hard_negatives_share_a_fact_or_a_department() -> None:
    rows = pl.DataFrame({"group": ["g", "g", "g", "h", "h"], "candidate": ["a", "b", "c", "A > x", "B > x"],
                         "label": [1, 0, 0, 0, 0]})  # fmt: skip
    groups = [("g", ["red", "shoe"]), ("h", ["category:A > y"])]
    candidates = [("a", ["red", "shoe"]), ("b", ["blue", "shoe"]), ("c", ["hat"])]
    candidates += [(path, [f"category:{path}"]) for path in ("A > x", "B > x")]
    tables = [pl.DataFrame(table, schema=FACTS_SCHEMA, orient="row") for table in (groups, candidates)]
    assert hard_negatives(rows, Truth(*tables)).tolist() == [False, True, False, True, False]


def test_a_rank_takes_the_share_with_the_largest_loss() -> None:
    found = RULES["loss_rank 0.1"](np.repeat([1.0, 0.0], 10), np.concatenate([np.full(10, 0.7), np.arange(10) / 20]))
    assert np.flatnonzero(found).tolist() == [18, 19]


def test_a_unit_has_a_line_for_each_way_and_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_errors, "load_builtin", lambda _: HashEncoder())
    monkeypatch.setattr(label_errors, "demo", lambda *_: lambda _: data())
    monkeypatch.setattr(label_errors, "KINDS", {"10 %": KINDS["10 %"]})
    monkeypatch.setattr(label_errors, "RESAMPLES", 20)
    out = tmp_path / "results.jsonl"
    options = ["--rows", "120", "--seeds", "2", "--cache", str(tmp_path / "cache"), "--out", str(out)]
    result = CliRunner().invoke(label_errors.main, options, catch_exceptions=False)
    assert result.output == "demo, qc, 10 %: done\ndemo, qi, 10 %: done\n"
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    detection = [line for line in lines if line["kind"] == "detection" and line["data"] == "demo, qc"]
    assert len(detection) == 5 * len(RULES)
    by_confidence = next(line for line in detection if line["rule"] == "confidence 0.6")
    assert by_confidence["recall"] > 0.5
    assert by_confidence["detection_ap"] > 0.5
    training = [line for line in lines if line["kind"] == "training" and line["data"] == "demo, qc"]
    assert training[0]["rule"] == "nothing"
    assert training[0]["ap_gain"] == [0, 0, 0]
    assert {line["action"] for line in training} == {"drop", "relabel", "soften"}
    assert {line["rounds"] for line in training} == {1, 2}
    again = CliRunner().invoke(label_errors.main, options, catch_exceptions=False)
    assert again.output == ""
    assert len(out.read_text(encoding="utf-8").splitlines()) == len(lines)
