"""The shards of the backend `ray`, without Ray; test_vllm_ray.py has the cluster."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from babelshelf.score.backends.ray.cluster import check_address
from babelshelf.score.backends.ray.replicas import reason
from babelshelf.score.backends.ray.shards import Shards, digest
from tests.helpers.servers import LOOPBACK, free_port

PROMPTS = pl.Series([[number, 7] for number in range(10)], dtype=pl.List(pl.Int32))


def write(folder: Path, name: str, rows: dict[int, float]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    pl.DataFrame({"number": list(rows), "p_yes": list(rows.values())}).write_parquet(folder / f"{name}.parquet")


@pytest.fixture
def shards(tmp_path: Path) -> Shards:
    return Shards(tmp_path / "work")


def test_prompts_are_written_in_shards_once(shards: Shards) -> None:
    shards.write(PROMPTS, 4)
    files = sorted(shards.prompts.iterdir())
    assert [pl.read_parquet(file).height for file in files] == [4, 4, 2]
    table = pl.read_parquet(files)
    assert table["number"].to_list() == list(range(10))
    assert table["tokenized_prompt"].to_list() == PROMPTS.to_list()
    shards.write(PROMPTS.head(1), 4)  # those of a run that was killed
    assert pl.read_parquet(files).equals(table)


def test_shards_come_back_in_the_order_of_their_prompts(shards: Shards) -> None:
    write(shards.p_yes, "b", {0: 0.5, 3: 0.25})
    write(shards.p_yes, "a", {2: 0.75, 1: 1.0})
    assert shards.read(4).tolist() == [0.5, 1.0, 0.75, 0.25]


@pytest.mark.parametrize("rows", [{0: 0.5}, {0: 0.5, 1: 0.5, 2: 0.5}, {0: 0.5, 2: 0.5}])
def test_missing_rows_and_too_many_raise(rows: dict[int, float], shards: Shards) -> None:
    write(shards.p_yes, "a", rows)
    with pytest.raises(RuntimeError, match="rows of 2: remove the folder"):
        shards.read(2)


def test_only_complete_shards_count_as_finished(shards: Shards) -> None:
    assert shards.count_finished() == 0
    write(shards.finished, "a", {0: 0.5, 1: 0.5})
    write(shards.finished, "b.pending", {2: 0.5})
    assert shards.count_finished() == 2


def test_a_digest_is_of_the_tokens_and_of_where_a_prompt_ends() -> None:
    moved = pl.Series([[1], [2, 3]], dtype=pl.List(pl.Int32)), pl.Series([[1, 2], [3]], dtype=pl.List(pl.Int32))
    assert len({digest(prompts) for prompts in (*moved, PROMPTS, PROMPTS[::-1])}) == 4
    assert digest(PROMPTS) == digest(pl.concat([PROMPTS[:3], PROMPTS[3:]]))


def test_an_address_without_a_server_is_refused_at_once() -> None:
    with pytest.raises(OSError, match="refused"):
        check_address(f"{LOOPBACK}:{free_port()}")
    check_address("local")
    check_address("auto")


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
    assert reason(text) == expected
