"""Mining: the window of ranks, the guards, the target share, and what a negative inherits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from babelshelf.core.errors import InputError
from babelshelf.core.files import read_json
from babelshelf.core.rows import ROW_SCHEMA, check_rows, concat, positive_share, read_rows, write_rows, write_table
from babelshelf.encoder.builtin_encoders import pointer
from babelshelf.llm import base_model
from babelshelf.mine_negatives import mining
from babelshelf.mine_negatives.guards import category_levels, forbidden
from babelshelf.mine_negatives.params import MineNegativesParams
from babelshelf.tables.truth import FACTS_SCHEMA, Truth, no_truth
from stages.mine_negatives import main
from tests.encoder import test_embedder

ALL_GUARDS = ["known_positive", "related_category", "equal_text"]


def settings(**changes: object) -> MineNegativesParams:
    usual: dict[str, object] = {"origins": ["original", "translated"], "guards": ALL_GUARDS}
    return test_embedder.settings(**(usual | changes))


def row(identity: str, query: str, candidate: str, label: int | None = 1, **changes: str | None) -> dict[str, object]:
    usual = {"task": "qc", "language": "en", "origin": "original", "parent_id": None, "group": query}
    return {"id": identity, "query": query, "candidate": candidate, "label": label} | usual | changes


def table(*rows: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=ROW_SCHEMA)


def on_an_arc(texts: Sequence[str], prompt: str = "") -> np.ndarray:
    """The nearest to the first candidate are the second, the third, and so on."""
    angles = np.arange(len(texts)) * np.pi / (2 * len(texts))
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def mined(rows: pl.DataFrame, candidates: list[str], seed: int = 1, **changes: object) -> mining.MiningResult:
    return mining.mine(rows, candidates, on_an_arc, settings(**changes), seed)


LETTERS = list("abcdefghij")


def test_negatives_come_from_all_ranks_of_the_window_and_no_other() -> None:
    rows = table(*(row(f"r{i}", f"query {i}", "a") for i in range(60)))
    found = mined(rows, LETTERS, rank_window=[2, 5])
    assert set(found.rows["candidate"]) == {"d", "e", "f"}
    assert found.counts["rank_window"] == [2, 5]


def test_the_window_ends_with_the_candidates() -> None:
    rows = table(*(row(f"r{i}", f"query {i}", "a") for i in range(60)))
    found = mined(rows, LETTERS, rank_window=[7, 50])
    assert set(found.rows["candidate"]) == {"i", "j"}
    assert found.counts["rank_window"] == [7, 9]


def test_a_window_beyond_the_candidates_is_an_error_before_any_work() -> None:
    def embed(texts: Sequence[str], prompt: str) -> np.ndarray:
        raise AssertionError("embedded")

    with pytest.raises(InputError, match=r"starts at 9, but there are only 9 other candidates: lower .*window"):
        mining.mine(table(row("r", "query", "a")), LETTERS, embed, settings(rank_window=[9, 12]), 1)


def test_a_negative_inherits_all_but_candidate_and_label() -> None:
    rows = table(
        row("r1", "shoes", "a", 0),
        row("r2", "shoes", "b"),
        row("r2/de", "schuhe", "b", language="de", origin="translated", parent_id="r2", group="shoes"),
    )
    found = mined(rows, LETTERS, rank_window=[0, 5]).rows
    assert dict(found.schema) == dict(ROW_SCHEMA)
    check_rows(concat(rows, found), "rows")
    expected = {"id": "r2/de/neg", "query": "schuhe", "language": "de", "origin": "negative", "parent_id": "r2/de"}
    assert found.drop("candidate").to_dicts() == [expected | {"task": "qc", "label": 0, "group": "shoes"}]


def test_only_positive_rows_of_the_origins_are_anchors() -> None:
    rows = table(
        row("r1", "one", "a"),
        row("r2", "two", "b", 0),
        row("r3", "three", "c", None),
        row("r1/de", "eins", "a", language="de", origin="translated", parent_id="r1", group="one"),
    )
    both = mined(rows, LETTERS, positive_share=0.1).rows
    assert both["parent_id"].to_list() == ["r1", "r1/de"]
    assert mined(rows, LETTERS, positive_share=0.1, origins=["translated"]).rows["parent_id"].to_list() == ["r1/de"]


def test_no_anchor_at_all_is_an_error() -> None:
    with pytest.raises(InputError, match="no positive row of the origins translated"):
        mined(table(row("r1", "one", "a")), LETTERS, origins=["translated"])


def test_an_anchor_outside_the_catalogue_is_an_error() -> None:
    with pytest.raises(InputError, match=r"row 'r1': its candidate 'z' is not among the training candidates"):
        mined(table(row("r1", "one", "z")), LETTERS)


GUARDED = {  # guard: a positive, the nearest candidate, and another positive of the same group in another language
    "known_positive": ("blue shoe", "red shoe", "red shoe"),
    "equal_text": ("Red Shoe, 2 pcs", "red  shoe 2-PCS", "green shoe"),
    "related_category": ("Shoes > Sneakers", "Shoes", "Bags"),
}


@pytest.mark.parametrize("guard", GUARDED)
def test_a_guard_refuses_what_is_mined_without_it(guard: str) -> None:
    positive, nearest, other = GUARDED[guard]
    candidates = [positive, nearest, *({other} - {nearest}), "sandal"]
    translated = row("r/de", "schuh", other, language="de", origin="translated", parent_id="r", group="shoe")
    rows = table(row("r", "shoe", positive), translated)
    without = mined(rows, candidates, guards=[g for g in ALL_GUARDS if g != guard])
    assert ("r/neg", nearest) in without.rows.select("id", "candidate").rows()
    guarded = mined(rows, candidates, guards=[guard])
    assert "r/neg" not in guarded.rows["id"]
    assert guarded.counts["dropped_draws"][guard] > 0
    assert guarded.counts["anchors_without_negative"] > 0
    assert set(guarded.dropped["reason"]) == {guard}
    assert ("shoe", positive, nearest) in guarded.dropped.select("query", "positive", "candidate").rows()


def test_examples_of_refused_draws_are_bounded_and_the_negatives_do_not_depend_on_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = table(*(row(f"r{i}", f"query {i}", "Shoes") for i in range(40)))
    candidates = ["Shoes", "Shoes > Boots", "Bags", "Hats"]
    many = mined(rows, candidates, rank_window=[0, 3])
    assert many.dropped.height == many.counts["dropped_draws"]["related_category"] > 5
    monkeypatch.setattr("babelshelf.mine_negatives.mining.EXAMPLES", 5)
    few = mined(rows, candidates, rank_window=[0, 3])
    assert few.dropped.height == 5
    assert few.rows.equals(many.rows)


def test_a_refused_draw_is_followed_by_another_of_the_window() -> None:
    rows = table(*(row(f"r{i}", f"query {i}", "Shoes") for i in range(20)))
    found = mined(rows, ["Shoes", "Shoes > Boots", "Bags", "Hats"], rank_window=[0, 2])
    assert found.rows["candidate"].to_list() == ["Bags"] * 20
    assert 0 < found.counts["dropped_draws"]["related_category"] < 20
    assert found.counts["anchors_without_negative"] == 0


@pytest.mark.parametrize(
    ("positive", "other", "related"),
    [
        ("shoes,women's shoes", "shoes", True),
        ("shoes", "Shoes,Women's Shoes,Sneakers", True),
        ("shoes,women's shoes", "shoes,men's shoes", False),
        ("home, garden & tools,furniture", "home", False),
        ("Bags & Luggage > Backpacks", "Bags", False),
        ("Bags > Backpacks", "Toys > Backpacks", False),
    ],
)
def test_related_are_ancestors_and_descendants_in_either_notation(positive: str, other: str, related: bool) -> None:
    pool = pl.DataFrame({"candidate": [other], "number": [0]})
    pairs = forbidden(["related_category"], table(row("r", "query", positive)), pool)
    assert pairs["related_category"].rows() == ([("query", 0)] if related else [])


def test_levels_end_where_a_search_from_left_to_right_finds_a_separator() -> None:
    rng = np.random.default_rng(1)
    paths = ["".join(rng.choice(list("ab,> "), size=rng.integers(1, 16))) for _ in range(4000)]
    levels = pl.DataFrame({"path": paths}).select(category_levels(pl.col("path"))).to_series().to_list()
    expected = [re.split(r" > |,(?! )", path) for path in paths]
    assert [[level.strip() for level in path] for path in levels] == [
        [level.strip() for level in path] for path in expected
    ]


def test_positives_of_the_same_query_in_another_group_are_known() -> None:
    rows = table(row("r1", "scarpe", "a", group="shoes"), row("r2", "scarpe", "b", group="footwear"))
    pool = pl.DataFrame({"candidate": ["a", "b"], "number": [0, 1]})
    pairs = forbidden(["known_positive"], rows, pool)["known_positive"].rows()
    assert sorted(pairs) == [("footwear", 0), ("footwear", 1), ("shoes", 0), ("shoes", 1)]


def test_no_pair_of_query_and_candidate_comes_twice() -> None:
    rows = table(*(row(f"r{i}", "query", candidate) for i, candidate in enumerate("abcd")), row("r9", "query", "e", 0))
    found = mined(rows, LETTERS, rank_window=[0, 6], positive_share=0.01, guards=[])
    assert found.rows.height > 1
    both = concat(rows, found.rows)
    assert not both.select("query", "candidate").is_duplicated().any()


def many_rows() -> pl.DataFrame:
    """English has 80 of 100 rows positive, German 40 of 50, French 10 of 50."""
    shares = {"en": (80, 20), "de": (40, 10), "fr": (10, 40)}
    rows = []
    for language, (positive, negative) in shares.items():
        labels: list[int | None] = [1] * positive + [0] * negative + [None] * 5
        rows += [
            row(f"{language}{i}", f"{language} {i}", LETTERS[i % 10], label, language=language)
            for i, label in enumerate(labels)
        ]
    return table(*rows)


def test_each_language_comes_down_to_the_target_share() -> None:
    found = mined(many_rows(), LETTERS, rank_window=[0, 5], positive_share=0.6)
    shares = positive_share(concat(many_rows(), found.rows))
    assert found.counts["mined"] == {"de": 17, "en": 34, "fr": 0}
    assert [shares[language]["all"] for language in ("de", "en", "fr")] == pytest.approx([0.6, 0.6, 0.2], abs=0.005)
    assert set(found.counts["missing"].values()) == {0}


def test_the_anchors_that_get_a_negative_are_drawn_evenly() -> None:
    labels = [1] * 80 + [0] * 20
    rows = table(*(row(f"r{i}", f"query {i}", LETTERS[i % 10], label) for i, label in enumerate(labels)))
    times = np.zeros(80)
    for seed in range(40):
        parents = mined(rows, LETTERS, seed, rank_window=[0, 5], positive_share=0.6, guards=[]).rows["parent_id"]
        times[[int(parent[1:]) for parent in parents]] += 1
    assert times.sum() == 40 * 34  # of 80: 17 times each, with a standard deviation of 3.1
    assert times.min() >= 17 - 4 * 3.1
    assert times.max() <= 17 + 4 * 3.1


def test_a_share_that_is_reached_exactly_needs_no_negative_more() -> None:
    labels = [1] * 21 + [0] * 9  # 21 / 0.7 is a little more than 30
    rows = table(*(row(f"r{i}", f"query {i}", "a", label) for i, label in enumerate(labels)))
    assert mining.target_negatives(rows, 0.7) == {"en": 0}


def test_what_the_anchors_cannot_give_is_counted_as_missing() -> None:
    counts = mined(many_rows(), LETTERS, rank_window=[0, 5], positive_share=0.1).counts
    assert counts["mined"] == {"de": 40, "en": 80, "fr": 10}
    assert counts["missing"] == {"de": 310, "en": 620, "fr": 40}


def test_the_same_seed_gives_the_same_negatives() -> None:
    first, again, other = (
        mined(many_rows(), LETTERS, seed, rank_window=[0, 5], positive_share=0.7) for seed in (1, 1, 2)
    )
    assert first.rows.equals(again.rows)
    assert first.counts == again.counts
    assert not first.rows.equals(other.rows)


def test_false_negatives_are_counted_over_what_the_truth_can_judge() -> None:
    truth = Truth(
        groups=pl.DataFrame({"key": ["red shoe"], "facts": [["shoe", "red"]]}, schema=FACTS_SCHEMA),
        candidates=pl.DataFrame(
            {"key": ["a", "b", "c"], "facts": [["shoe"], ["red", "shoe", "large"], ["bag", "red"]]}, schema=FACTS_SCHEMA
        ),
    )
    rows = table(*(row(candidate, "red shoe", candidate, 0) for candidate in "abcd"))
    assert mining.false_negatives(rows, truth) == {"judged": 3, "false": 1, "share": pytest.approx(1 / 3)}
    assert mining.false_negatives(rows, no_truth()) == {}


def test_a_positive_lost_among_equals_is_not_its_own_negative() -> None:
    rows = table(*(row(f"r{i}", f"query {i}", "j") for i in range(20)))
    found = mining.mine(
        rows, LETTERS, lambda texts, prompt: np.ones((len(texts), 1), np.float32), settings(rank_window=[0, 3]), 1
    )
    assert set(found.rows["candidate"]) == {"a", "b", "c"}


def test_a_query_prompt_searches_from_the_positives_own_prompted_vectors() -> None:
    asked: list[tuple[list[str], str]] = []

    def embed(texts: Sequence[str], prompt: str) -> np.ndarray:
        asked.append((list(texts), prompt))
        return on_an_arc(LETTERS)[[LETTERS.index(text) + 5 * bool(prompt) for text in texts]]

    rows = table(row("r1", "one", "b"), row("r2", "two", "a"), row("r3", "three", "b"))
    found = mining.mine(rows, LETTERS, embed, settings(rank_window=[0, 1], query_prompt="like: "), 1)
    assert asked == [(LETTERS, ""), (["a", "b"], "like: ")]
    assert found.rows.select("parent_id", "candidate").rows() == [("r1", "g"), ("r2", "f"), ("r3", "g")]


def test_too_many_clusters_are_an_error_before_any_work() -> None:
    def embed(texts: Sequence[str], prompt: str) -> np.ndarray:
        raise AssertionError("embedded")

    with pytest.raises(InputError, match=r"ivf\.lists is 16, but 10 candidates are enough for only 1"):
        mining.mine(table(row("r", "query", "a")), LETTERS, embed, settings(index="ivf"), 1)


@pytest.mark.parametrize("window", [[3, 3], [5, 2], [-1, 4], [1], [1.5, 3]])
def test_a_window_that_is_none_is_refused(window: list[float]) -> None:
    with pytest.raises(InputError, match=r"mine_negatives\.rank_window"):
        settings(rank_window=window)


PARAMS = """
seed: 1
tasks: {qc: {mine_negatives: {rank_window: [0, 1], positive_share: 0.5, guards: [known_positive, equal_text]}}}
mine_negatives:
  devices: [cpu]
  batch_size: 32
  precision: fp32
  max_length: none
  truncate_dim: none
  query_prompt: ""
  index: flat
  codes: fp32
  ivf: {lists: 16, probes: 4}
  hnsw: {links: 16, ef_construction: 100, ef_search: 100}
  origins: [original]
