"""The shards of the backend `ray`, without Ray: tests/test_vllm_ray.py has the cluster."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from babelshelf.score.backends.ray import cluster, replicas
from tests.helpers.servers import LOOPBACK, free_port

PROMPTS = pl.Series([[number, 7] for number in range(10)], dtype=pl.List(pl.Int32))


def write(folder: Path, name: str, rows: dict[int, float]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    pl.DataFrame({"number": list(rows), "p_yes": list(rows.values())}).write_parquet(folder / f"{name}.parquet")


def test_prompts_are_written_in_shards_once(tmp_path: Path) -> None:
    replicas._write_shards(PROMPTS, 4, tmp_path / "prompts")
    files = sorted((tmp_path / "prompts").iterdir())
    assert [pl.read_parquet(file).height for file in files] == [4, 4, 2]
    table = pl.read_parquet(files)
    assert table["number"].to_list() == list(range(10))
    assert table["tokenized_prompt"].to_list() == PROMPTS.to_list()
    replicas._write_shards(PROMPTS.head(1), 4, tmp_path / "prompts")  # those of a run that was killed
    assert pl.read_parquet(files).equals(table)


def test_shards_come_back_in_the_order_of_their_prompts(tmp_path: Path) -> None:
    write(tmp_path, "b", {0: 0.5, 3: 0.25})
    write(tmp_path, "a", {2: 0.75, 1: 1.0})
    assert replicas._read_shards(tmp_path, 4).tolist() == [0.5, 1.0, 0.75, 0.25]


@pytest.mark.parametrize("rows", [{0: 0.5}, {0: 0.5, 1: 0.5, 2: 0.5}, {0: 0.5, 2: 0.5}])
def test_rows_that_are_lacking_or_too_many_raise(rows: dict[int, float], tmp_path: Path) -> None:
    write(tmp_path, "a", rows)
    with pytest.raises(RuntimeError, match="rows of 2: remove the folder"):
        replicas._read_shards(tmp_path, 2)


def test_just_what_was_written_to_its_end_is_finished(tmp_path: Path) -> None:
    assert replicas._finished(tmp_path) == 0
    write(tmp_path / "finished", "a", {0: 0.5, 1: 0.5})
    write(tmp_path / "finished", "b.pending", {2: 0.5})
    assert replicas._finished(tmp_path) == 2


def test_a_digest_is_of_the_tokens_and_of_where_a_prompt_ends() -> None:
    moved = pl.Series([[1], [2, 3]], dtype=pl.List(pl.Int32)), pl.Series([[1, 2], [3]], dtype=pl.List(pl.Int32))
    assert len({replicas._digest(prompts) for prompts in (*moved, PROMPTS, PROMPTS[::-1])}) == 4
    assert replicas._digest(PROMPTS) == replicas._digest(pl.concat([PROMPTS[:3], PROMPTS[3:]]))


def test_an_address_where_nobody_answers_is_known_at_once() -> None:
    with pytest.raises(OSError, match="refused"):
        cluster._knock(f"{LOOPBACK}:{free_port()}")
    cluster._knock("local")
    cluster._knock("auto")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The actor died", "The actor died"),
        (
            "ray::init()\n  File x\na.b.ValueError: bad\n  twice\n\nray.ActorDiedError: it died\n",
            "a.b.ValueError: bad twice",
        ),
    ],
)
def test_the_reason_of_an_error_is_its_first_cause(text: str, expected: str) -> None:
    assert replicas.reason(text) == expected
