"""The demo source: its labels follow from facts, its splits share nothing, its flaws are as many as asked for."""

from __future__ import annotations

import re
import shutil
import unicodedata
from pathlib import Path

import polars as pl
import pytest

from babelshelf.core.errors import InputError
from babelshelf.core.languages import LATIN, NAMES, scripts
from babelshelf.core.rows import check_rows
from babelshelf.prepare.marketplace import Marketplace, TaskData
from babelshelf.prepare.sources import demo
from babelshelf.prepare.sources.demo import lexicon
from babelshelf.prepare.sources.demo.params import Params
from babelshelf.prepare.sources.demo.queries import HELD_OUT_LANGUAGES, TRAIN_LANGUAGES
from babelshelf.tables.truth import relevant
from babelshelf.text import keys

ORDER = "brand model product colour material audience use size"
LEAVES = {
    "Clothing": ("Tops > Shirt", "Tops > Blouse", "Tops > Cardigan", "Legs > Trousers", "Legs > Skirt", "Legs > Kilt"),
    "Home": ("Light > Lamp", "Light > Candle", "Light > Torch", "Seats > Chair", "Seats > Sofa", "Seats > Stool"),
}
ATTRIBUTES = {
    "colour": ("black", "white", "red", "green"),
    "material": ("wool", "silk", "plastic"),
    "audience": ("women", "men"),
    "use": ("winter", "party"),
}
SETTINGS = {
    "rows_train": {"qc": 300, "qi": 300},
    "rows_dev": 20,
    "rows_test": 40,
    "positive_share": {"qc": 0.7, "qi": 0.6},
    "hard_share_train": 0.1,
    "hard_share_held_out": 0.5,
    "label_noise": 0.1,
    "wrong_language": 0.05,
    "english_share": 0.4,
    "brand_share": 0.5,
    "fillers": 0.1,
    "code_mixing": 0.1,
    "typing_errors": 0.1,
    "sellers": 1,
}
SPLITS = ("train", "dev", "test")


def settings(**changes: object) -> Params:
    return Params.model_validate(SETTINGS | changes)


def table(*rows: str) -> str:
    return "\n".join(row.replace(" | ", "\t") for row in rows) + "\n"


