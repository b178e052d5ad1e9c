"""The source `taxonomy`: its format and errors, its splits and labels, and what may be known on the train side."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from babelshelf.core.errors import InputError
from babelshelf.prepare.leak_checks import all_rows, check
from babelshelf.prepare.marketplace import Marketplace, TaskData
from babelshelf.prepare.sources.taxonomy import Params, read
from babelshelf.prepare.sources.taxonomy.categories import read_categories
from babelshelf.prepare.sources.taxonomy.tree import draw_negatives, shells
from babelshelf.tables.truth import relevant
from babelshelf.text.keys import key
from tests.helpers.taxonomy_folder import settings, tree, write_tree


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tree(tmp_path_factory.mktemp("tree") / "taxonomy")


@pytest.fixture(scope="module")
def shop(folder: Path) -> Marketplace:
    return read({"qc": folder}, settings(), seed=1)


def qc(shop: Marketplace) -> TaskData:
    return shop.tasks["qc"]


def levels(path: str) -> tuple[str, ...]:
    return tuple(path.split(" > "))


def common(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """Levels that two paths share from the root."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def shared(one: str, other: str) -> int:
    return common(levels(one), levels(other))


# --- splits and labels ---


def test_result_passes_all_checks(shop: Marketplace) -> None:
    check(shop)


def test_train_has_its_languages_and_dev_and_test_have_all(shop: Marketplace) -> None:
    assert set(qc(shop).train["language"]) == {"en", "fr"}
    assert set(qc(shop).dev["language"]) == set(qc(shop).test["language"]) == {"en", "fr", "de", "pt"}


def test_label_is_1_just_for_the_path_of_the_category(shop: Marketplace) -> None:
    rows = all_rows(shop)
    own = {identity: " > ".join(path) for identity, path in tree().items()}
    assert all(
        (own[group] == path) == (label == 1) for group, path, label in rows["group", "candidate", "label"].rows()
    )
    assert (relevant(rows, qc(shop).truth) == (rows["label"] == 1)).all()


def test_ancestors_and_descendants_are_not_labelled(shop: Marketplace) -> None:
    negatives = all_rows(shop).filter(label=0)
    own = {identity: " > ".join(path) for identity, path in tree().items()}
    for group, path in negatives["group", "candidate"].rows():
        assert shared(own[group], path) < min(len(levels(own[group])), len(levels(path)))


def test_negatives_of_a_split_are_paths_of_that_split(shop: Marketplace) -> None:
    data = qc(shop)
    for rows in (data.train, data.dev, data.test):
        positive = {" > ".join(tree()[group]) for group in rows["group"]}
        pool = positive | (set(data.candidates.filter("in_train")["candidate"]) if rows is data.train else set())
        assert set(rows["candidate"]) <= pool


def test_rows_and_positive_share_are_those_asked_for(shop: Marketplace) -> None:
    train = qc(shop).train
    assert (train.height, train["label"].sum()) == (100, 60)
    assert qc(shop).test["label"].mean() == pytest.approx(0.6, abs=0.01)


def test_no_pair_comes_twice(folder: Path) -> None:
    many = qc(read({"qc": folder}, settings(positive_share=0.15, rows_train=380), seed=1)).train
    assert not many.select("query", "candidate").is_duplicated().any()
    assert many.group_by("query", "language").len()["len"].min() > 5


def test_hard_share_is_that_of_negatives_with_the_most_of_the_path(folder: Path) -> None:
    def sharing(hard_share: float) -> float:
        train = qc(read({"qc": folder}, settings(hard_share_train=hard_share), seed=1)).train
        own = {identity: " > ".join(path) for identity, path in tree().items() if len(path) == 3}
        pairs = train.filter((pl.col("label") == 0) & pl.col("group").is_in(list(own)))
        return float(np.mean([shared(own[group], path) > 0 for group, path in pairs["group", "candidate"].rows()]))

    assert sharing(0.0) == 0
    assert sharing(1.0) == 1
    assert 0.15 < sharing(0.3) < 0.45


