"""The source `mixed`: another source for each task and several for one, and the rules that hold over all parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from babelshelf.commands.check import check as check_params
from babelshelf.core.errors import InputError
from babelshelf.core.files import read_json
from babelshelf.core.params import read as read_params
from babelshelf.core.params import section
from babelshelf.prepare.leak_checks import all_rows, check
from babelshelf.prepare.marketplace import Marketplace
from babelshelf.prepare.params import SOURCES, PrepareParams
from babelshelf.prepare.sources import cikm2025, esci, files, mixed
from stages.prepare import main
from tests.helpers import cikm2025_folder, esci_folder, profiles
from tests.helpers.fuzz import at_most
from tests.helpers.profiles import NANO

Row = dict[str, Any]

COLUMNS = {"query": "query", "candidate": "item", "label": "label", "language": "language", "id": "", "split": ""}
SPLIT = {"split": {"dev_share": 0.1, "test_share": 0.15}}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mixed")
    esci_folder.write_folder(folder / "esci", 200)
    cikm2025_folder.write_folder(folder / "cikm", 800, 60)
    write(folder / "shop.csv", shop())
    return folder


@pytest.fixture
def base(root: Path) -> Row:
    """The section `prepare` as it is by default, with a shop's mapping of columns."""
    values: Row = read_params(root / "profiles" / "nano.yaml")["prepare"]
    values |= {name: SOURCES.defaults(name) for name in ("files", "esci", "cikm2025", "mixed")}
    values["files"]["qi"] |= {"columns": COLUMNS}
    values["esci"]["split"]["dev_share"] = 0.1
    return values