def in_all_languages(word: str) -> str:
    """Two names in each language, which no other word and no other language has."""
    return "\t".join(f"{word}|{word}y" if code == "en" else f"{word}{code}|{code}{word}" for code in NAMES)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small lexicon with all tables."""
    folder = tmp_path_factory.mktemp("lexicon")
    (folder / "products").mkdir()
    codes = "\t".join(NAMES)
    cells = "colour material:wool,silk,plastic audience:women,men use:winter,party size:length-cm"
    for department, leaves in LEAVES.items():
        rows = [f"{department} > {leaf}\t{cells}\t{in_all_languages(leaf.split()[-1].lower())}" for leaf in leaves]
        (folder / "products" / f"{department.lower()}.tsv").write_text(table(f"path\tattributes\t{codes}", *rows))
    values = [f"{kind}\t{value}\t{in_all_languages(value)}" for kind in ATTRIBUTES for value in ATTRIBUTES[kind]]
    (folder / "attributes.tsv").write_text(table(f"kind\tvalue\t{codes}", *values))
    templates = "\t".join("{} cm|{}cm" for _ in NAMES)
    (folder / "sizes.tsv").write_text(table(f"kind\tvalues\t{codes}", f"length-cm\t10|20|30\t{templates}"))
    brands = (f"{name}\tClothing|Home\t{name[0]}100|{name[0]}200" for name in ("Zorvik", "Quandry", "Velnor"))
    (folder / "brands.tsv").write_text(table("brand\tdepartments\tmodels", *brands, "Plaindo\tHome\t"))
    languages = (f"{code}\t{ORDER}\tcheap{code}|buy{code}" for code in NAMES)
    (folder / "languages.tsv").write_text(table("language\torder\tfillers", *languages))
    (folder / "title_phrases.txt").write_text(table(*(f"Phrase {i}" for i in range(12))))
    return folder


@pytest.fixture(scope="session")
def market(folder: Path) -> Marketplace:
    return demo.read({"qc": folder, "qi": folder}, settings(), seed=3)


@pytest.fixture(params=["qc", "qi"])
def data(market: Marketplace, request: pytest.FixtureRequest) -> TaskData:
    return market.tasks[request.param]


def rows_of(data: TaskData, split: str) -> pl.DataFrame:
    rows: pl.DataFrame = getattr(data, split)
    return rows


def edited(folder: Path, tmp_path: Path, file: str, old: str, new: str) -> Path:
    """A copy of the lexicon in which the first `old` of a file is `new`."""
    copy = tmp_path / "lexicon"
    shutil.copytree(folder, copy)
    content = (copy / file).read_text()
    assert old in content
    (copy / file).write_text(content.replace(old, new, 1))
    return copy


def test_the_same_seed_gives_the_same_marketplace_and_another_seed_another(folder: Path, market: Marketplace) -> None:
    again, other = (
        demo.read({"qc": folder, "qi": folder}, settings(), seed=3),
        demo.read({"qc": folder, "qi": folder}, settings(), seed=4),
    )
    for task, data in market.tasks.items():
        for split in SPLITS:
            assert rows_of(data, split).equals(rows_of(again.tasks[task], split))
        assert data.candidates.equals(again.tasks[task].candidates)
        assert data.truth.candidates.equals(again.tasks[task].truth.candidates)
        assert not data.train["query"].equals(other.tasks[task].train["query"])
    assert market.texts.equals(again.texts)


def test_rows_obey_the_contract_and_each_pair_is_labelled_once(data: TaskData) -> None:
    for split in SPLITS:
        rows = rows_of(data, split)
        check_rows(rows, split)
        assert not rows.select("group", "candidate").is_duplicated().any()
        assert rows["group"].n_unique() == rows["query"].n_unique()
        assert rows.group_by("group").len()["len"].max() <= 5


@pytest.mark.parametrize(("task", "share"), [("qc", 0.7), ("qi", 0.6)])
def test_sizes_and_shares_are_those_asked_for(market: Marketplace, task: str, share: float) -> None:
    data = market.tasks[task]
    assert data.train.height == 300
    assert data.train["label"].mean() == pytest.approx(share, abs=2 / 300)  # noise included
    assert set(data.train["language"]) == set(TRAIN_LANGUAGES[task])
    for rows, size in ((data.dev, 20), (data.test, 40)):
        by_language = rows.group_by("language").agg(pl.len(), pl.col("label").mean())
        assert set(by_language["language"]) == set(HELD_OUT_LANGUAGES[task])
        assert by_language["len"].to_list() == [size] * len(HELD_OUT_LANGUAGES[task])
        assert by_language["label"].to_list() == pytest.approx([share] * by_language.height)


def test_labels_are_true_but_for_the_noise_in_train(data: TaskData) -> None:
    for split in ("dev", "test"):
        rows = rows_of(data, split)
        assert (relevant(rows, data.truth).cast(pl.Int8) == rows["label"]).all()
    truth = relevant(data.train, data.truth).cast(pl.Int8)
    assert truth.null_count() == 0
    flipped = data.train.select(truth=truth, wrong=truth != pl.col("label"))
    for _, of_class in flipped.group_by("truth"):  # symmetric
        assert of_class["wrong"].mean() == pytest.approx(0.1, abs=1 / of_class.height)


def test_without_noise_every_label_is_true(folder: Path) -> None:
    for data in demo.read({"qc": folder, "qi": folder}, settings(label_noise=0.0), seed=3).tasks.values():
        assert (relevant(data.train, data.truth).cast(pl.Int8) == data.train["label"]).all()


def assert_no_leak(market: Marketplace) -> None:
    seen: dict[str, str] = {}
    for data in market.tasks.values():
        for split in SPLITS:
            rows = rows_of(data, split)
            for shared in (*rows["group"], *map(keys.key, rows["query"])):
                assert seen.setdefault(shared, split) == split


def test_no_intent_and_no_query_text_is_in_two_splits(market: Marketplace) -> None:
    assert_no_leak(market)


def test_intents_that_are_worded_alike_are_not_in_two_splits(folder: Path, tmp_path: Path) -> None:
    """With a product that is called "lamp red", two intents have one text."""
    ambiguous = tmp_path / "lexicon"
    shutil.copytree(folder, ambiguous)
    products = (folder / "products" / "home.tsv").read_text()
    for colour, product in zip(ATTRIBUTES["colour"], ("candle", "torch", "chair", "sofa"), strict=True):
        names = "\t".join(
            f"{'lamp' if c == 'en' else f'lamp{c}'} {colour if c == 'en' else f'{colour}{c}'}" for c in NAMES
        )
        products = products.replace(in_all_languages(product), names)
    (ambiguous / "products" / "home.tsv").write_text(products)
    assert_no_leak(
        demo.read({"qc": ambiguous, "qi": ambiguous}, settings(brand_share=0.0, typing_errors=0.0, fillers=0.0), seed=3)
    )


def test_titles_of_train_and_held_out_splits_are_disjoint(market: Marketplace) -> None:
    data = market.tasks["qi"]
    in_train = dict(data.candidates.iter_rows())
    assert len(in_train) == data.candidates.height
    for split in SPLITS:
        assert all(in_train[candidate] == (split == "train") for candidate in rows_of(data, split)["candidate"])
    assert data.train["candidate"].n_unique() < 0.8 * data.train.height  # a title serves several queries


def test_every_category_is_a_candidate(market: Marketplace) -> None:
    paths = {f"{department} > {leaf}" for department, leaves in LEAVES.items() for leaf in leaves}
    candidates = market.tasks["qc"].candidates
    assert set(candidates["candidate"]) == paths
    assert candidates["in_train"].all()


def department_and_shelf(path: str) -> list[str]:
    return path.removeprefix("product:").split(" > ")[:2]


def test_half_of_the_held_out_negative_categories_are_hard_and_a_tenth_of_those_in_train(folder: Path) -> None:
    data = demo.read({"qc": folder, "qi": folder}, settings(label_noise=0.0), seed=3).tasks["qc"]
    for split, share in (("train", 0.1), ("dev", 0.5), ("test", 0.5)):
        negatives = rows_of(data, split).filter(label=0).select("group", "candidate").rows()
        hard = [group for group, path in negatives if group.startswith(f"product:{path.split(' > ')[0]} > ")]
        assert len(hard) / len(negatives) == pytest.approx(share, abs=0.01)
        siblings = [g for g, path in negatives if department_and_shelf(g) == department_and_shelf(path)]
        assert all(siblings.count(group) == min(hard.count(group), 2) for group in hard)  # cousins where they run out


def test_half_of_the_held_out_negative_titles_are_hard(market: Marketplace) -> None:
    data = market.tasks["qi"]
    shelf = {key: re.match(r"product:(.*) > ", facts[0])[1] for key, facts in data.truth.groups.iter_rows()}
    product = dict(
        data.truth.candidates.select(
            "key", pl.col("facts").list.filter(pl.element().str.starts_with("product:")).list.first()
        ).iter_rows()
    )
    negatives = data.test.filter(label=0).select("group", "candidate").rows()
    hard = [product[candidate].startswith(f"product:{shelf[group]}") for group, candidate in negatives]
    assert sum(hard) / len(hard) == pytest.approx(0.5, abs=0.01)


def test_more_sellers_put_the_same_items_on_sale_in_other_words(folder: Path, market: Marketplace) -> None:
    resold = demo.read({"qc": folder, "qi": folder}, settings(sellers=3), seed=3).tasks["qi"]
    alone = market.tasks["qi"]
    assert all(rows_of(resold, split).equals(rows_of(alone, split)) for split in SPLITS)
    assert set(alone.candidates["candidate"]) < set(resold.candidates["candidate"])
    assert resold.truth is not None
    assert alone.truth is not None
    items, of_alone = resold.truth.candidates, alone.truth.candidates
    assert items["key"].n_unique() == items.height > 2 * of_alone.height
    assert {tuple(facts) for facts in items["facts"]} == {tuple(facts) for facts in of_alone["facts"]}


def test_a_title_says_each_of_its_facts(folder: Path, market: Marketplace) -> None:
    words = lexicon.read(folder)
    for candidate, facts in market.tasks["qi"].truth.candidates.iter_rows():
        said = keys.key(candidate)
        for fact in facts:
            kind, _, value = fact.rpartition(":")
            if kind in ("brand", "model"):
                assert keys.key(value) in said
            elif not kind.startswith("product"):
                assert any(keys.key(phrase) in said for phrase in words.phrasings(kind, value, "en"))


def test_a_hard_negative_never_takes_a_value_close_to_the_one_asked_for(folder: Path, tmp_path: Path) -> None:
    close = edited(
        folder,
        tmp_path,
        "attributes.tsv",
        f"colour\tgreen\t{in_all_languages('green')}",
        f"colour\tnavy\t{in_all_languages('navy')}",
    )
    content = (close / "attributes.tsv").read_text().replace("colour\tred", "colour\tblue")
    (close / "attributes.tsv").write_text(content)
    data = demo.read({"qc": close, "qi": close}, settings(hard_share_held_out=1.0), seed=3).tasks["qi"]
    has = dict(data.truth.candidates.iter_rows())
    for group, candidate in data.test.filter(label=0).select("group", "candidate").iter_rows():
        if "colour:blue" in group:
            assert "colour:navy" not in has[candidate]


def test_wrong_language_codes_are_as_many_as_asked_for_and_only_in_train(folder: Path, market: Marketplace) -> None:
    honest = demo.read({"qc": folder, "qi": folder}, settings(wrong_language=0.0), seed=3)
    for task, data in market.tasks.items():
        codes = data.train.select("group", declared="language", spoken=honest.tasks[task].train["language"]).unique()
        wrong = codes.filter(pl.col("declared") != pl.col("spoken"))
        assert codes.height == data.train["group"].n_unique()  # all rows of a query have the same code
        assert wrong.height == round(0.05 * codes.height)
        assert data.test.equals(honest.tasks[task].test)


def test_typing_errors_spare_brands_and_numbers(folder: Path) -> None:
    careless = settings(typing_errors=1.0, code_mixing=0.0, fillers=0.0)
    careful = settings(typing_errors=0.0, code_mixing=0.0, fillers=0.0)
    words = lexicon.read(folder)
    known = {
        keys.key(name) for names in words.attributes.values() for of_language in names.values() for name in of_language
    }
    known |= {keys.key(name) for p in words.products for of_language in p.names.values() for name in of_language}
    known |= {"10", "20", "30", "cm", "10cm", "20cm", "30cm", "zorvik", "quandry", "velnor", "plaindo"}
    known |= {f"{initial}{number}" for initial in "zqv" for number in (100, 200)}

    def unknown(params: Params) -> list[list[str]]:
        queries = (
            demo.read({"qc": folder, "qi": folder}, params, seed=3).tasks["qc"].train.select("group", "query").unique()
        )
        for group, query in queries.iter_rows():
            assert all(keys.key(brand) in keys.key(query) for brand in re.findall(r"brand:(\w+)", group))
        return [[word for word in keys.key(query).split() if word not in known] for query in queries["query"]]

    assert not any(unknown(careful))
    misspelled = unknown(careless)
    assert max(map(len, misspelled)) == 1
    assert sum(map(bool, misspelled)) > 0.8 * len(misspelled)  # a swap of equal letters changes nothing
    assert not any(c.isdigit() for words in misspelled for word in words for c in word)


def test_the_texts_are_unpaired_and_from_the_train_side_alone(market: Marketplace) -> None:
    texts = market.texts
    assert texts["text"].is_sorted()
    assert texts["text"].is_unique().all()
    train = {q for data in market.tasks.values() for q in data.train["query"]}
    on_sale = {c for data in market.tasks.values() for c in data.candidates.filter("in_train")["candidate"]}
    assert set(texts["text"]) == train | on_sale


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("products/home.tsv", "Home > Light > Lamp", "Home > Lamp", r"home\.tsv, line 2: expected a path"),
        ("products/home.tsv", "material:wool", "material:whool", r"home\.tsv, line 2: unknown attribute 'whool'"),
        ("products/home.tsv", "size:length-cm", "size:girth", r"home\.tsv, line 2: unknown attribute 'girth'"),
        ("products/home.tsv", "lampja|jalamp", "", r"home\.tsv, line 2: the cell 'ja' is empty"),
        ("products/home.tsv", "candleja", "lampja", r"home\.tsv, line 3: 'lampja' \(ja\) is also a name in .*line 2"),
        ("products/home.tsv", "\tlamp|lampy", "", r"home\.tsv, line 2: 14 cells, but the header has 15"),
        ("products/home.tsv", "attributes", "features", r"home\.tsv, line 1: missing column 'attributes'"),
        ("attributes.tsv", "colour\tblack", "color\tblack", r"attributes\.tsv, line 2: unknown kind 'color'"),
        ("attributes.tsv", "whiteja", "blackja", r"attributes\.tsv, line 3: 'blackja' \(ja\) is also a name"),
        ("sizes.tsv", "{} cm", "cm", r"sizes\.tsv, line 2: a template of 'en' lacks"),
        ("brands.tsv", "Clothing", "Cloth", r"brands\.tsv, line 2: no product is of the department 'Cloth'"),
        ("languages.tsv", "brand model", "brand", r"languages\.tsv, line 2: the order must name each of"),
        ("languages.tsv", "en\tbrand", "xx\tbrand", r"languages\.tsv: no line for the language 'en'"),
    ],
)
def test_a_broken_table_is_an_error_with_its_line(
    folder: Path, tmp_path: Path, *, file: str, old: str, new: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        lexicon.read(edited(folder, tmp_path, file, old, new))


@pytest.mark.parametrize(
    "file", ["attributes.tsv", "sizes.tsv", "brands.tsv", "languages.tsv", "title_phrases.txt", "products"]
)
def test_a_missing_table_is_named(folder: Path, tmp_path: Path, file: str) -> None:
    copy = tmp_path / "lexicon"
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns(file))
    with pytest.raises(InputError, match=file):
        lexicon.read(copy)


def test_more_rows_than_the_lexicon_can_give_are_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="too small"):
        demo.read({"qc": folder, "qi": folder}, settings(rows_test=4000, brand_share=0.0), seed=3)


def test_the_name_of_a_product_is_no_attribute_of_it(folder: Path, tmp_path: Path) -> None:
    woollen = edited(folder, tmp_path, "products/clothing.tsv", "cardigan|", "wool cardigan|")
    cardigan = next(p for p in lexicon.read(woollen).products if p.path.endswith("Cardigan"))
    assert cardigan.values["material"] == ("silk", "plastic")


def test_the_lexicon_of_the_repository_is_large_and_in_its_scripts() -> None:
    words = lexicon.read(Path("data/demo"))
    assert len({product.path for product in words.products}) >= 250
    for code in (code for code in NAMES if scripts(code) != LATIN):
        names = [product.names[code][0] for product in words.products]
        native = [any(unicodedata.name(c, "").startswith(scripts(code)) for c in name) for name in names]
        assert sum(native) / len(native) > 0.95