def test_label_noise_flips_its_share_and_keeps_the_positive_share(folder: Path) -> None:
    noisy = qc(read({"qc": folder}, settings(label_noise=0.1), seed=1))
    wrong = (noisy.train["label"] == 1) != relevant(noisy.train, noisy.truth)
    assert wrong.mean() == pytest.approx(0.1, abs=0.01)
    assert noisy.train["label"].mean() == pytest.approx(0.6, abs=0.02)
    assert ((noisy.test["label"] == 1) == relevant(noisy.test, noisy.truth)).all()


def test_same_seed_gives_the_same_and_another_seed_another(folder: Path, shop: Marketplace) -> None:
    again, other = read({"qc": folder}, settings(), seed=1), read({"qc": folder}, settings(), seed=2)
    assert all_rows(again).equals(all_rows(shop))
    assert again.glossary is not None
    assert again.glossary.equals(shop.glossary)
    assert set(qc(other).test["group"]) != set(qc(shop).test["group"])


def test_leaves_are_chosen_first_then_the_deepest_parents(folder: Path) -> None:
    def depths(count: int) -> list[int]:
        paths = qc(read({"qc": folder}, settings(categories=count, rows_train=40), seed=1)).candidates["candidate"]
        return sorted({len(levels(path)) for path in paths})

    assert depths(54) == [3]
    assert depths(63) == [2, 3]
    assert depths(66) == [1, 2, 3]


# --- names that several categories have ---


def test_a_name_of_several_categories_is_left_out_in_all_of_them(tmp_path: Path) -> None:
    same = {"ax1": "ax1 : a > b > Épingle", "by2": "by2 : a > c > epingle!", "cz3": "cz3 : a > d > ÉPINGLE"}
    german = {"bz4": "bz4 : a > e > Épingle"}  # the same word in another language
    read_in = write_tree(tmp_path / "tree", {"fr": same, "de": german})
    for seed in range(5):
        shop = read({"qc": read_in}, settings(), seed)
        check(shop)
        rows = all_rows(shop)
        assert key("épingle") not in set(rows["key"])
        assert "epingle" not in {rows["key"][i] for i in range(rows.height) if rows["group"][i] != "by2"}
        assert "ax1" in set(rows["group"])  # by its other names
        assert shop.counts == {"ambiguous_names": 3}


# --- what is known on the train side ---


def test_texts_are_unpaired_and_of_the_train_side(shop: Marketplace) -> None:
    rows = all_rows(shop)
    queries = shop.texts.filter(kind="query")
    assert not {key(text) for text in queries["text"]} & set(rows.filter(pl.col("split") != "train")["key"])
    assert set(queries["language"]) == {"en", "fr"}
    paths = set(shop.texts.filter(kind="candidate")["text"])
    assert paths == set(qc(shop).candidates.filter("in_train")["candidate"])
    assert shop.texts["text"].is_sorted()


def test_glossary_has_train_names_and_ancestors_but_no_held_out_query(shop: Marketplace) -> None:
    assert shop.glossary is not None
    assert set(shop.glossary.columns) == {"en", "fr", "de", "pt"}
    assert shop.glossary.columns[0] == "en"
    held_out = set(all_rows(shop).filter(pl.col("split") != "train")["key"])
    assert not held_out & {key(name) for column in shop.glossary for name in column}
    train = {tree()[group][-1] for group in qc(shop).train["group"]}
    assert train <= set(shop.glossary["en"])
    assert all(name == f"pt-BR {english}" for english, name in shop.glossary["en", "pt"].rows())


def test_an_ancestor_that_is_held_out_is_not_in_the_glossary(folder: Path) -> None:
    for seed in range(5):
        shop = read({"qc": folder}, settings(), seed)
        assert shop.glossary is not None
        held_out = {tree()[group][-1] for data in (qc(shop).dev, qc(shop).test) for group in data["group"]}
        assert not held_out & set(shop.glossary["en"])


