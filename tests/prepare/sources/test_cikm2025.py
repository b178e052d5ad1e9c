"""The source `cikm2025`: its format and flaws, the levels of category paths, and that no row gets lost."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from babelshelf.core.errors import InputError
from babelshelf.core.params import load, section
from babelshelf.pairs.comma_paths import rebuild
from babelshelf.prepare.leak_checks import all_rows, check
from babelshelf.prepare.marketplace import Marketplace
from babelshelf.prepare.params import PrepareParams
from babelshelf.prepare.sources import cikm2025
from babelshelf.prepare.sources.cikm2025 import Params
from babelshelf.tables.prediction_sets import SCORABLE
from tests.helpers import profiles
from tests.helpers.cikm2025_folder import write_folder, write_rows
from tests.helpers.fuzz import at_most

Row = dict[str, Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "cikm", 1200, 200)


def params(**changes: Any) -> Params:  # noqa: ANN401
    cut = {"dev_share": 0.1, "test_share": 0.15, "holdout_languages": changes.pop("holdout_languages", [])}
    values = {"tasks": ["qc", "qi"], "split": cut, "max_bad_share": 0.0, "conflicts": "keep"}
    values |= {"long": {"query": 200, "candidate": 500}, "longest_query": 1000} | changes
    return section(Params, {"cikm2025": values}, "cikm2025", None)


def read(folder: Path, **changes: Any) -> Marketplace:  # noqa: ANN401
    return cikm2025.read({"qc": folder, "qi": folder}, params(**changes), 1)


def rows_of(file: Path) -> list[Row]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def add(file: Path, *changes: Row) -> None:
    """Add the first row again, with changes, and another query and id."""
    rows = rows_of(file)
    write_rows(file, rows + [rows[0] | {"id": f"x{n}", "origin_query": f"x{n}"} | row for n, row in enumerate(changes)])


# --- labelled rows ---


def test_all_rows_of_train_are_split_and_the_contract_holds(folder: Path) -> None:
    market = read(folder)
    check(market)
    rows = all_rows(market)
    assert market.counts["qc"]["kept"] == 1200 - market.counts["qc"]["dropped"].get("duplicate", 0)
    shares = dict(rows.group_by("split").len().iter_rows())
    assert shares["dev"] / rows.height == pytest.approx(0.1, abs=0.03)
    assert shares["test"] / rows.height == pytest.approx(0.15, abs=0.03)
    assert rows.group_by("group").agg(pl.col("split").n_unique())["split"].max() == 1


def test_a_row_is_what_its_line_says(folder: Path) -> None:
    line = {"language": "vn", "category_path": "home & garden,kitchen, dining & bar,cups", "label": 0}
    add(folder / "train_QC.txt", line | {"origin_query": "  Trà  xanh "})
    found = all_rows(read(folder)).filter(id="qc-x0")
    assert found.select("task", "language", "query", "candidate", "label").row(0) == (
        *("qc", "vi", "Trà xanh", "home & garden > kitchen, dining & bar > cups", 0),
    )


def test_flaws_of_train_are_counted(folder: Path) -> None:
    before = read(folder).counts["qi"]
    broken = ({"language": "xx"}, {"label": 2}, {"origin_query": None}, {"label": None})
    add(folder / "train_QI.txt", {"item_title": None}, {"item_title": " "}, *broken)
    with pytest.raises(InputError, match=r"4 of 1206 qi rows are bad(?s:.*)'language': 'xx'(?s:.*)'label': '2'"):
        read(folder)
    market = read(folder, max_bad_share=0.01)
    found = market.counts["qi"]
    assert found["dropped"].get("missing_candidate") == before["dropped"].get("missing_candidate", 0) + 2
    assert {key: found["dropped"][key] for key in ("unknown_language", "bad_label", "empty_query")} == {
        **{"unknown_language": 1, "bad_label": 2, "empty_query": 1}
    }
    assert found["read"] == 1206 == found["kept"] + sum(found["dropped"].values())
    assert market.dropped is not None
    assert market.dropped.height == 4


def test_no_mend_names_a_param_of_another_source(folder: Path) -> None:
    train = folder / "train_QC.txt"
    rows = [json.loads(line) for line in train.read_text(encoding="utf-8").splitlines()]
    rows[3]["label"], rows[4]["id"], rows[5]["id"] = 7, None, rows[6]["id"]
    train.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    dropped = read(folder, max_bad_share=0.5).dropped
    assert dropped is not None
    fixes = dict(dropped.filter(task="qc").select("reason", "fix").iter_rows())
    assert {problem: fixes[problem] for problem in ("bad_label", "empty_id", "duplicate_id")} == {
        "bad_label": "correct it, or take the row out",
        "empty_id": "write one, or take the row out",
        "duplicate_id": "take one of the rows out",
    }
    train.write_bytes(b"PAR1 another file")
    with pytest.raises(InputError, match="a Parquet file: get the file again, as it was published"):
        read(folder)


def test_held_out_languages_are_in_dev_and_test_alone(folder: Path) -> None:
    market = read(folder, holdout_languages=["ko"])
    check(market)
    found = all_rows(market).filter(language="ko")
    assert set(found["split"]) == {"dev", "test"}
    assert market.counts["qc"]["dropped"].get("holdout_language", 0) == 0


def test_one_task_alone(folder: Path) -> None:
    for file in folder.glob("*_QC.txt"):
        file.unlink()
    assert read(folder, tasks=["qi"]).tasks.keys() == {"qi"}
    with pytest.raises(InputError, match=r"train_QC\.txt: no such file in the folder that prepare\.input\.qc names"):
        read(folder)


# --- prediction sets ---


def test_each_row_to_predict_is_there_in_order(folder: Path) -> None:
    market = read(folder)
    for task, candidate in (("qc", "category_path"), ("qi", "item_title")):
        found = market.tasks[task].unlabelled
        given_ = [(split, row) for split in ("dev", "test") for row in rows_of(folder / f"{split}_{task.upper()}.txt")]
        assert found["id"].to_list() == [f"{task}-{split}-{row['id']}" for split, row in given_]
        assert found["query"].to_list() == [row["origin_query"] for _, row in given_]
        assert found["label"].null_count() == 400
        assert "vn" not in found["language"].unique()
        if task == "qi":
            assert found["candidate"].to_list() == [row[candidate] for _, row in given_]
            assert "vi" in found["language"].unique()


def test_a_row_to_predict_without_a_text_or_language_stays_and_is_counted(folder: Path) -> None:
    rows = rows_of(folder / "dev_QI.txt")
    nulls = sum(row["item_title"] is None for row in rows)
    odd = ({"item_title": None}, {"item_title": "…"}, {"origin_query": None}, {"language": "xx"}, {"language": None})
    add(folder / "dev_QI.txt", *odd)
    market = read(folder)
    check(market)
    found = market.tasks["qi"].unlabelled.filter(split="dev").tail(5)
    assert found["id"].to_list() == [f"qi-dev-x{n}" for n in range(5)]
    assert found.select(SCORABLE).to_series().to_list() == [False, False, False, True, True]
    assert found["language"].to_list()[3:] == ["und", "und"]
    unscored = {"empty_candidate": 1, "empty_query": 1, "missing_candidate": nulls + 1}
    expected = {"read": 205, "scored": 202 - nulls, "unscored": unscored, "unknown_language": 2}
    assert market.counts["qi"]["unlabelled"]["dev"] == expected


def test_ids_to_predict_are_the_same_for_a_submission(folder: Path) -> None:
    add(folder / "dev_QI.txt", *({"id": value} for value in (" a\tb\u2028", "é", 1.5, True, 10**15, "x" * 300)))
    found = read(folder).tasks["qi"].unlabelled.filter(split="dev")
    assert found["id"].to_list()[-6:-2] == ["qi-dev-a b", "qi-dev-é", "qi-dev-1.5", "qi-dev-true"]
    assert found["id"].equals(cikm2025.ids_of(folder / "dev_QI.txt", "qi", "dev"))


@pytest.mark.parametrize(
    ("line", "row", "expected"),
    [
        ("{bad", 201, "no JSON object"),
        ('{"id": 1, "origin_query": "a", "item_title": "b", "language": "en"}', 1, "an id that another row has"),
        ('{"id": null, "origin_query": "a", "item_title": "b", "language": "en"}', 201, "no id"),
        ('{"origin_query": "a", "item_title": null, "language": "en"}', 201, "no id"),
    ],
)
def test_a_row_that_no_submission_could_hold_is_an_error(folder: Path, line: str, row: int, expected: str) -> None:
    with (folder / "dev_QI.txt").open("a", encoding="utf-8") as stream:
        stream.write(line)
    bad = rf"of 201 rows to predict are bad.*(?s:.*)dev_QI\.txt, row {row} .*{expected}"
    with pytest.raises(InputError, match=bad):
        read(folder)


def test_sets_that_are_not_there_are_not_predicted(folder: Path) -> None:
    (folder / "dev_QC.txt").unlink()
    market = read(folder)
    assert market.tasks["qc"].unlabelled["split"].unique().to_list() == ["test"]
    assert market.counts["qc"]["unlabelled"].keys() == {"test"}


# --- levels ---


def test_a_comma_without_a_space_ends_a_level() -> None:
    levels = rebuild(["home,kitchen, dining & bar,cups", "home", "home,lights", "tools,"])
    assert levels.texts == {
        "home,kitchen, dining & bar,cups": "home > kitchen, dining & bar > cups",
        "home": "home",
        "home,lights": "home > lights",
        "tools,": "tools",
    }
    assert levels.counts == {"paths": 4, "comma_in_name": 1, "ambiguous": 0, "merged": 0}


def test_a_comma_with_a_space_after_a_category_is_ambiguous() -> None:
    levels = rebuild(["home,kitchen,cups", "home,kitchen, dining & bar", "a,b", "a,,b"])
    assert levels.texts["home,kitchen, dining & bar"] == "home > kitchen, dining & bar"
    assert levels.counts == {"paths": 4, "comma_in_name": 1, "ambiguous": 1, "merged": 1}


def test_where_all_commas_have_a_space_the_tree_says_which_end_a_level() -> None:
    home = ["home, kitchen, dining & bar, cups", "home, kitchen, dining & bar, pans", "home, lights"]
    levels = rebuild([*home, "tools", "tools, saws, 1,000 mm"])
    assert levels.texts[home[0]] == "home > kitchen, dining & bar > cups"
    assert levels.texts[home[1]] == "home > kitchen, dining & bar > pans"
    assert levels.texts["tools, saws, 1,000 mm"] == "tools > saws, 1,000 mm"
    assert levels.counts == {"paths": 5, "comma_in_name": 3, "ambiguous": 3, "merged": 0}


NAME = st.lists(st.sampled_from("ab"), min_size=1, max_size=2).map(", ".join)


@given(st.sets(st.lists(NAME, min_size=1, max_size=3).map(tuple), min_size=1, max_size=12))
def test_levels_written_with_tight_commas_are_found_again(paths: set[tuple[str, ...]]) -> None:
    many = {tuple(f"c{n}" for n in range(60))}  # most commas have no space
    levels = rebuild([",".join(path) for path in sorted(paths | many)])
    assert set(levels.texts.values()) == {" > ".join(path) for path in paths | many}


# --- what holds of all ---


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("fuzz") / "cikm", 600, 20)


VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9), st.just(["a"]))
KEYS = ("id", "language", "origin_query", "category_path", "label")
LINES = st.one_of(
    st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, VALUES)).map(json.dumps),
    st.fixed_dictionaries(dict.fromkeys(KEYS, VALUES)).map(lambda row: json.dumps(row, ensure_ascii=False)),
    st.text(max_size=30),
)


@given(lines=st.lists(LINES, max_size=8), name=st.sampled_from(["train", "dev"]))
def test_whatever_the_lines_every_row_is_kept_or_counted_or_an_error(
    scratch: Path, lines: list[str], name: str
) -> None:
    file = scratch / f"{name}_QC.txt"
    sound = file.read_bytes()
    file.write_bytes(sound + "\n".join(lines).encode("utf-8", "surrogatepass"))
    try:
        with at_most(120), suppress(InputError):
            market = read(scratch, tasks=["qc"], max_bad_share=0.5)
            check(market)
            found = market.counts["qc"]
            assert found["read"] == found["kept"] + sum(found["dropped"].values())
            dev = found["unlabelled"]["dev"]
            assert dev["read"] == dev["scored"] + sum(dev["unscored"].values())
            assert dev["read"] == market.tasks["qc"].unlabelled.filter(split="dev").height >= 20
    finally:
        file.write_bytes(sound)


def test_the_profile_chooses_the_source(tmp_path: Path) -> None:
    profiles.dump(profiles.variants()["cikm2025.yaml"], tmp_path / "params.yaml")
    settings = load(PrepareParams, "prepare", file=tmp_path / "params.yaml")
    assert (settings.source, settings.input.qc) == ("cikm2025", "data/cikm2025")
