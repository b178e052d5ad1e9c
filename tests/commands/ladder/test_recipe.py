"""Whether the outputs that an entry of dvc.lock names are there."""

from __future__ import annotations

from pathlib import Path

import pytest

from babelshelf.commands.ladder.recipe import has_outputs

OUTS = [{"path": "data/rows", "md5": "88163af9.dir"}, {"path": "metrics/train.json", "md5": "0b8e6cf0"}]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["repository/metrics/train.json", "cache/files/md5/88/163af9.dir"], True),
        (["cache/files/md5/0b/8e6cf0", "cache/files/md5/88/163af9.dir"], True),
        (["repository/metrics/train.json", "repository/data/rows"], True),
        (["repository/metrics/train.json"], False),
        (["cache/files/md5/88/163af9.dir"], False),
    ],
)
def test_an_output_is_in_the_repository_or_in_the_cache(tmp_path: Path, files: list[str], *, expected: bool) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert has_outputs({"outs": OUTS}, tmp_path / "repository", tmp_path / "cache") is expected