def test_glossary_of_a_part_of_the_tree_has_just_what_the_train_paths_name(folder: Path) -> None:
    part = read(
        {"qc": folder}, settings(categories=30, rows_train=40), seed=1
    )  # leaves: their ancestors are not in the shop
    assert part.glossary is not None
    paths = qc(part).candidates.filter("in_train")["candidate"]
    assert set(part.glossary["en"]) == {name for path in paths for name in levels(path)}


# --- bad input ---

BAD_LINES = {
    "line 5: expected 'id : A > B > C'": "ax1 Branch a > Shelf ax > Leaf",
    "line 5: the id or a name is empty": "ax1 : Branch a > Shelf ax >",
    "line 5: the id or a name is empty in": "ax1 : Branch a > > Leaf ax1",
    "line 5: the id or a name is empty in '": " : Branch a > Leaf ax1",
    "line 5: the id 'ax' is there twice": "ax : Branch a > Shelf ax > Leaf ax1",
}


@pytest.mark.parametrize("message", BAD_LINES)
def test_bad_line_is_named(tmp_path: Path, message: str) -> None:
    bad = write_tree(tmp_path / "tree", {"de": {"ax1": BAD_LINES[message]}})
    with pytest.raises(InputError, match=rf"de/categories\.txt, {message}"):
        read({"qc": bad}, settings(), seed=1)