"""


def run_stage(folder: Path, held_out: str) -> tuple[pl.DataFrame, dict[str, object]]:
    """Run the stage on four candidates, of which `held_out` is of dev or test alone."""
    candidates = ["Shoes > Sneakers", "Shoes > Sneakers Kids", "Shoes > Boots", "Toys > Dolls"]
    (folder / "params.yaml").write_text(PARAMS)
    write_rows(folder / "train.parquet", table(row("r", "sneakers", "Shoes > Sneakers")))
    catalogue = pl.DataFrame({"candidate": candidates}).with_columns(in_train=pl.col("candidate") != held_out)
    write_table(folder / "candidates.parquet", catalogue)
    write_table(folder / "truth/groups.parquet", no_truth().groups)
    write_table(folder / "truth/candidates.parquet", no_truth().candidates)
    base_model.write(folder / "embedder", pointer("use_multilingual"))
    options = "--train train.parquet --candidates candidates.parquet --embedder embedder --truth truth"
    arguments = ["qc", *options.split(), "--out", "negatives", "--metrics", "metrics.json"]
    CliRunner().invoke(main, arguments, catch_exceptions=False)
    return read_rows(folder / "negatives/train.parquet"), read_json(folder / "metrics.json")


@pytest.mark.parametrize(
    ("held_out", "negative"),
    [("Toys > Dolls", "Shoes > Sneakers Kids"), ("Shoes > Sneakers Kids", "Shoes > Boots")],
)
def test_the_stage_never_mines_a_candidate_of_dev_or_test_alone(
    held_out: str, negative: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written, metrics = run_stage(tmp_path, held_out)
    assert written.select("id", "candidate", "label").rows() == [("r", "Shoes > Sneakers", 1), ("r/neg", negative, 0)]
    assert metrics["positive_share"] == {
        "before": {language: {"all": 1, "original": 1} for language in ("all", "en")},
        "after": {language: {"all": 0.5, "negative": 0, "original": 1} for language in ("all", "en")},
    }
    assert "false_negatives" not in metrics
