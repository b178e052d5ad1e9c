"""What the sources of labelled pairs (`files`, `esci`, `cikm2025`, `mixed`) share."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from tests.prepare.sources.test_files import params, read, write


def test_a_candidate_of_dev_or_test_alone_may_not_be_mined(tmp_path: Path) -> None:
    """It would be known by label 0."""
    splits = {"train": ["shared", "train"], "dev": ["shared", "dev"], "test": ["dev and test", "test", "shared"]}
    splits["dev"].append("dev and test")
    rows = [
        {
            "query": f"{split} query {n}",
            "candidate": candidates[n % len(candidates)],
            "label": n // len(candidates) % 2,
            "language": "en",
            "split": split,
        }
        for split, candidates in splits.items()
        for n in range(4 * len(candidates))
    ]
    settings = params({"columns": {"split": "split"}})
    candidates = read(write(tmp_path / "pairs.csv", rows), settings).tasks["qc"].candidates
    assert set(candidates["candidate"]) == {name for names in splits.values() for name in names}
    assert set(candidates.filter("in_train")["candidate"]) == {"shared", "train"}
    assert candidates["candidate"].is_duplicated().sum() == 0
    assert candidates.schema["in_train"] == pl.Boolean
