"""Unlabelled pairs: of training queries alone, of the ranks that are asked for, and none that is a row already."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from babelshelf.core.errors import InputError
from babelshelf.distill.unlabelled import choose_queries, nearest_ranks, neighbours, unlabelled_pairs
from babelshelf.text.keys import keys
from tests.distill.lessons import params
from tests.helpers.hash_encoder import HashEncoder

NONE_HELD_OUT = pl.Series("key", [], dtype=pl.String)
CANDIDATES = [f"{word} {number}" for word in ("lamp", "shoe", "mug", "rug") for number in range(5)]


def table(*rows: tuple[str, str, str]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["language", "query", "group"], orient="row")


def queries() -> pl.DataFrame:
    return table(
        *((language, f"{word} {language}", word) for word in ("lamp", "shoe", "mug") for language in ("de", "en"))
    )


def pairs(tmp_path: Path, known: pl.DataFrame | None = None, seed: int = 1, **changes: object) -> pl.DataFrame:
    settings = params(**changes)
    ranked = neighbours(queries(), CANDIDATES, HashEncoder(), tmp_path, settings)
    rows = pl.DataFrame(schema={"query": pl.String, "candidate": pl.String}) if known is None else known
    return unlabelled_pairs(queries(), CANDIDATES, ranked, rows, settings=settings, task="qi", seed=seed)


def ranks(found: pl.DataFrame) -> list[int]:
    """The rank of each pair's candidate among all candidates, by an encoder of the test's own."""
    encoder = HashEncoder()
    vectors = encoder.encode(CANDIDATES)
    result = []
    for query, candidate in found.select("query", "candidate").iter_rows():
        cosines = vectors @ encoder.encode([query])[0]
        result.append(int((cosines > cosines[CANDIDATES.index(candidate)]).sum()))
    return result


def test_the_queries_of_dev_and_test_are_left_out_however_they_are_written() -> None:
    held_out = keys(pl.Series(["Red  SHOES!"])).sort()
    tables = [table(("en", "red shoes", "g1"), ("en", "blue shoes", "g2")), table(("de", "Red Shoes", "g3"))]
    assert choose_queries(tables, held_out, params(), 1)["query"].to_list() == ["blue shoes"]


def test_each_language_has_at_most_so_many_queries_and_a_query_its_first_group() -> None:
    train = table(
        *((language, f"query {number}", f"g{number}") for number in range(30) for language in ("de", "en", "fr"))
    )
    predicted = table(("it", "query 1", "other"), ("it", "new", "n")).with_columns(
        group=pl.when(pl.col("query") == "new").then(None).otherwise("group")
    )
    chosen = choose_queries([train, predicted], NONE_HELD_OUT, params(queries_per_language=7), 1)
    assert dict(chosen.group_by("language").len().iter_rows()) == {"de": 7, "en": 7, "fr": 7, "it": 2}
    assert chosen.filter(language="it")["group"].to_list() == ["new", "g1"]
    other = choose_queries([train], NONE_HELD_OUT, params(queries_per_language=7), 2)
    assert not other.equals(chosen.filter(pl.col("language") != "it"))


def test_candidates_are_of_the_ranks_that_their_distance_says(tmp_path: Path) -> None:
    found = pairs(tmp_path, pairs_per_query={"near": 2, "middle": 2, "far": 6}, ranks=[3, 8])
    by_distance: dict[str, set[int]] = {"near": set(), "middle": set(), "far": set()}
    for distance, rank in zip(found["distance"], ranks(found), strict=True):
        by_distance[distance].add(rank)
    assert by_distance["near"] <= {0, 1, 2}
    assert by_distance["middle"] <= {3, 4, 5, 6, 7}
    assert min(by_distance["far"]) >= 8
    assert len(by_distance["far"]) > 3
    counts = found.group_by("query", "distance").len()
    assert set(counts.filter(pl.col("distance") != "far")["len"]) == {2}


def test_no_pair_occurs_twice_or_is_a_training_row(tmp_path: Path) -> None:
    everything = {"pairs_per_query": {"near": 9, "middle": 9, "far": 40}, "ranks": [5, 9]}
    found = pairs(tmp_path, **everything)
    assert not found.select("language", "query", "candidate").is_duplicated().any()
    assert found["id"].n_unique() == found.height
    assert found["label"].null_count() == found.height
    known = found.select("query", "candidate").head(40)
    rest = pairs(tmp_path, known, **everything)
    assert rest.height == found.height - 40
    assert rest.join(known, on=["query", "candidate"], how="semi").is_empty()


def test_a_pair_keeps_its_query_s_group_and_the_draw_follows_the_seed(tmp_path: Path) -> None:
    found = pairs(tmp_path)
    assert (
        found.select("language", "query", "group")
        .unique()
        .sort("language", "query")
        .equals(queries().sort("language", "query"))
    )
    assert found.equals(pairs(tmp_path))
    assert not found.equals(pairs(tmp_path, seed=2))


def test_without_queries_there_are_no_pairs(tmp_path: Path) -> None:
    settings = params(queries_per_language=0)
    chosen = choose_queries([queries()], NONE_HELD_OUT, settings, 1)
    ranked = neighbours(chosen, CANDIDATES, HashEncoder(), tmp_path, settings)
    known = pl.DataFrame(schema={"query": pl.String, "candidate": pl.String})
    found = unlabelled_pairs(chosen, CANDIDATES, ranked, known, settings=settings, task="qi", seed=1)
    assert found.is_empty()


def test_fewer_candidates_than_ranks() -> None:
    assert nearest_ranks(params(ranks=[2, 40]), 20) == 20
    with pytest.raises(InputError, match=r"ranks.*only 20 candidates"):
        nearest_ranks(params(ranks=[21, 40]), 20)
    with pytest.raises(InputError, match=r"expected \[middle, far\]"):
        params(ranks=[4, 4])


def test_all_candidates_may_be_near_or_middle(tmp_path: Path) -> None:
    found = pairs(tmp_path, ranks=[2, 40], pairs_per_query={"near": 1, "middle": 30, "far": 5})
    assert set(found["distance"]) == {"near", "middle"}
    assert np.unique(found.group_by("query").len()["len"]).tolist() == [19]
