"""The source `esci`: the join, grades, versions and locales, splits and leaks, and that no row gets lost."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from babelshelf.core.errors import InputError
from babelshelf.core.files import read_json
from babelshelf.core.params import load, section
from babelshelf.core.params import read as read_params
from babelshelf.prepare.leak_checks import all_rows, check
from babelshelf.prepare.marketplace import Marketplace
from babelshelf.prepare.params import PrepareParams
from babelshelf.prepare.sources import esci
from babelshelf.prepare.sources.esci import EXAMPLES, PRODUCTS, Params
from stages.prepare import main
from tests.helpers import profiles
from tests.helpers.esci_folder import write_folder
from tests.helpers.fuzz import BYTES, at_most

Row = dict[str, Any]

EXAMPLE = {
    **{"example_id": 10**6, "query": "odd one", "query_id": 10**6, "product_id": "B0ODD", "product_locale": "us"},
    **{"esci_label": "E", "small_version": 0, "large_version": 1, "split": "train"},
}
PRODUCT = {
    **{"product_id": "B0ODD", "product_title": "An odd thing", "product_description": None},
    **{"product_bullet_point": None, "product_brand": None, "product_color": None, "product_locale": "us"},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("made"), 200)


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    for name in (EXAMPLES, PRODUCTS):
        (tmp_path / name).write_bytes((made / name).read_bytes())
    return tmp_path


def params(split: Row | None = None, **changes: Any) -> Params:  # noqa: ANN401
    values: Row = {
        **{"version": "large", "locales": ["us", "es", "jp"], "max_bad_share": 0.0, "conflicts": "keep"},
        **{
            "grades": {"substitute": "negative", "complement": "negative"},
            "long": {"query": 200, "candidate": 500},
            "longest_query": 1000,
        },
        "split": {"dev_share": 0.1, "holdout_languages": [], "leaks": "drop"} | (split or {}),
    }
    return section(Params, {"esci": values | changes}, "esci", None)


def read(folder: Path, split: Row | None = None, **changes: Any) -> Marketplace:  # noqa: ANN401
    return esci.read({"qc": folder, "qi": folder}, params(split, **changes), 1)


def add(folder: Path, *examples: Row, products: tuple[Row, ...] = ({},)) -> None:
    """Append rows, each like `EXAMPLE` and `PRODUCT` but for what is given; ids are numbered."""
    more = [EXAMPLE | {"example_id": 10**6 + number} | row for number, row in enumerate(examples)]
    for name, like, rows in ((EXAMPLES, EXAMPLE, more), (PRODUCTS, PRODUCT, [PRODUCT | row for row in products])):
        table = pl.read_parquet(folder / name)
        pl.concat([table, pl.DataFrame(rows, schema=table.schema, strict=False)]).write_parquet(folder / name)
        assert table.columns == list(like)


def odd(market: Marketplace) -> pl.DataFrame:
    return all_rows(market).filter(pl.col("id").str.starts_with("qi-10000")).sort("id")


def dropped(folder: Path, split: Row | None = None, **changes: Any) -> dict[str, int]:  # noqa: ANN401
    """Rows left out for each reason, less those of the made folder itself."""
    found: dict[str, int] = read(folder, split, **changes).counts["qi"]["dropped"]
    return found


# --- the join ---


def test_a_row_is_what_the_two_files_say(folder: Path) -> None:
    row = {"query": "Caja  azul", "product_locale": "es", "esci_label": "I", "split": "test"}
    add(folder, row, products=({"product_locale": "es", "product_title": "Una\tcosa rara"},))
    market = read(folder)
    check(market)
    found = odd(market).select("id", "task", "language", "query", "candidate", "label", "split", "origin")
    assert found.rows() == [("qi-1000000", "qi", "es", "Caja azul", "Una cosa rara", 0, "test", "original")]


def test_a_product_is_found_by_its_id_and_its_locale(folder: Path) -> None:
    rows = [{"product_locale": locale, "query": f"odd {locale}"} for locale in ("us", "es", "jp")]
    titles = [{"product_locale": locale, "product_title": f"Thing of {locale}"} for locale in ("jp", "us", "es")]
    add(folder, *rows, products=tuple(titles))
    found = odd(read(folder)).select("language", "candidate")
    assert found.rows() == [("en", "Thing of us"), ("es", "Thing of es"), ("ja", "Thing of jp")]


def test_a_product_that_another_locale_has_is_no_product(folder: Path) -> None:
    before = dropped(folder).get("no_product", 0)
    add(folder, {"product_locale": "es"}, {"product_id": "B0NONE"}, {"product_id": None})
    assert dropped(folder)["no_product"] == before + 3
    assert odd(read(folder)).is_empty()


def test_missing_titles_are_counted(folder: Path) -> None:
    before = read(folder).counts["qi"]
    none = {"B0NULL": None, "B0EMPTY": "", "B0SPACE": " "}
    rows = [{"product_id": product} for product in none]
    titles = [{"product_id": product, "product_title": title} for product, title in none.items()]
    add(folder, *rows, products=tuple(titles))
    found = read(folder).counts["qi"]
    assert found["dropped"]["missing_candidate"] == before["dropped"].get("missing_candidate", 0) + 3
    assert found["products"]["without_title"] == before["products"]["without_title"] + 2


def test_of_a_product_that_is_there_twice_the_first_with_a_title_counts(folder: Path) -> None:
    before = read(folder).counts["qi"]
    titles = [{"product_title": None}, {"product_title": "First"}, {"product_title": "Second"}]
    add(folder, {}, products=tuple(titles))
    market = read(folder)
    assert odd(market)["candidate"].to_list() == ["First"]
    assert market.counts["qi"]["read"] == before["read"] + 1
    assert market.counts["qi"]["products"]["duplicate"] == before["products"]["duplicate"] + 2


# --- what the params choose ---


@pytest.mark.parametrize(
    ("substitute", "complement", "expected"),
    [
        ("negative", "negative", [1, 0, 0, 0]),
        ("positive", "negative", [1, 1, 0, 0]),
        ("drop", "positive", [1, None, 1, 0]),
        ("negative", "drop", [1, 0, None, 0]),
    ],
)
def test_grades(folder: Path, substitute: str, complement: str, expected: list[int | None]) -> None:
    add(folder, *({"esci_label": grade, "query": f"odd {grade}"} for grade in "ESCI"))
    grades = {"substitute": substitute, "complement": complement}
    market = read(folder, grades=grades)
    labels = dict(odd(market).select("query", "label").iter_rows())
    assert [labels.get(f"odd {grade}") for grade in "ESCI"] == expected
    table = pl.read_parquet(folder / EXAMPLES)
    for grade, meaning in grades.items():
        count = table.filter(esci_label=grade[0].upper()).height if meaning == "drop" else 0
        assert market.counts["qi"]["dropped"].get(grade, 0) == count


def test_a_version_has_the_rows_that_say_so(folder: Path) -> None:
    table = pl.read_parquet(folder / EXAMPLES)
    small = int(table["small_version"].sum())
    assert 0 < small < table.height
    market = read(folder, version="small")
    check(market)
    assert market.counts["qi"]["dropped"]["other_version"] == table.height - small
    of_small = {f"qi-{number}" for number in table.filter(small_version=1)["example_id"]}
    assert set(all_rows(market)["id"]) < of_small
    assert "other_version" not in dropped(folder)


def test_locales(folder: Path) -> None:
    add(folder, {"product_locale": None}, {"product_locale": "uk"})
    table = pl.read_parquet(folder / EXAMPLES)
    market = read(folder, locales=["es", "jp"])
    assert set(all_rows(market)["language"]) == {"es", "ja"}
    assert market.counts["qi"]["dropped"]["other_locale"] == table.filter(product_locale="us").height + 2


# --- splits ---


def test_dev_is_cut_out_of_train_by_query_and_test_is_the_data_sets_own(folder: Path) -> None:
    rows = all_rows(read(folder))
    said = pl.read_parquet(folder / EXAMPLES).select(id=pl.format("qi-{}", "example_id"), said="split")
    found = rows.join(said, on="id").group_by("said", "split").len()
    assert set(found.select("said", "split").iter_rows()) == {("train", "train"), ("train", "dev"), ("test", "test")}
    assert rows.group_by("key").agg(pl.col("split").n_unique())["split"].max() == 1
    sizes = dict(rows.group_by("split").agg(pl.col("key").n_unique()).iter_rows())
    assert sizes["dev"] / (sizes["train"] + sizes["dev"]) == pytest.approx(0.1, abs=0.02)


def test_a_train_query_that_is_in_test_in_another_language_leaves_train_or_is_an_error(folder: Path) -> None:
    before = dropped(folder).get("leak", 0)
    add(
        folder,
        {"query": "Odd Brand 5!"},
        {"query": "odd brand 5", "product_locale": "jp", "split": "test"},
        products=({}, {"product_locale": "jp"}),
    )
    market = read(folder)
    check(market)
    assert odd(market)["split"].to_list() == ["test"]
    assert market.counts["qi"]["dropped"]["leak"] == before + 1
    with pytest.raises(
        InputError, match=r"rows have a query that another split holds(?s:.*)split\.leaks of the source"
    ):
        read(folder, {"leaks": "error"})


def test_the_query_that_the_published_train_and_test_share_is_found(folder: Path) -> None:
    table = pl.read_parquet(folder / EXAMPLES)
    both = table.group_by("query", "product_locale").agg(pl.col("split").n_unique()).filter(split=2)["query"].to_list()
    assert len(both) == 1
    assert set(all_rows(read(folder)).filter(query=both[0])["split"]) == {"test"}


def test_a_held_out_language_is_in_test_alone(folder: Path) -> None:
    market = read(folder, {"holdout_languages": ["ja"]})
    check(market)
    assert set(all_rows(market).filter(language="ja")["split"]) == {"test"}
    assert market.counts["qi"]["dropped"]["holdout_language"] > 0


def test_without_a_test_split_it_is_not_the_data_set(folder: Path) -> None:
    pl.read_parquet(folder / EXAMPLES).filter(split="train").write_parquet(folder / EXAMPLES)
    with pytest.raises(InputError, match=r"examples\.parquet: no row of the split test: give the file as it was"):
        read(folder)


def test_a_test_split_of_bad_rows_alone_is_an_error_and_no_cut_of_train(folder: Path) -> None:
    examples = pl.read_parquet(folder / EXAMPLES)
    bad = pl.when(split="test").then(pl.lit("X")).otherwise("esci_label")
    examples.with_columns(esci_label=bad).write_parquet(folder / EXAMPLES)
    with pytest.raises(
        InputError, match=r"of the split test, all rows .* are bad, \d+; the first:(?s:.*)'X': no label"
    ):
        read(folder, max_bad_share=0.9)
    examples.filter((pl.col("split") == "train") | (pl.col("product_locale") == "jp")).write_parquet(folder / EXAMPLES)
    with pytest.raises(InputError, match="no row of the split test"):  # those of jp are not asked for
        read(folder, locales=["us", "es"])


# --- bad rows and files ---

BROKEN = {
    "bad_label": ({"esci_label": "X"}, "esci_label", "X"),
    "empty_query": ({"query": "?!"}, "query", "?!"),
    "empty_candidate": ({"product_id": "B0DOTS"}, "product_title", "..."),
    "bad_split": ({"split": "dev"}, "split", "dev"),
    "duplicate_id": ({"example_id": 0}, "example_id", "0"),
}


@pytest.mark.parametrize("problem", BROKEN)
def test_a_broken_row_is_an_error_or_counted(folder: Path, problem: str) -> None:
    row, column, value = BROKEN[problem]
    add(folder, row, products=({}, {"product_id": "B0DOTS", "product_title": "..."}))
    with pytest.raises(InputError, match=rf"1 of \d+ qi rows are bad(?s:.*){EXAMPLES}, row \d+, column '{column}'"):
        read(folder)
    market = read(folder, max_bad_share=0.01)
    assert market.counts["qi"]["dropped"][problem] == market.counts["qi"]["bad"] == 1
    assert market.dropped is not None
    assert market.dropped.select("reason", "column", "value").rows() == [(problem, column, value)]
    fix = market.dropped["fix"].item()
    assert not any(param in fix for param in ("labels.", "columns.", "split.names", "encoding"))


def test_no_row_is_lost_without_being_counted(folder: Path) -> None:
    add(folder, *(row for row, _, _ in BROKEN.values()), {"product_id": None}, {"product_locale": "es"}, {}, {})
    market = read(folder, max_bad_share=0.1, version="small", locales=["us", "jp"], conflicts="majority")
    found = market.counts["qi"]
    assert found["read"] == pl.read_parquet(folder / EXAMPLES).height == found["kept"] + sum(found["dropped"].values())
    assert found["kept"] == all_rows(market).height


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "no such file in the folder that prepare.input.qi names, or the path of a part of `mixed`"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4a7\n", "a pointer of Git LFS and not the file: run"),
        (b"query,product_id\n", "no Parquet file, or not all of it: get it again"),
        (b"PAR1 cut off", "no Parquet file, or not all of it: get it again"),
        (b"", "no Parquet file, or not all of it: get it again"),
        (b"PAR1 nonsense PAR1", "cannot be read as parquet"),
    ],
)
def test_a_file_that_is_not_read_is_named_with_the_fix(folder: Path, content: bytes | None, expected: str) -> None:
    for name in (EXAMPLES, PRODUCTS):
        (folder / name).unlink()
        if content is not None:
            (folder / name).write_bytes(content)
    with pytest.raises(InputError) as raised:
        read(folder)
    assert f"{folder / EXAMPLES}: {expected}" in raised.value.message


@pytest.mark.parametrize(
    ("name", "column", "expected"),
    [
        (EXAMPLES, "esci_label", r"examples\.parquet: no column 'esci_label'"),
        (EXAMPLES, "large_version", r"examples\.parquet: no column 'large_version'"),
        (PRODUCTS, "product_title", r"products\.parquet: no column 'product_title'"),
    ],
)
def test_a_missing_column_is_named(folder: Path, name: str, column: str, expected: str) -> None:
    pl.read_parquet(folder / name).drop(column).write_parquet(folder / name)
    with pytest.raises(InputError, match=expected):
        read(folder)


# --- the stage, the params, and whatever comes ---


@pytest.fixture
def prepare(root: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    """Runs the stage with the profile's params on the folder."""
    monkeypatch.chdir(folder)
    values = profiles.variants()["esci.yaml"]
    profiles.dump(values, folder / "params.yaml")
    paths = ["--original", "data/original", "--catalogue", "data/catalogue", "--metrics", "metrics.json"]
    return lambda: CliRunner().invoke(main, ["--qc", ".", "--qi", ".", *paths])