def test_missing_folder_and_missing_locale(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere: no such folder; prepare\.input names it"):
        read({"qc": tmp_path / "nowhere"}, settings(), seed=1)
    incomplete = write_tree(tmp_path / "tree")
    (incomplete / "pt-BR" / "categories.txt").unlink()
    (incomplete / "fr" / "categories.txt").unlink()
    missing = r"fr/categories\.txt, .*pt-BR/categories\.txt: no such file; .* the locales in .* are de, en$"
    with pytest.raises(InputError, match=missing):
        read({"qc": incomplete}, settings(), seed=1)


@pytest.mark.parametrize(("locale", "lacking"), [("de", "de"), ("en", "en")])
def test_an_id_that_a_locale_lacks(tmp_path: Path, locale: str, lacking: str) -> None:
    bad = write_tree(tmp_path / "tree", {locale: {"ax1": None}})
    with pytest.raises(InputError, match=rf"{lacking}/categories\.txt: 1 ids are missing .* such as 'ax1'"):
        read({"qc": bad}, settings(), seed=1)


def test_two_ids_with_one_english_path(tmp_path: Path) -> None:
    bad = write_tree(tmp_path / "tree", {"en": {"ax2": "ax2 : Branch a > Shelf ax > Leaf ax1"}})
    with pytest.raises(InputError, match="'ax1' and 'ax2' have the same path"):
        read({"qc": bad}, settings(), seed=1)


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    bad = write_tree(tmp_path / "tree")
    (bad / "fr" / "categories.txt").write_bytes("a : Café".encode("latin-1"))
    with pytest.raises(InputError, match=r"fr/categories\.txt: not UTF-8"):
        read({"qc": bad}, settings(), seed=1)


def test_names_are_stored_in_nfc(tmp_path: Path) -> None:
    decomposed = write_tree(tmp_path / "tree", {"fr": {"ax1": "ax1 : a >  b >  Cafe\u0301   noir "}})
    names = {c.id: c.names for c in read_categories(decomposed, ["en", "fr", "de", "pt-BR"])}
    assert names["ax1"] == {"en": "Leaf ax1", "fr": "Caf\u00e9 noir", "de": "de Leaf ax1", "pt": "pt-BR Leaf ax1"}


TOO_SMALL = [
    ({"categories": 67}, "has 66 categories, but prepare.taxonomy.categories asks for 67"),
    ({"categories": 4}, "4 categories leave 1 in dev"),
    ({"rows_train": 1000}, "1000 rows with a positive share of 0.6 need 600 queries, but train has 8"),
    ({"positive_share": 0.05}, "negatives for one query, but only"),
    ({"label_noise": 0.2, "positive_share": 0.1}, "need -"),
]


@pytest.mark.parametrize(("changes", "message"), TOO_SMALL)
def test_settings_that_the_tree_is_too_small_for(folder: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read({"qc": folder}, settings(**changes), seed=1)


BAD_SETTINGS = [
    ({"locales": ["en", "pt-BR", "pt-PT"]}, "two locales are of the language 'pt'"),
    ({"locales": ["fr", "de"]}, "the English locale is missing"),
    ({"train_languages": ["en", "ja"]}, "no locale is of the language 'ja'"),
    ({"categories": "most"}, "categories"),
    ({"label_noise": 0.5}, "label_noise"),
]


@pytest.mark.parametrize(("changes", "message"), BAD_SETTINGS)
def test_bad_settings(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        settings(**changes)


def test_unknown_locale() -> None:
    with pytest.raises(InputError, match=r"prepare\.taxonomy\.locales: unknown language code 'xx'"):
        settings(locales=["en", "xx"])


# --- the draws themselves, against a plain loop over all pairs ---


def brute_shells(pool: list[tuple[str, ...]], own: int) -> dict[int, set[int]]:
    found = defaultdict(set)
    for other, path in enumerate(pool):
        level = common(pool[own], path)
        if level < min(len(pool[own]), len(path)):
            found[level].add(other)
    return found


@pytest.mark.parametrize("seed", range(10))
def test_near_come_from_the_deepest_shells_and_far_from_the_shallowest(seed: int) -> None:
    rng = np.random.default_rng(seed)
    everything = sorted(tree().values())
    pool = sorted(everything[i] for i in rng.permutation(len(everything))[:30])
    own, near, far = (rng.integers(high, size=200) for high in (len(pool), 5, 5))
    query, drawn = draw_negatives(shells(pool), own, near, far, rng)
    for index in range(200):
        found = drawn[query == index].tolist()
        by_level = brute_shells(pool, int(own[index]))
        in_order = [level for level in sorted(by_level) for _ in by_level[level]]
        level_of = {other: level for level, others in by_level.items() for other in others}
        assert len(set(found)) == len(found) == near[index] + far[index]
        expected = in_order[: far[index]] + in_order[len(in_order) - near[index] :]
        farthest = in_order[: far[index] + near[index]]  # where the tree cannot tell near from far
        assert sorted(level_of[other] for other in found) in (sorted(expected), sorted(farthest))


def test_each_member_of_a_shell_is_drawn_as_often() -> None:
    pool = sorted(tree().values())
    own = np.full(6000, pool.index(tree()["ax1"]))
    ones = np.ones_like(own)
    _, near = draw_negatives(shells(pool), own, ones, 0 * ones, np.random.default_rng(0))
    counts = np.bincount(near, minlength=len(pool))
    siblings = [pool.index(tree()[f"ax{leaf}"]) for leaf in "23456"]
    assert counts[siblings].sum() == 6000
    assert counts[siblings].min() > 1000


# --- the real taxonomy, where there is one ---


@pytest.mark.skipif("BABELSHELF_TAXONOMY" not in os.environ, reason="BABELSHELF_TAXONOMY names no folder")
def test_real_taxonomy() -> None:
    locales = ["en", "fr", "es", "ko", "pt-BR", "ja", "de", "it", "pl", "th", "vi", "id-ID"]
    large = {"locales": locales, "rows_train": 300_000, "positive_share": 0.09}
    train_languages = ["en", "fr", "es", "ko", "pt", "ja"]
    params = Params.model_validate(settings().model_dump() | large | {"train_languages": train_languages})
    shop = read({"qc": Path(os.environ["BABELSHELF_TAXONOMY"])}, params, seed=1)
    check(shop)
    assert qc(shop).train.height == 300_000
    assert qc(shop).test["language"].n_unique() == 12
