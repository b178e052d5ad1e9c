"""Which column is the query, the candidate, the label: by exact name, then by values over all rows, or a question."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from babelshelf.core.errors import InputError
from babelshelf.pairs.column_profiles import read_profiles, value_counts
from babelshelf.pairs.column_roles import Roles, guess_language_values, guess_roles
from babelshelf.pairs.column_table import InputTable
from babelshelf.pairs.formats import as_params, detect
from babelshelf.pairs.guesses import Outcome, resolve
from babelshelf.pairs.label_meaning import Kind, guess_meaning, kind, meaning_said
from babelshelf.pairs.labels import read_labels
from babelshelf.pairs.language_values import home_language
from babelshelf.pairs.rows import ROLES

ROWS = 240
SPLITS = {"train", "training", "dev", "val", "valid", "validation", "test"}
QUERIES = ["red shoes for men", "oak table", "kettle", "blue lamp shade", "garden hose 20 m", "tent"]
TITLES = [
    "Acme running shoes with a soft sole",
    "Solid oak table for six",
    "Electric kettle 1.7 l",
    "Lamp shade, linen",
]

Guess = Callable[..., Roles]


def column(values: list[Any], *, block: int = 1) -> list[Any]:
    """The values over and over, each `block` times."""
    return [values[row // block % len(values)] for row in range(ROWS)]


def table(**columns: list[Any]) -> pl.DataFrame:
    return pl.DataFrame({name: [str(value) for value in values] for name, values in columns.items()})


PLAIN = {
    "query": column(QUERIES, block=4),
    "title": column(TITLES),
    "label": column([0, 1]),
    "lang": column(["en", "de"]),
}


@pytest.fixture
def guess(tmp_path: Path) -> Guess:
    def roles_of(rows: pl.DataFrame, task: str = "qi", **named: list[str]) -> Roles:
        path = tmp_path / "pairs.csv"
        rows.write_csv(path)
        profiles, _ = read_profiles([path], detect(path).how)
        return guess_roles(InputTable(profiles, task, named, SPLITS, "pairs.csv"), ROLES)

    return roles_of


def outcome(roles: Roles, role: str) -> Outcome:
    return next(guess.outcome for guess in roles.guesses if guess.subject == f"{role} column")


@pytest.mark.parametrize("values", [["train", "dev", "Test"], ["nothing to say"]])
def test_splits_and_a_constant_are_no_texts(guess: Guess, values: list[str]) -> None:
    """As where a file to score has no column of candidates: `score` looks for no split."""
    rows = table(query=PLAIN["query"], lang=PLAIN["lang"], other=column(values))
    with pytest.raises(InputError, match="which column is the candidate"):
        resolve(guess(rows, "qc", split=[]).guesses, accept=True)


# --- labels (F3) ---


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"rating": [n / 9 for n in range(80)], "match": ["no", "yes"]}, "match"),
        ({"relevance_score": [n / 7 for n in range(60)], "is_relevant": ["false", "true"]}, "is_relevant"),
        ({"score": [n * 1.3 for n in range(120)], "judgment": ["Exact", "Irrelevant"]}, "judgment"),
        ({"rank": [1, 2, 3, 4, 5], "gold": [1, 0]}, "gold"),
        ({"position": [1, 2, 3], "grade": [0, 1, 2, 3]}, "grade"),
    ],
)
def test_a_label_is_told_by_its_values_before_its_name(
    guess: Guess, columns: Mapping[str, list[Any]], expected: str
) -> None:
    plain = {name: values for name, values in PLAIN.items() if name != "label"}
    roles = guess(table(**plain, **{name: column(values) for name, values in columns.items()}))
    assert roles.columns["label"] == [expected]
    assert outcome(roles, "label") == Outcome.SURE


@pytest.mark.parametrize(
    "name", ["not_relevant", "is_irrelevant", "nonRelevant", "mismatch", "rank", "Position", "serp_rank"]
)
def test_a_negated_label_or_a_rank_is_refused_even_with_yes(guess: Guess, name: str) -> None:
    values = column([1, 2, 3, 4]) if "an" in name.lower() and "rel" not in name.lower() else column([0, 1])
    plain = {column: values for column, values in PLAIN.items() if column != "label"}
    roles = guess(table(**plain, **{name: values}))
    with pytest.raises(InputError, match=f"--column label={name} --positive VALUE"):
        resolve(roles.guesses, accept=True)


@pytest.mark.parametrize(
    "columns",
    [
        {"label": [0, 1], "relevant": [1, 1, 0]},
        {"esci_label": ["E", "I"], "relevance": [0, 1, 2, 3]},
        {"clicked": [0, 1], "purchased": [0, 0, 0, 1]},
    ],
)
def test_two_labels_are_a_question(guess: Guess, columns: dict[str, list[Any]]) -> None:
    plain = {name: values for name, values in PLAIN.items() if name != "label"}
    roles = guess(table(**plain, **{name: column(values) for name, values in columns.items()}))
    with pytest.raises(InputError, match=", ".join(columns)):
        resolve(roles.guesses)
    taken = resolve(roles.guesses, accept=True)
    assert any(line.startswith("check: label column") for line in taken)


@pytest.mark.parametrize("name", ["category_label", "brand_label", "color_class", "product_class"])
def test_the_label_of_something_else_is_no_label(guess: Guess, name: str) -> None:
    roles = guess(table(**{**PLAIN, name: column(["Shoes", "Tables"], block=3)}))
    assert roles.columns["label"] == ["label"]
    without = {column: values for column, values in PLAIN.items() if column != "label"}
    with pytest.raises(InputError, match="which column is the label"):
        resolve(guess(table(**without, **{name: column(["Shoes", "Tables"], block=3)})).guesses)


# --- all rows count (F4) ---


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize(("grades", "expected"), [([0, 1, 2, 3, 4], 2), ([1, 2, 3], 2), ([0, 10], 5)])
def test_a_parquet_file_sorted_by_grade_gets_the_same_threshold(
    tmp_path: Path, grades: list[int], expected: float, *, descending: bool
) -> None:
    path = tmp_path / "pairs.parquet"
    rows = pl.DataFrame({"grade": sorted(grades * (24_000 // len(grades)), reverse=descending)})
    rows.write_parquet(path)
    counts = value_counts([path], detect(path).how, ["grade"])["grade"]
    meaning = guess_meaning(counts, "bad", "grade", "pairs.parquet")
    assert meaning.params["positive_from"] == expected
    assert meaning.guess.outcome == Outcome.CHECK


def test_no_more_values_are_counted_than_asked_for_but_all_rows_of_those(tmp_path: Path) -> None:
    files = [tmp_path / "a.csv", tmp_path / "b.csv"]
    files[0].write_text("path,n\nx,1\ny,2\n", encoding="utf-8")
    files[1].write_text("path,n\nx,1\nz,2\nz,3\n", encoding="utf-8")
    how = detect(files[0]).how
    assert dict(value_counts(files, how, ["path"])["path"].iter_rows()) == {"x": 2, "y": 1, "z": 2}
    assert dict(value_counts(files, how, ["path"], most=2)["path"].iter_rows()) == {"x": 2, "y": 1}


def test_a_file_sorted_by_label_has_both_labels(tmp_path: Path) -> None:
    path = tmp_path / "pairs.parquet"
    pl.DataFrame({"label": [1] * 15_000 + [0] * 9_000}).write_parquet(path)
    profiles, sample = read_profiles([path], detect(path).how)
    assert profiles[0].values == ["1", "0"]
    assert sample["label"].n_unique() == 2
    meaning = guess_meaning(value_counts([path], detect(path).how, ["label"])["label"], "bad", "label", "")
    assert (meaning.params["positive"], meaning.params["negative"]) == (["1"], ["0"])


# --- languages (F5) ---


def languages(rows: pl.DataFrame, roles: Roles, mapping: dict[str, str], tmp_path: Path) -> list[str]:
    path = tmp_path / "pairs.csv"
    profiles, sample = read_profiles([path], detect(path).how)
    guesses, read = guess_language_values(
        InputTable(profiles, "qi", {}, SPLITS, "pairs.csv"), roles, sample, "", mapping
    )
    resolve(guesses)
    assert rows.height
    return sorted(set(read.items()))


@pytest.mark.parametrize(
    ("name", "values", "asked"),
    [
        ("market", ["uk", "br", "se", "in", "my"], "uk=en"),
        ("country", ["ca", "ar", "ch"], "ar=es"),
        ("store", ["us", "mx", "at"], "at=de,mx=es,us=en"),
        ("language", ["de", "us", "fr"], "us=en"),
        ("locale", ["es", "gb", "jp"], "gb=en"),
        ("lang", ["en", "uk", "de"], "uk=en"),
        ("lang", ["en", "se", "br"], "se=sv"),
    ],
)
def test_countries_are_asked_for(guess: Guess, tmp_path: Path, name: str, values: list[str], asked: str) -> None:
    plain = {column: values for column, values in PLAIN.items() if column != "lang"}
    rows = table(**plain, **{name: column(values)})
    roles = guess(rows)
    assert roles.columns["language"] == [name]
    with pytest.raises(InputError, match="--language-map") as error:
        languages(rows, roles, {}, tmp_path)
    assert asked in error.value.message
    mapping = dict.fromkeys(values, "en")
    assert languages(rows, roles, mapping, tmp_path) == sorted(mapping.items()) or name in {
        "market",
        "country",
        "store",
    }


@pytest.mark.parametrize(
    "values", [["en", "de", "et"], ["pt-BR", "zh_Hant", "deu"], ["jp", "kr", "vn"], ["yue", "cmn", "en"]]
)
def test_languages_are_languages(guess: Guess, tmp_path: Path, values: list[str]) -> None:
    rows = table(**{**PLAIN, "lang": column(values)})
    assert languages(rows, guess(rows), {}, tmp_path) == []


def test_ukrainian_is_known_by_its_letters(guess: Guess, tmp_path: Path) -> None:
    rows = table(**{**PLAIN, "lang": column(["uk", "en"]), "query": column(["червоні туфлі", "red shoes"])})
    assert languages(rows, guess(rows), {}, tmp_path) == []


@pytest.mark.parametrize(
    ("first", "second"), [("title_lang", "query_lang"), ("product_language", "lang"), ("ui_locale", "search_language")]
)
def test_the_language_of_the_query_goes_first(guess: Guess, first: str, second: str) -> None:
    plain = {column: values for column, values in PLAIN.items() if column != "lang"}
    roles = guess(table(**{first: column(["en", "fr"])}, **plain, **{second: column(["en", "de"], block=4)}))
    assert roles.columns["language"] == [second]


# --- splits (F7) ---


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("split", ["train", "train", "holdout"]),
        ("fold", ["train", "eval"]),
        ("usage", ["train", "test", "blind"]),
        ("set", ["A", "B"]),
    ],
)
def test_an_unknown_split_is_a_question(guess: Guess, name: str, values: list[str]) -> None:
    with pytest.raises(InputError, match=r"which prepare\.files\.split\.names does not know") as error:
        resolve(guess(table(**PLAIN, **{name: column(values)})).guesses)
    assert "--split-name" in error.value.message


def test_a_column_of_known_splits_counts_whatever_its_name(guess: Guess) -> None:
    roles = guess(table(**PLAIN, part=column(["Train", "test", "dev"])))
    assert roles.columns["split"] == ["part"]
    assert outcome(roles, "split") == Outcome.CHECK


# --- texts (F11, F12, F18, F22) ---


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["cat1", "cat2", "cat3"], ["cat1", "cat2", "cat3"]),
        (["level_0_category", "level_1_category"], ["level_0_category", "level_1_category"]),
        (["Warengruppe 2", "Warengruppe 1"], ["Warengruppe 1", "Warengruppe 2"]),
        (["department", "category", "sub_category"], ["department", "category", "sub_category"]),
        (["subcategory", "main_category"], ["main_category", "subcategory"]),
    ],
)
def test_columns_of_levels_are_joined(guess: Guess, names: list[str], expected: list[str]) -> None:
    plain = {column: values for column, values in PLAIN.items() if column != "title"}
    levels = {name: column([f"Name {number} {n}" for n in range(4)]) for number, name in enumerate(names)}
    roles = guess(table(**plain, **levels), "qc")
    assert roles.columns["candidate"] == expected
    assert outcome(roles, "candidate") == Outcome.CHECK


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("product_id", [f"B0{n:08X}" for n in range(80)]),
        ("item", [str(100_000 + n) for n in range(80)]),
        ("sku", [f"SKU-{n:05}" for n in range(80)]),
        ("candidate", ["3f2504e0-4f89-11d3-9a0c-0305e82c3301", "6fa459ea-ee8a-3ca4-894e-db77e160355e"]),
    ],
)
def test_ids_for_candidates_are_refused_even_with_yes(guess: Guess, name: str, values: list[str]) -> None:
    plain = {column: values for column, values in PLAIN.items() if column != "title"}
    roles = guess(table(**plain, **{name: column(values)}))
    with pytest.raises(InputError, match=f"{name!r} holds ids, not texts.*join the table"):
        resolve(roles.guesses, accept=True)


@pytest.mark.parametrize("name", ["query_id", "qid", "query"])
def test_ids_for_queries_are_refused(guess: Guess, name: str) -> None:
    plain = {column: values for column, values in PLAIN.items() if column != "query"}
    roles = guess(table(**plain, **{name: column([f"q{n}" for n in range(60)], block=4)}))
    with pytest.raises(InputError, match="query column"):
        resolve(roles.guesses, accept=True)


@pytest.mark.parametrize(
    "queries",
    [
        ["जूते", "लाल जूते", "की", "घड़ी"],  # Hindi
        ["ரெட்", "காலணி", "தொலைபேசி"],  # Tamil
        ["รองเท้า", "โต๊ะ", "ที่"],  # Thai
        ["5", "12 v", "42"],
    ],
)
def test_a_column_named_query_is_the_query_in_any_script(guess: Guess, queries: list[str]) -> None:
    roles = guess(table(**{**PLAIN, "query": column(queries)}))
    assert roles.columns["query"] == ["query"]
    assert outcome(roles, "query") == Outcome.SURE


@pytest.mark.parametrize(
    ("query", "title", "brand"),
    [
        ("Suchbegriff", "Produkttitel", "Marke"),
        ("Requête", "Nom du produit", "Marque"),
        ("검색어", "상품명", "브랜드"),
        ("búsqueda", "nombre_del_producto", "marca"),
        ("zapytanie", "nazwa produktu", "marka"),
        ("từ khóa", "tên sản phẩm", "brand"),
    ],
)
def test_names_in_other_languages(guess: Guess, query: str, title: str, brand: str) -> None:
    columns = {brand: column(["Acme", "Bolt"]), title: PLAIN["title"], query: PLAIN["query"]}
    roles = guess(table(**columns, label=PLAIN["label"], lang=PLAIN["lang"]))
    assert (roles.columns["query"], roles.columns["candidate"]) == ([query], [title])


def test_two_texts_without_known_names_are_a_question(guess: Guess) -> None:
    rows = table(a=PLAIN["query"], b=PLAIN["title"], label=PLAIN["label"], lang=PLAIN["lang"])
    with pytest.raises(InputError, match=r"which column is the candidate\? b, a hold texts"):
        resolve(guess(rows).guesses)
    assert guess(rows, query=["a"]).columns["candidate"] == ["b"]


@pytest.mark.parametrize(
    "values", [["https://shop.example/a", "https://shop.example/b"], ["/img/a.png", "/img/b.png"], ["a.jpg", "b.webp"]]
)
def test_locations_are_no_texts(guess: Guess, values: list[str]) -> None:
    roles = guess(table(query=PLAIN["query"], x=column(values), label=PLAIN["label"], lang=PLAIN["lang"]))
    assert "candidate" not in roles.columns


# --- more of the same kinds ---


@pytest.mark.parametrize(
    "name",
    ["offtopic", "off_topic", "unrelated", "mismatched", "nonrelevant", "hors_sujet", "irrelevância", "disliked"],
)
def test_a_negated_name_of_a_label_is_refused(guess: Guess, name: str) -> None:
    with pytest.raises(InputError, match="says the opposite of relevance"):
        resolve(guess(pl.DataFrame(PLAIN).rename({"label": name})).guesses, accept=True)


@pytest.mark.parametrize("name", ["in_stock", "interesting", "note_1"])
def test_other_names_are_not_negated(guess: Guess, name: str) -> None:
    roles = guess(pl.DataFrame(PLAIN | {name: column([0, 1], block=3)}))
    assert roles.columns["label"] == ["label"]
    assert not any("opposite" in found.reason for found in guess(table(**{name: column([0, 1])})).guesses)


@pytest.mark.parametrize("name", ["predicted_label", "model_relevance", "gpt_label"])
def test_labels_of_a_model_are_to_be_checked(guess: Guess, name: str) -> None:
    lines = resolve(guess(pl.DataFrame(PLAIN).rename({"label": name})).guesses)
    assert any(line.startswith("check: label column") and "a model gave the labels" in line for line in lines)


@pytest.mark.parametrize(
    ("values", "what"),
    [
        (['{"text": "red shoes"}', '{"text": "tent"}'], "objects"),
        (["{'en': 'tent'}", "{'en': 'kettle'}"], "objects"),
        (['[{"name": "tent"}]', '[{"name": "lamp"}]'], "objects"),
        (["https://x.com/a", "https://x.com/b"], "URLs"),
        (["www.x.com/a", "http://x.com/b?c=1"], "URLs"),
    ],
)
@pytest.mark.parametrize("role", ["query", "title"])
@pytest.mark.parametrize("named", [False, True])
def test_texts_that_are_objects_or_urls_are_refused(
    guess: Guess,
    values: list[str],
    what: str,
    role: str,
    named: bool,
) -> None:
    columns = {"candidate" if role == "title" else role: [role]} if named else {}
    with pytest.raises(InputError, match=f"holds {what}, not texts"):
        resolve(guess(pl.DataFrame(PLAIN | {role: column(values)}), **columns).guesses, accept=True)


@pytest.mark.parametrize(
    "values", [["A01.02", "B10.33", "A01.04"], ["10-20-30", "10-21-1"], ["1/2/3", "4/5"], ["MX-100-B", "MX-200-C"]]
)
def test_codes_of_several_numbers_are_ids(guess: Guess, values: list[str]) -> None:
    with pytest.raises(InputError, match="holds ids, not texts"):
        resolve(guess(pl.DataFrame(PLAIN | {"title": column(values)})).guesses, accept=True)


@pytest.mark.parametrize("values", [["靴 27", "鞋", "袋", "傘12"], ["ps5", "lego 75192", "iphone"], ["สี2", "เสื้อ 3"]])
def test_short_queries_with_numbers_are_texts(guess: Guess, values: list[str]) -> None:
    assert guess(pl.DataFrame(PLAIN | {"query": column(values)})).columns["query"] == ["query"]


@pytest.mark.parametrize(
    ("name", "values", "option"),
    [
        ("is_test", [0, 0, 0, 1], "--column split=is_test --split-name test=VALUE --split-name train=VALUE"),
        ("in_train", ["yes", "no"], "--column split=in_train --split-name train=VALUE --split-name test=VALUE"),
        ("dataset", ["training_set", "test_set"], "--split-name test=test_set --split-name train=training_set"),
        ("part", ["my-train", "my-dev"], "--split-name dev=my-dev --split-name train=my-train"),
    ],
)
def test_flags_and_phrases_of_splits_are_asked(guess: Guess, name: str, values: list[Any], option: str) -> None:
    rows = pl.DataFrame(PLAIN).with_columns(pl.Series(name, column(values, block=4)))
    with pytest.raises(InputError) as refused:
        resolve(guess(rows).guesses, accept=True)
    assert option in str(refused.value)
    assert guess(rows, split=[]).columns["label"] == ["label"]


def test_columns_that_are_nested_are_asked_as_levels(guess: Guess) -> None:
    paths = [
        ("Home", "Kitchen", "Kettles"),
        ("Home", "Bath", "Towels"),
        ("Sport", "Gym", "Mats"),
        ("Toys", "Cars", "Red"),
    ]
    levels = {name: column([path[place] for path in paths]) for place, name in enumerate(["top", "mid", "lowest"])}
    levels["lowest"] = [f"{leaf} {n % 20}" for n, leaf in enumerate(levels["lowest"])]
    rows = pl.DataFrame({name: PLAIN[name] for name in ("query", "label", "lang")} | levels)
    found = guess(rows, "qc")
    with pytest.raises(InputError, match="--column candidate=top,mid,lowest"):
        resolve(found.guesses)
    assert found.columns["candidate"] == ["top", "mid", "lowest"]
    shuffled = rows.with_columns(mid=pl.Series(column(["a", "b", "c", "d", "e", "f", "g"])))
    assert guess(shuffled, "qc").columns["candidate"] != ["top", "mid", "lowest"]


@pytest.mark.parametrize("word", ["-", "?", "N.A.", "missing", "Unlabeled", "pd.NA", "#VALUE!"])
def test_words_for_no_label_are_neither_class(word: str) -> None:
    counts = pl.DataFrame({"value": ["1", "0", word], "count": [10, 8, 6]})
    meaning = meaning_said(counts, ["1"], "drop", "label", "")
    assert (meaning.params["positive"], meaning.params["negative"]) == (["1"], ["0"])


def test_other_words_that_become_irrelevant_are_to_be_checked() -> None:
    counts = pl.DataFrame({"value": ["1", "0", "unsure"], "count": [10, 8, 6]})
    meaning = meaning_said(counts, ["1"], "drop", "label", "")
    assert (meaning.guess.outcome, meaning.guess.reason) == (Outcome.CHECK, "unsure count as irrelevant")


@pytest.mark.parametrize("name", ["clicks", "orders", "purchases"])
def test_counts_of_events_from_zero_on_are_relevant_from_one(name: str) -> None:
    counts = pl.DataFrame({"value": [str(n) for n in range(30)], "count": [9] * 30})
    meaning = guess_meaning(counts, "bad", name, "")
    assert (meaning.guess.outcome, meaning.params["positive_from"]) == (Outcome.UNSURE, 1)


@pytest.mark.parametrize(
    ("yes", "no"),
    [
        ("ja", "nein"),
        ("Oui", "Non"),
        ("sí", "no"),
        ("はい", "いいえ"),
        ("WAHR", "FALSCH"),
        ("relevant", "not_relevant"),
        ("relevant", "non-relevant"),
        ("match", "mismatch"),
        ("相关", "不相关"),
        ("1,0", "0,0"),
    ],
)
def test_words_of_relevance_in_other_languages_and_spellings(yes: str, no: str) -> None:
    counts = pl.DataFrame({"value": [yes, no], "count": [60, 60]})
    meaning = guess_meaning(counts, "bad", "label", "pairs.csv")
    assert meaning.guess.outcome is Outcome.SURE
    own = as_params({"format": "csv", "labels": meaning.params}, {})
    assert read_labels(pl.Series([yes, no, "?"]), own).to_list() == [1, 0, None]


@pytest.mark.parametrize("value", ["ja", "no", "si"])
def test_a_code_of_a_language_alone_is_no_word_of_relevance(value: str) -> None:
    assert kind(pl.DataFrame({"value": [value], "count": [100]}), 0) in {Kind.OTHER, Kind.WORDS}
    assert (kind(pl.DataFrame({"value": [value], "count": [100]}), 0) is Kind.WORDS) == (value == "no")


@pytest.mark.parametrize("values", [["0", "1", "99"], ["0", "1", "2", "-99"], ["1", "2", "3", "999"], ["0", "1", "9"]])
def test_a_number_far_from_the_others_is_asked_as_no_label(values: list[str]) -> None:
    meaning = guess_meaning(pl.DataFrame({"value": values, "count": [60] * len(values)}), "bad", "label", "pairs.csv")
    assert (meaning.guess.outcome, meaning.guess.value) == (Outcome.UNSURE, None)
    assert "stands for no label" in meaning.guess.reason


@pytest.mark.parametrize("values", [["-1", "0", "1", "2"], ["-1", "0", "1", "2", "3"], ["-2", "0", "1", "2"]])
def test_a_negative_number_below_grades_is_asked(values: list[str]) -> None:
    meaning = guess_meaning(pl.DataFrame({"value": values, "count": [60] * len(values)}), "bad", "label", "pairs.csv")
    assert meaning.guess.outcome is Outcome.UNSURE
    assert "may stand for no label" in meaning.guess.reason


def test_zero_beside_minus_one_is_to_be_checked() -> None:
    counts = pl.DataFrame({"value": ["1", "0", "-1"], "count": [60, 60, 60]})
    assert guess_meaning(counts, "bad", "label", "pairs.csv").guess.outcome is Outcome.CHECK


@pytest.mark.parametrize("name", ["predicted_label", "llm_label", "model_relevance"])
def test_of_two_labels_the_likeliest_is_that_of_people(guess: Guess, name: str) -> None:
    rows = table(**PLAIN, **{name: column([1, 0])})
    assert guess(rows).columns["label"] == ["label"]
    assert outcome(guess(rows), "label") is Outcome.UNSURE


@pytest.mark.parametrize("name", ["in_stock", "is_sponsored", "gender", "free_shipping"])
def test_a_flag_of_the_product_is_no_label_even_with_yes(guess: Guess, name: str) -> None:
    columns = {role: values for role, values in PLAIN.items() if role != "label"}
    found = guess(table(**columns, **{name: column(["yes", "no"])}))
    with pytest.raises(InputError, match="which column is the label"):
        resolve(found.guesses, accept=True)


@pytest.mark.parametrize("ids", [["7", "8", "9"], ["c-1", "c-2", "c-3"], ["1001", "1002", "1003"]])
def test_ids_of_levels_are_no_levels(guess: Guess, ids: list[str]) -> None:
    levels = {"category_id_1": column(ids), "category_id_2": column(ids[::-1])}
    names = {"category_name_1": column(["Home", "Garden"]), "category_name_2": column(["Oak tables", "Hoses", "Tents"])}
    rows = table(**{name: PLAIN[name] for name in ("query", "label", "lang")}, **levels, **names)
    assert guess(rows, "qc").columns["candidate"] == ["category_name_1", "category_name_2"]


@pytest.mark.parametrize("mark", [" > ", "/", " | "])
def test_a_column_of_paths_goes_before_that_of_their_leaves(guess: Guess, mark: str) -> None:
    paths = [mark.join(["Home", room, thing]) for room, thing in (("Kitchen", "Kettles"), ("Bath", "Mats"))]
    columns = {"category": column([path.split(mark)[-1] for path in paths]), "category_path": column(paths)}
    rows = table(**{name: PLAIN[name] for name in ("query", "label", "lang")}, **columns)
    assert guess(rows, "qc").columns["candidate"] == ["category_path"]


@pytest.mark.parametrize("code", ["ru", "ja", "th", "el"])
def test_a_language_without_a_letter_of_its_script_is_to_be_checked(guess: Guess, tmp_path: Path, code: str) -> None:
    rows = table(**PLAIN | {"lang": column(["en", code], block=4)})
    roles = guess(rows)
    profiles, sample = read_profiles([tmp_path / "pairs.csv"], detect(tmp_path / "pairs.csv").how)
    (found,), _ = guess_language_values(InputTable(profiles, "qi", {}, SPLITS, "pairs.csv"), roles, sample, "", {})
    assert found.outcome is Outcome.CHECK
    assert f"next to no query of {code} has a letter" in found.reason


@pytest.mark.parametrize("code", ["xx", "ZZ", "qq", "xa"])
def test_codes_for_private_use_are_no_countries(code: str) -> None:
    assert home_language(code) is None
    assert home_language("xk") is not None  # Kosovo, which many use