def test_the_stage_writes_the_contract(prepare: Callable[[], Any]) -> None:
    result = prepare()
    assert result.exit_code == 0, result.output
    metrics = read_json(Path("metrics.json"))
    assert metrics["left_out"]["qi"]["read"] == pl.read_parquet(EXAMPLES).height
    assert set(metrics["qi"]["test"]["languages"]) == {"en", "es", "ja"}
    assert pl.read_parquet("data/original/qi/unlabelled.parquet").is_empty()
    assert "qc" not in metrics


def test_the_stage_writes_nothing_where_too_many_rows_are_bad(folder: Path, prepare: Callable[[], Any]) -> None:
    table = pl.read_parquet(folder / EXAMPLES)
    table.with_columns(esci_label=pl.lit("X")).write_parquet(folder / EXAMPLES)
    result = prepare()
    assert result.exit_code == 1
    assert f"of {table.height} qi rows are bad" in result.output
    assert not Path("data").exists()


def test_the_profile_is_an_overlay_of_params(root: Path, tmp_path: Path) -> None:
    YAML(typ="safe", pure=True).dump(read_params(profiles.NANO), tmp_path / "before.yaml")
    profiles.dump(profiles.variants()["esci.yaml"], tmp_path / "params.yaml")
    settings = load(PrepareParams, "prepare", file=tmp_path / "params.yaml")
    assert (settings.source, settings.input.qi) == ("esci", "data/esci")
    assert settings.chosen() == settings.own(Params)