def shop(count: int = 400) -> list[Row]:
    """Two rows a query, one of each label."""
    return [
        {"query": f"query {n // 2}", "item": f"item {n % 20}", "label": n % 2, "language": ["en", "fr"][n // 2 % 2]}
        for n in range(count)
    ]


def write(file: Path, rows: list[Row]) -> Path:
    pl.DataFrame(rows, infer_schema_length=None).write_csv(file)
    return file


def part(name: str, source: str, path: Path, **changes: Any) -> Row:  # noqa: ANN401
    values = {"name": name, "source": source, "tasks": ["qi"], "path": str(path), "splits": "own", "overlay": {}}
    return values | changes


def settings(base: Row, folder: Path, parts: list[Row], **changes: Any) -> PrepareParams:  # noqa: ANN401
    split = {key: changes.pop(key) for key in ("leaks", "holdout_languages") if key in changes}
    own = base["mixed"] | {"parts": parts, "split": base["mixed"]["split"] | split} | changes
    values = base | {"source": "mixed", "input": {"qc": str(folder), "qi": str(folder)}, "mixed": own}
    return section(PrepareParams, {"prepare": values}, "prepare", None)


def read(base: Row, folder: Path, parts: list[Row], **changes: Any) -> Marketplace:  # noqa: ANN401
    chosen: Any = settings(base, folder, parts, **changes).chosen()
    return mixed.read({"qc": folder, "qi": folder}, chosen, 1)


def of(market: Marketplace, name: str) -> pl.DataFrame:
    """Rows of a part, with the ids that they have without it."""
    rows = all_rows(market).filter(pl.col("id").str.contains(f"^q[ci]-{name}-"))
    return rows.with_columns(pl.col("id").str.replace(f"-{name}-", "-"))


def alone(base: Row, name: str, path: Path) -> Marketplace:
    chosen: Any = getattr(settings(base, path, [part("p", "files", path)]), name)
    source: Any = {"files": files, "esci": esci, "cikm2025": cikm2025}[name]
    tasks = {"tasks": ["qi"]} if name == "files" else {}
    return source.read({"qc": path, "qi": path}, chosen.model_copy(update=tasks), 1)


def where(rows: pl.DataFrame) -> dict[str, str]:
    return dict(rows.select("id", "split").iter_rows())


# --- another source for each task ---


def test_each_task_has_its_own_source(base: Row, made: Path) -> None:
    parts = [part("cikm", "cikm2025", made / "cikm", tasks=["qc"]), part("esci", "esci", made / "esci")]
    market = read(base, made, parts)
    check(market)
    assert list(market.tasks) == ["qc", "qi"]
    assert set(market.tasks["qc"].train["id"].str.extract("^(q[ci]-[a-z0-9]+)-")) == {"qc-cikm"}
    assert set(market.tasks["qi"].train["id"].str.extract("^(q[ci]-[a-z0-9]+)-")) == {"qi-esci"}
    own = all_rows(alone(base, "esci", made / "esci"))
    assert set(of(market, "esci")["id"]) == set(own["id"])
    assert set(of(market, "esci").filter(split="test")["id"]) == set(own.filter(split="test")["id"])
    assert market.tasks["qc"].unlabelled["id"][0] == "qc-dev-1"  # as `babelshelf submit` looks for it
    assert market.tasks["qi"].unlabelled.is_empty()
    assert market.parts["cikm"]["qc"]["category_paths"]["paths"] > 0
    assert market.parts["esci"]["qi"]["products"]["read"] > 0


def test_a_source_can_have_both_tasks_and_share_one(base: Row, made: Path) -> None:
    parts = [part("cikm", "cikm2025", made / "cikm", tasks=["qc", "qi"]), part("esci", "esci", made / "esci")]
    market = read(base, made, parts)
    check(market)
    assert market.parts["cikm"].keys() == {"qc", "qi"}
    assert market.parts["esci"].keys() == {"qi"}
    assert len(market.tasks["qi"].unlabelled) == 120


# --- several sources for one task ---


def both(made: Path, **esci_part: Any) -> list[Row]:  # noqa: ANN401
    return [part("shop", "files", made / "shop.csv"), part("esci", "esci", made / "esci", **esci_part)]


def test_every_row_is_counted_by_its_part(base: Row, made: Path) -> None:
    market = read(base, made, both(made))
    check(market)
    for name in ("shop", "esci"):
        found = market.parts[name]["qi"]
        sizes = {split: found[split]["rows"] for split in ("train", "dev", "test")}
        assert found["read"] == found["kept"] + sum(found["dropped"].values())
        assert found["kept"] == sum(sizes.values()) == of(market, name).height
        assert sizes == dict(of(market, name).group_by("split").len().iter_rows())
    total, parts = market.counts["qi"], market.parts.values()
    for key in ("read", "kept", "bad"):
        assert total[key] == sum(found["qi"][key] for found in parts)
    assert market.parts["shop"]["qi"]["read"] == 400
    assert set(market.parts["esci"]["qi"]["train"]["languages"]) == {"en", "es", "ja"}


def test_splits_of_a_part_stay_whatever_comes_after_it(base: Row, made: Path) -> None:
    expected = where(all_rows(alone(base, "files", made / "shop.csv")))
    for splits in ("own", "train"):
        assert where(of(read(base, made, both(made, splits=splits)), "shop")) == expected


def test_a_held_out_language_is_where_the_part_alone_would_have_it(base: Row, tmp_path: Path) -> None:
    """Of files without dev, train rows of the language are left out, though their queries are in dev in another one."""
    both_languages = [row | {"language": language} for row in shop() for language in ("en", "fr")]
    rows = [row | {"split": "test" if n // 4 % 5 == 0 else "train"} for n, row in enumerate(both_languages)]
    file = write(tmp_path / "shop.csv", rows)
    base["files"]["qi"]["columns"] = COLUMNS | {"split": "split"}
    base["files"]["split"]["holdout_languages"] = ["fr"]
    expected = all_rows(alone(base, "files", file))
    assert set(expected.filter(language="en")["split"]) == {"train", "dev", "test"}
    assert set(expected.filter(language="fr")["split"]) == {"test"}
    market = read(base, tmp_path, [part("shop", "files", file)], holdout_languages=["fr"])
    check(market)
    assert where(of(market, "shop")) == where(expected)


def test_a_part_for_training_alone_gives_no_dev_and_test(base: Row, made: Path) -> None:
    market = read(base, made, both(made, splits="train"))
    check(market)
    found = market.parts["esci"]["qi"]
    assert set(of(market, "esci")["split"]) == {"train"}
    assert found["kept"] == found["train"]["rows"]
    assert "leak" not in found["dropped"]  # its test is no test here


def leaky(tmp_path: Path, esci_path: Path) -> tuple[Path, dict[str, str]]:
    """A shop's files with splits: train has a query of ESCI's test, test has one of ESCI's train; and these queries."""
    table = pl.read_parquet(esci_path / esci.EXAMPLES).filter(product_locale="us")
    once = table.filter(pl.col("split").n_unique().over("query") == 1, ~pl.col("query").str.starts_with("Brand"))
    queries = {split: once.filter(split=split)["query"][-1] for split in ("train", "test")}
    rows = [row | {"split": ["train", "train", "train", "dev", "test"][n // 2 % 5]} for n, row in enumerate(shop())]
    odd = {"item": "odd", "label": 1, "language": "fr"}
    rows.append(odd | {"query": queries["test"].upper(), "split": "train"})
    rows.append(odd | {"query": queries["train"].upper() + "!", "split": "test"})
    return write(tmp_path / "shop.csv", rows), queries


OWN_SPLITS = {"qi": {"columns": {"split": "split"}}}


def test_a_query_in_train_of_one_part_and_test_of_another_is_caught(base: Row, made: Path, tmp_path: Path) -> None:
    file, queries = leaky(tmp_path, made / "esci")
    parts = [part("shop", "files", file, overlay=OWN_SPLITS), part("esci", "esci", made / "esci")]
    parts[1]["path"] = str(_copied(made / "esci", tmp_path / "esci"))
    market = read(base, tmp_path, parts)
    check(market)
    rows = all_rows(market)
    assert set(rows.filter(query=queries["test"].upper())["split"]) == set()
    assert set(rows.filter(query=queries["test"])["split"]) == {"test"}
    assert set(rows.filter(query=queries["train"].upper() + "!")["split"]) == {"test"}
    assert set(rows.filter(query=queries["train"])["split"]) == set()
    assert market.parts["shop"]["qi"]["dropped"] == {"leak": 1}
    in_train = pl.read_parquet(made / "esci" / esci.EXAMPLES).filter(query=queries["train"], product_locale="us").height
    before = all_rows(alone(base, "esci", made / "esci"))
    assert of(market, "esci").height == before.height - in_train
    with pytest.raises(
        InputError, match=rf"shop: shop\.csv, row 401: the query '{queries['test'].upper()}' is in train"
    ):
        read(base, tmp_path, parts, leaks="error")


def test_for_training_alone_what_leaks_leaves_train(base: Row, made: Path, tmp_path: Path) -> None:
    file, queries = leaky(tmp_path, made / "esci")
    path = _copied(made / "esci", tmp_path / "esci")
    parts = [part("shop", "files", file, overlay=OWN_SPLITS), part("esci", "esci", path, splits="train")]
    market = read(base, tmp_path, parts)
    check(market)
    rows = all_rows(market)
    assert set(rows.filter(query=queries["train"].upper() + "!")["split"]) == {"test"}
    assert rows.filter(query=queries["train"]).is_empty()
    assert set(rows.filter(query=queries["test"])["split"]) == {"train"}
    assert market.parts["shop"]["qi"]["dropped"] == {}


def test_what_is_cut_here_joins_its_query_in_earlier_parts(base: Row, made: Path, tmp_path: Path) -> None:
    path = _copied(made / "esci", tmp_path / "esci")
    known = all_rows(alone(base, "esci", path)).unique("key", maintain_order=True).group_by("split").head(5)
    rows = shop() + [{"query": query, "item": "odd", "label": 1, "language": "fr"} for query in known["query"]]
    parts = [part("esci", "esci", path), part("shop", "files", write(tmp_path / "shop.csv", rows))]
    market = read(base, tmp_path, parts)
    check(market)
    assert market.parts["shop"]["qi"]["dropped"] == {}
    found = dict(of(market, "shop").filter(candidate="odd").select("query", "split").iter_rows())
    assert found == dict(known.select("query", "split").iter_rows())
    assert set(found.values()) == {"train", "dev", "test"}


def _copied(folder: Path, to: Path) -> Path:
    to.mkdir()
    for file in folder.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    return to


def two_shops(tmp_path: Path, second: list[Row]) -> list[Row]:
    paths = [write(tmp_path / "one.csv", [*shop(), odd(1)]), write(tmp_path / "two.csv", second)]
    return [part(name, "files", path) for name, path in zip(("one", "two"), paths, strict=True)]


def odd(label: int) -> Row:
    return {"query": "odd", "item": "odd", "label": label, "language": "en"}


def test_of_the_same_row_in_two_parts_the_first_is_kept(base: Row, tmp_path: Path) -> None:
    market = read(base, tmp_path, two_shops(tmp_path, [*shop(20), odd(1)]))
    check(market)
    assert market.parts["one"]["qi"]["dropped"] == {}
    assert market.parts["two"]["qi"]["dropped"] == {"duplicate": 21}


@pytest.mark.parametrize(
    ("policy", "kept", "dropped"),
    [
        ("keep", [("one", 1), ("two", 0)], [{}, {"duplicate": 21}]),
        ("majority", [("two", 0)], [{"conflict": 1}, {"duplicate": 21}]),
        ("drop", [], [{"conflict": 1}, {"conflict": 2, "duplicate": 20}]),
    ],
)
def test_a_pair_with_both_labels_in_two_parts(
    base: Row, tmp_path: Path, policy: str, kept: list[tuple[str, int]], dropped: list[dict[str, int]]
) -> None:
    market = read(base, tmp_path, two_shops(tmp_path, [*shop(20), odd(0), odd(0)]), conflicts=policy)
    check(market)
    found = all_rows(market).filter(query="odd").select(pl.col("id").str.extract("-([a-z]+)-"), "label")
    assert sorted(found.iter_rows()) == kept
    assert [market.parts[name]["qi"]["dropped"] for name in ("one", "two")] == dropped
    assert market.counts["qi"]["pairs_with_both_labels"] == 1


def test_a_language_is_held_out_of_all_parts(base: Row, made: Path) -> None:
    market = read(base, made, both(made), holdout_languages=["en"])
    check(market)
    assert set(all_rows(market).filter(language="en")["split"]) == {"dev", "test"}
    assert "en" not in market.parts["esci"]["qi"]["train"]["languages"]
    assert "en" in market.parts["shop"]["qi"]["dev"]["languages"]


def test_parts_of_one_source_can_differ(base: Row, tmp_path: Path) -> None:
    first = write(tmp_path / "one.csv", shop())
    second = tmp_path / "two.tsv"
    other = [{"q": f"other {n // 2}", "title": f"thing {n % 9}", "grade": "EI"[n % 2]} for n in range(200)]
    pl.DataFrame(other).write_csv(second, separator="\t")
    overlay = {
        **{"delimiter": "\t", "language": "de", "labels": {"positive": ["E"], "negative": ["I"]}},
        "columns": {"query": "q", "candidate": "title", "label": "grade", "language": ""},
    }
    parts = [part("one", "files", first), part("two", "files", second, overlay={"qi": overlay})]
    market = read(base, tmp_path, parts)
    check(market)
    assert set(of(market, "two")["language"]) == {"de"}
    assert (market.parts["one"]["qi"]["kept"], market.parts["two"]["qi"]["kept"]) == (400, 200)


# --- what is wrong is said ---


def test_bad_rows_of_all_parts_come_with_the_part(base: Row, made: Path, tmp_path: Path) -> None:
    (tmp_path / "esci").mkdir()
    file = write(tmp_path / "shop.csv", [*shop(), odd(7)])
    parts = [part("shop", "files", file), part("esci", "esci", tmp_path / "esci")]
    with pytest.raises(InputError) as raised:
        read(base, tmp_path, parts)
    lines = raised.value.message.splitlines()
    assert lines[0].startswith("shop: 1 of 401 qi rows are bad (0.25%), max_bad_share allows 0.00%")
    assert lines[1].startswith("shop: shop.csv, row 401 (line 402), column 'label': '7': no label")
    assert lines[2].startswith(f"esci: {tmp_path}/esci/{esci.EXAMPLES}: no such file")
    parts[1] = part("again", "files", write(tmp_path / "again.csv", shop(100)))
    parts[0]["overlay"] = {"max_bad_share": 0.01}
    market = read(base, tmp_path, parts)
    assert market.dropped is not None
    assert market.dropped.select("task", "file", "row", "value").rows() == [("qi", "shop: shop.csv", 401, "7")]
    assert market.parts["shop"]["qi"]["bad"] == market.counts["qi"]["bad"] == 1


def test_a_folder_that_is_a_link_is_refused_and_linked_files_are_read(base: Row, made: Path, tmp_path: Path) -> None:
    (tmp_path / "linked").symlink_to(made / "esci")
    (tmp_path / "folder").mkdir()
    for file in (made / "esci").iterdir():
        (tmp_path / "folder" / file.name).symlink_to(file)
    with pytest.raises(InputError, match=r"esci: .*/linked: a link to a folder, in which DVC sees no change"):
        read(base, tmp_path, [part("esci", "esci", tmp_path / "linked")])
    check(read(base, tmp_path, [part("esci", "esci", tmp_path / "folder")]))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"path": "elsewhere/pairs.csv"},
            r"parts \(shop\)\.path: 'elsewhere/pairs\.csv' is neither prepare\.input\.qc",
        ),
        ({"path": "data/../secret"}, r"parts \(shop\)\.path: 'data/\.\./secret' is neither"),
        ({"overlay": {"qi": {"colums": {}}}}, r"parts \(shop\)\.overlay\.qi\.colums: unknown key"),
        ({"overlay": {"split": None}}, r"parts \(shop\)\.overlay\.split: missing key"),
        ({"overlay": {"long": {"query": 0}}}, r"parts \(shop\)\.overlay\.long\.query: Input should be greater than 0"),
        ({"name": "Shop"}, r"prepare\.mixed\.parts\.0\.name: String should match"),
        ({"name": "other"}, r"prepare\.mixed\.parts: .*two parts are called 'other'"),
        ({"name": "train"}, r"prepare\.mixed\.parts: .*a part is called 'train', as a split is"),
        ({"name": "dev"}, r"prepare\.mixed\.parts: .*a part is called 'dev', as a split is"),
        ({"name": "test"}, r"prepare\.mixed\.parts: .*a part is called 'test', as a split is"),
        (
            {"source": "demo"},
            r"prepare\.mixed\.parts\.0\.source: no source of labelled pairs; there are cikm2025, esci, files",
        ),
        ({"source": "esci", "tasks": ["qc", "qi"]}, r"parts\.0\.tasks: .*the source esci has no rows of the task qc"),
        ({"source": "cikm2025"}, r"prepare\.mixed\.parts: .*two parts are of cikm2025"),
        ({"tasks": []}, r"parts\.0\.tasks: List should have at least 1 item"),
        ({"tasks": ["qi", "qi"]}, r"parts\.0\.tasks: .*a task is there twice"),
        ({"overlay": {"tasks": ["qc"]}}, r"parts\.0\.overlay: .*tasks does not count in an overlay: set the part's"),
        ({"overlay": {"split": {"leaks": "drop"}}}, r"parts\.0\.overlay: .*set prepare\.mixed\.split\.leaks"),
    ],
)
def test_params_that_cannot_be_meant(root: Path, tmp_path: Path, changes: Row, expected: str) -> None:
    values = read_params(NANO)
    parts = [part("shop", "files", Path("data/pairs.csv")) | changes, part("other", "cikm2025", Path("data/more"))]
    values["prepare"] |= {"source": "mixed", "input": {"qc": "data", "qi": "data"}}
    values["prepare"] |= {name: SOURCES.defaults(name) for name in ("mixed", "files", "cikm2025", "esci")}
    values["prepare"]["mixed"]["parts"] = parts
    profiles.dump(values, tmp_path / "params.yaml")
    with pytest.raises(InputError, match=expected):
        check_params(tmp_path / "params.yaml")


@pytest.mark.parametrize("parts", [None, 3, [], [3], [{}], {"a": {}}])
def test_parts_that_are_none_are_an_error_and_no_traceback(root: Path, tmp_path: Path, parts: object) -> None:
    values = read_params(NANO)
    values["prepare"] |= {"source": "mixed", "mixed": SOURCES.defaults("mixed") | {"parts": parts}}
    profiles.dump(values, tmp_path / "params.yaml")
    with pytest.raises(InputError, match=r"prepare\.mixed\.parts"):
        check_params(tmp_path / "params.yaml")


def test_params_have_just_the_tasks_of_the_parts(root: Path, tmp_path: Path) -> None:
    values = read_params(NANO)
    values["prepare"] |= {"source": "mixed", "files": SOURCES.defaults("files"), "mixed": SOURCES.defaults("mixed")}
    values["prepare"]["mixed"]["parts"] = [part("shop", "files", Path("data/demo/pairs.csv"))]
    profiles.dump(values, tmp_path / "params.yaml")
    with pytest.raises(InputError, match=r"tasks\.qc: the source 'mixed' has no such task, only qi"):
        check_params(tmp_path / "params.yaml")


# --- the stage, and whatever comes ---


def test_the_stage_writes_parts_and_the_same_bytes_again(
    root: Path, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    values = profiles.variants()["cikm2025-esci.yaml"]
    for path, found in zip(values["prepare"]["mixed"]["parts"], ("cikm", "esci"), strict=True):
        path["path"] = str(made / found)
    values["prepare"]["input"] = {"qc": str(made), "qi": str(made)}
    profiles.dump(values, Path("params.yaml"))
    written = []
    for out in ("one", "two"):
        paths = ["--original", f"{out}/original", "--catalogue", f"{out}/catalogue", "--metrics", f"{out}/metrics.json"]
        result = CliRunner().invoke(main, ["--qc", str(made), "--qi", str(made), *paths])
        assert result.exit_code == 0, result.output
        written.append({str(f.relative_to(out)): f.read_bytes() for f in Path(out).rglob("*") if f.is_file()})
    assert written[0] == written[1]
    metrics = read_json(Path("one/metrics.json"))
    assert metrics["parts"]["esci"]["qi"]["train"]["rows"] == metrics["parts"]["esci"]["qi"]["kept"] > 0
    assert metrics["parts"]["esci"]["qi"]["test"]["rows"] == 0
    assert metrics["qi"]["train"]["rows"] == sum(part["qi"]["train"]["rows"] for part in metrics["parts"].values())


CELLS = st.one_of(st.none(), st.sampled_from(["0", "1", "en", "de", "train", "dev", "test", "q 1", "q 2", "Q 1!"]))
ROWS = st.lists(st.fixed_dictionaries(dict.fromkeys((*COLUMNS, "item"), CELLS)), max_size=12)
PARTS = st.tuples(ROWS, st.sampled_from(["own", "train"]), st.booleans())  # rows, splits, a column of splits


def sound(part_name: str) -> list[Row]:
    """Rows whose splits do not leak; no other part has their queries."""
    rows = [row | {"split": ["train", "dev", "test"][n % 3]} for n, row in enumerate(shop(60))]
    return [row | {"query": f"{row['query']} {row['split']} of {part_name}"} for row in rows]


@given(
    drawn=st.lists(PARTS, min_size=1, max_size=3),
    conflicts=st.sampled_from(["keep", "drop", "majority"]),
    languages=st.sampled_from([[], ["de"], ["fr"]]),
)
def test_whatever_the_rows_no_query_is_in_two_splits_and_every_row_is_counted(
    base: Row, tmp_path: Path, drawn: list[tuple[list[Row], str, bool]], conflicts: str, languages: list[str]
) -> None:
    parts = [part("whole", "files", write(tmp_path / "whole.csv", shop()))]
    for n, (rows, splits, said) in enumerate(drawn):
        overlay = {"max_bad_share": 0.9, "qi": {"columns": {"split": "split" if said else ""}}}
        file = write(tmp_path / f"{n}.csv", sound(f"p{n}") + rows)
        parts.append(part(f"p{n}", "files", file, splits=splits, overlay=overlay))
    with at_most(120):
        market = read(base, tmp_path, parts, conflicts=conflicts, holdout_languages=languages)
        check(market)
    found = all_rows(market)
    assert found.group_by("key").agg(pl.col("split").n_unique())["split"].max() == 1
    for n, (rows, _, _) in enumerate(drawn):
        counted = market.parts[f"p{n}"]["qi"]
        assert counted["read"] >= 60 + sum(any(row.values()) for row in rows)  # a blank line is no row
        assert counted["read"] == counted["kept"] + sum(counted["dropped"].values())
        assert counted["kept"] == of(market, f"p{n}").height
    base["files"]["split"]["holdout_languages"] = languages
    assert where(of(market, "whole")) == where(all_rows(alone(base, "files", tmp_path / "whole.csv")))


def test_a_part_of_clicks_gets_random_negatives_and_no_pair_of_another_part(base: Row, tmp_path: Path) -> None:
    """The labelled part has some of the clicked queries, and says of two items each whether they are relevant."""
    clicks = [{"query": f"query {n}", "item": f"item {n % 6}", "language": "en"} for n in range(100)]
    labelled = [
        {"query": f"query {n}", "item": f"item {(n + more) % 6}", "label": 2 - more, "language": "en"}
        for n in range(50, 150)
        for more in (1, 2)
    ]
    write(tmp_path / "clicks.csv", clicks)
    write(tmp_path / "shop.csv", labelled)
    positives = {"columns": {"label": ""}, "labels": {"random_negatives": 2}}
    parts = [
        part("shop", "files", tmp_path / "shop.csv"),
        part("clicks", "files", tmp_path / "clicks.csv", overlay={"qi": positives}),
    ]
    market = read(base, tmp_path, parts)
    check(market)
    rows = all_rows(market)
    drawn = rows.filter(origin="negative")
    assert drawn["parent_id"].unique().sort().to_list() == sorted(
        row for row in rows["id"] if row.startswith("qi-clicks-") and "/" not in row
    )
    assert rows.select("query", "candidate").is_duplicated().sum() == 0
    numbers = market.counts["qi"]["random_negatives"]
    assert drawn.height + numbers["missing"] == 200
    assert "random_negatives" not in market.parts["shop"]["qi"]
