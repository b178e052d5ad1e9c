"""The benchmark that confirms a rule, on few rows: its rules, its seeds, and that a finished unit is kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks import label_errors, rule_confirmation
from benchmarks.tests.test_label_errors import data
from tests.helpers.hash_encoder import HashEncoder


def test_rules_are_compared_with_seeds_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    monkeypatch.setattr(rule_confirmation, "load_builtin", lambda _: HashEncoder())
    monkeypatch.setattr(rule_confirmation, "demo", lambda *_: lambda seed: drawn.append(seed) or data())
    monkeypatch.setattr(rule_confirmation, "UNITS", (("demo, qi", "30 %"), ("shops", "10 %")))
    monkeypatch.setattr(label_errors, "RESAMPLES", 20)
    out = tmp_path / "results.jsonl"
    options = ["--rows", "120", "--seeds", "2", "--cache", str(tmp_path / "cache"), "--out", str(out)]
    assert (
        CliRunner().invoke(rule_confirmation.main, options, catch_exceptions=False).output == "demo, qi, 30 %: done\n"
    )
    assert drawn == [4, 5]
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert {line["first_seed"] for line in lines} == {4}
    rules = [line["rule"] for line in lines if line["kind"] == "training"]
    assert rules == ["nothing", "confidence 0.75", "confidence 0.6", "confident_learning", "oracle"]
    assert CliRunner().invoke(rule_confirmation.main, options, catch_exceptions=False).output == ""