TEXTS = st.one_of(st.none(), st.text(max_size=8), st.sampled_from(["E", "S", "us", "jp", "test", "train", "odd one"]))
NUMBERS = st.one_of(st.none(), st.sampled_from([0, 1, 2, 10**9]))
CELLS = {name: NUMBERS if isinstance(value, int) else TEXTS for name, value in EXAMPLE.items()}


@given(
    examples=st.lists(st.fixed_dictionaries(CELLS), max_size=12),
    products=st.lists(st.fixed_dictionaries(dict.fromkeys(PRODUCT, TEXTS)), max_size=6),
    version=st.sampled_from(["small", "large"]),
)
def test_whatever_the_cells_every_row_is_kept_or_counted(
    made: Path, tmp_path: Path, examples: list[Row], products: list[Row], version: str
) -> None:
    for name, rows in ((EXAMPLES, examples), (PRODUCTS, products)):
        table = pl.read_parquet(made / name)
        more = pl.DataFrame(rows, schema=table.schema, strict=False, orient="row")
        pl.concat([table, more]).write_parquet(tmp_path / name)
    with at_most(120):
        market = read(tmp_path, max_bad_share=0.5, version=version)
        check(market)
    found = market.counts["qi"]
    total = pl.read_parquet(tmp_path / EXAMPLES).height
    assert found["read"] == total == all_rows(market).height + sum(found["dropped"].values())


@pytest.mark.parametrize("name", [EXAMPLES, PRODUCTS])
@given(data=BYTES)
def test_no_bytes_make_anything_but_an_input_error(made: Path, tmp_path: Path, name: str, data: bytes) -> None:
    for other in (EXAMPLES, PRODUCTS):
        (tmp_path / other).write_bytes(data if other == name else (made / other).read_bytes())
    with at_most(120), pytest.raises(InputError):
        read(tmp_path)


@given(cut=st.integers(min_value=4, max_value=2000), flip=st.integers(min_value=1, max_value=255), data=st.data())
def test_a_damaged_file_is_an_input_error_or_read(made: Path, tmp_path: Path, cut: int, flip: int, data: Any) -> None:  # noqa: ANN401
    name = data.draw(st.sampled_from([EXAMPLES, PRODUCTS]))
    for other in (EXAMPLES, PRODUCTS):
        (tmp_path / other).write_bytes((made / other).read_bytes())
    content = bytearray((tmp_path / name).read_bytes())
    content[-cut] ^= flip
    (tmp_path / name).write_bytes(content)
    with at_most(120), suppress(InputError):
        check(read(tmp_path, max_bad_share=0.9))
