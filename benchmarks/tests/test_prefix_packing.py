"""The benchmark of packing prompts that begin alike: it saves tokens and leaves p(yes) as it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks import prefix_packing, shapes


def test_packed_prompts_share_tokens_and_get_the_same_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefix_packing, "fastest_precision", lambda: "fp32")  # bf16 rounds to 1e-3
    file = tmp_path / "pairs.parquet"
    shapes.rows(40, words=4).write_parquet(file)

    run = CliRunner().invoke(
        prefix_packing.main, ["--pairs", str(file), "--row-tokens", "512", "--shape", "tiny", "--timed", "12"]
    )

    assert run.exit_code == 0, run.output
    tokens = float(re.search(r"pairs of ([\d.]+) tokens", run.output)[1])  # type: ignore[index]
    computed = float(re.search(r"\| 512 \| ([\d.]+) \|", run.output)[1])  # type: ignore[index]
    difference = float(re.search(r"at most (\S+)", run.output)[1])  # type: ignore[index]
    assert computed < tokens / 2
    assert difference < 1e-6
