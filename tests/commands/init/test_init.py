"""`babelshelf init`: what it proposes for files of different shapes, that the proposal works, and what it asks for."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner, Result
from hypothesis import given

from babelshelf.cli import main
from babelshelf.commands.check import check as check_params
from babelshelf.core.params import load, load_seed, read
from babelshelf.prepare.leak_checks import check
from babelshelf.prepare.marketplace import Marketplace
from babelshelf.prepare.params import PrepareParams
from babelshelf.prepare.sources import files
from babelshelf.prepare.sources.esci import EXAMPLES
from tests.helpers import esci_folder
from tests.helpers.fuzz import BYTES, at_most
from tests.helpers.profiles import NANO

LANGUAGES = ["en", "fr", "pt-BR", "vn"]


@pytest.fixture(autouse=True)
def repository(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with params.yaml and the profiles, as the working folder."""
    shutil.copy(NANO, tmp_path / "params.yaml")
    shutil.copytree(root / "profiles", tmp_path / "profiles")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pairs(count: int = 600) -> pl.DataFrame:
    """Columns `q`, `path`, `title`, `y` and `lang`; four rows a query, half of them relevant."""
    number = range(count)
    return pl.DataFrame(
        {
            "q": [f"red shoes {n // 4}" for n in number],
            "path": [f"Clothing > Shoes > Model {n % 50}" for n in number],
            "title": [f'Model {n % 150} trainers for men and women, 6" sole' for n in number],
            "y": [n % 2 for n in number],
            "lang": [LANGUAGES[n // 4 % 4] for n in number],
        }
    )


def init(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["init", *arguments])


def works() -> Marketplace:
    """What the source makes of the params as they are now."""
    check_params()
    settings = load(PrepareParams, "prepare")
    inputs = {"qc": Path(settings.input.qc), "qi": Path(settings.input.qi)}
    market = files.read(inputs, settings.chosen(), load_seed())
    check(market)
    return market


def proposed(task: str = "qc") -> dict[str, Any]:
    of_task: dict[str, Any] = read(Path("params.yaml"))["prepare"]["files"][task]
    return of_task


def test_misnamed_columns_and_bad_rows() -> None:
    table = pairs().rename({"q": "serach_term", "path": "catgory", "y": "is_relevant", "lang": "market"})
    lines = table.write_csv().splitlines()
    lines[7] += "x"  # no language
    lines[20] = lines[20].replace(",0,", ",maybe,").replace(",1,", ",maybe,")
    Path("pairs.csv").write_text("\n".join(lines), encoding="utf-8")
    before = Path("params.yaml").read_text(encoding="utf-8")
    result = init("--qc", "pairs.csv", "--column", "language=market")
    assert result.exit_code == 0, result.output
    columns = {"query": "serach_term", "candidate": "catgory", "label": "is_relevant", "language": "market"}
    assert proposed()["columns"] == columns | {"id": "", "split": ""}
    labels = {"positive": ["1"], "negative": ["0"], "positive_from": "none", "missing": "bad", "random_negatives": 0}
    assert proposed()["labels"] == labels
    market = works()
    assert market.counts["qc"]["dropped"] == {"bad_label": 1, "unknown_language": 1}
    for told in (
        "query column: serach_term; for example 'red shoes 0'",
        "600 rows read, 598 kept",
        "bad_label 1",
        "next: make repro",
    ):
        assert told in result.output
    values = read(Path("params.yaml"))
    assert list(values["tasks"]) == ["qc"]
    assert values["translate"]["languages"] == []
    recipe = {name: values["tasks"]["qc"][name] for name in ("train_on", "negatives_on", "filter_on")}
    assert recipe == {"train_on": "negatives", "negatives_on": "original", "filter_on": "negatives"}
    assert values["prepare"]["files"]["max_bad_share"] == 0.02
    comments = [line.partition(" # ")[2] for line in Path("params.yaml").read_text(encoding="utf-8").splitlines()]
    kept = [comment for comment in comments if comment]
    assert len(kept) > 0.9 * before.count(" # ")


def test_a_spreadsheet_with_semicolons_grades_and_no_language() -> None:
    table = pairs().select(Suchanfrage=pl.col("q").str.replace("red", "größe"), Pfad="path", Note=pl.col("y") * 2 + 1)
    Path("export.csv").write_bytes(table.write_csv(separator=";").encode("cp1252"))
    refused = init("--qc", "export.csv")
    assert refused.exit_code == 1
    assert "no column says the language: say --language CODE" in refused.output
    result = init("--qc", "export.csv", "--language", "German", "--positive", "3")
    assert result.exit_code == 0, result.output
    found = proposed()
    assert (found["delimiter"], found["encoding"], found["language"]) == (";", "cp1252", "de")
    assert found["labels"]["positive"] == ["3"]
    assert "größe shoes 1" in works().tasks["qc"].train.vstack(works().tasks["qc"].test)["query"].to_list()


def test_all_other_labels_are_irrelevant_however_rare_and_wherever_they_are() -> None:
    Path("mine").mkdir()
    labels = pl.Series(["E", "I"] * 300)
    labels[7], labels[400] = "C", " s "
    table = pairs().with_columns(y=labels)
    table.head(300).write_csv("mine/a.csv")
    table.tail(300).write_csv("mine/b.csv")
    result = init("--qc", "mine", "--column", "candidate=path", "--positive", "E")
    assert result.exit_code == 0, result.output
    assert proposed()["labels"] == {
        "positive": ["e"],
        "negative": ["i", "c", "s"],
        "positive_from": "none",
        "missing": "bad",
        "random_negatives": 0,
    }
    market = works()
    assert market.counts["qc"]["dropped"] == {}
    assert market.counts["qc"]["kept"] == 600


def test_a_positive_number_is_not_negative_in_another_spelling() -> None:
    pairs().write_csv("pairs.csv")
    assert init("--qc", "pairs.csv", "--column", "candidate=path", "--positive", "1.0").exit_code == 0
    assert (proposed()["labels"]["positive"], proposed()["labels"]["negative"]) == (["1"], ["0"])


def test_a_column_with_too_many_values_is_no_label() -> None:
    pairs().with_columns(y=pl.int_range(pl.len())).write_csv("pairs.csv")
    result = init("--qc", "pairs.csv", "--column", "candidate=path", "--column", "label=y", "--positive", "1")
    assert result.exit_code == 1
    assert "599 values of 'y' would mean irrelevant (0, 10, 100," in result.output


def test_grades_get_a_cut() -> None:
    pairs().with_columns(y=pl.int_range(pl.len()) % 4).write_csv("graded.csv")
    result = init("--qc", "graded.csv")
    assert result.exit_code == 0, result.output
    assert proposed()["labels"]["positive_from"] == 1.5
    assert (
        "check: label values: relevant from 1.5 on (grades from 0 to 3; labels.positive_from is the middle)"
        in result.output
    )
    train = works().tasks["qc"].train
    assert train["label"].mean() == pytest.approx(0.5, abs=0.05)


def test_scores_are_no_words_even_where_some_are_0_and_1() -> None:
    """A score of 0.000 is read as 0, which is a label too."""
    scores = [f"{n * 7 % 201 / 200:.3f}" for n in range(600)]
    pairs().with_columns(y=pl.Series(scores)).write_csv("a.csv")
    result = init("--qc", "a.csv", "--column", "label=y")
    assert "'y' has 201 different numbers from 0 to 1: is it the label?" in result.output
    assert init("--qc", "a.csv", "--column", "label=y", "--yes").exit_code == 0
    assert proposed()["labels"]["positive_from"] == 0.5


def test_empty_labels_beside_one_value_may_be_irrelevant() -> None:
    pairs().with_columns(y=pl.when(pl.col("y") == 1).then(pl.lit("x"))).write_csv("a.csv")
    result = init("--qc", "a.csv", "--column", "label=y")
    assert result.exit_code == 1
    assert "Rows without a value in 'y' are left out: if that means irrelevant, write 0 into" in result.output


@pytest.mark.parametrize("options", [["--language", "en", "--column", "language="], []])
def test_queries_in_another_script_than_their_language_are_told(options: list[str]) -> None:
    query = pl.when(pl.col("q").str.ends_with("7")).then(pl.lit("красные туфли 7")).otherwise("q")
    pairs().with_columns(lang=pl.lit("en"), q=query).write_csv("a.csv")
    result = init("--qc", "a.csv", "--column", "candidate=path", *options)
    assert "some queries of en are in another script than Latin); for example 'красные туфли 7'" in result.output


@pytest.mark.parametrize(("share", "is_told"), [(0.5, True), (0.75, False)])
def test_that_no_negatives_are_mined_is_told(share: float, is_told: bool) -> None:
    pairs().with_columns(y=(pl.int_range(pl.len()) % 4 < 4 * share).cast(pl.Int8)).write_csv("a.csv")
    result = init("--qc", "a.csv", "--column", "candidate=path")
    assert ("check: qc: 50% of train is relevant, and negatives are mined down to 60%" in result.output) == is_told


def test_rows_with_the_same_problem_share_a_line() -> None:
    pairs().with_columns(lang=pl.Series(["en", "fr", "other", "de", ""] * 120)).write_csv("a.csv")
    result = init("--qc", "a.csv", "--column", "candidate=path", "--column", "language=lang")
    assert len(result.output.splitlines()) == 3
    assert "a.csv, row 3 (line 4), column 'lang': 'other'" in result.output
    assert result.output.count("; 119 more such rows") == 2


def test_a_file_of_the_folder_without_labels_is_refused_with_the_fix() -> None:
    Path("mine").mkdir()
    pairs().write_csv("mine/a.csv")
    pairs().drop("y").write_csv("mine/b.csv")
    assert (
        "mine/b.csv: no column 'y'; The columns are q, path, title, lang. The other files have it"
        in init("--qc", "mine").output
    )


@pytest.mark.parametrize("path", ["Lamps {0}, Shades {0}", "Home {0}, Kitchen {0}, Cups {0}", "靴{0}, 靴下{0}"])
def test_a_mark_that_gives_no_levels_is_told(path: str) -> None:
    """Of paths with ", " alone the tree tells which commas end a level, and here none does."""
    of_number = pl.col("path").str.extract(r"(\d+)")
    pairs().with_columns(path=pl.format(path.replace("{0}", "{}"), *[of_number] * path.count("{0}"))).write_csv("a.csv")
    result = init("--qc", "a.csv", "--path-separator", ",")
    assert result.exit_code == 0, result.output
    assert "check: qc: 0% of the paths have levels after all: ','" in result.output
    assert "levels after all" not in init("--qc", "a.csv", "--path-separator", ", ").output


def test_the_competitions_json_lines() -> None:
    rows = [
        {
            **{"id": n, "task": "QC", "language": row["lang"], "origin_query": row["q"]},
            **{"category_path": row["path"].lower().replace(" > ", ","), "label": str(row["y"])},
        }
        for n, row in enumerate(pairs().iter_rows(named=True))
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    Path("train_QC.txt.gz").write_bytes(gzip.compress(text.encode()))
    result = init("--qc", "train_QC.txt.gz")
    assert result.exit_code == 0, result.output
    found = proposed()
    assert found["format"] == "jsonl"
    assert found["columns"] == {
        **{"query": "origin_query", "candidate": "category_path", "label": "label", "language": "language"},
        **{"id": "id", "split": ""},
    }
    train = works().tasks["qc"].train
    assert set(train["language"]) == {"en", "fr", "pt", "vi"}
    assert "clothing > shoes > model 1" in train["candidate"].to_list()


def test_a_folder_of_splits_with_inches_and_esci_labels() -> None:
    table = pairs().with_columns(y=pl.col("y").replace_strict({0: "I", 1: "E"}, return_dtype=pl.String))
    Path("mine").mkdir()
    parts = {"train": table.head(400), "valid": table.slice(400, 100), "test": table.tail(100)}
    for name, part in parts.items():
        rows = [
            "query\ttitle\tesci_label\tlocale",
            *("\t".join(row) for row in part.select("q", "title", "y", "lang").rows()),
        ]
        rows.append('"ipad case\tModel 1 case\tS\ten')
        Path(f"mine/pairs-{name}.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    result = init("--qi", "mine")
    assert result.exit_code == 0, result.output
    found = proposed("qi")
    assert {found[split] for split in ("train", "dev", "test")} == {f"pairs-{name}.tsv" for name in parts}
    assert (found["rows"], found["delimiter"], found["quote"]) == ("", "\t", "")
    assert list(read(Path("params.yaml"))["tasks"]) == ["qi"]


@pytest.mark.parametrize(
    ("names", "others", "expected"),
    [
        (["valid-1.csv", "valid-2.csv"], [], "*valid*"),
        (["Valid-1.csv", "Valid-2.csv"], [], "*Valid*"),
        (["Val-1.csv", "val-2.csv"], [], "*[Vv][Aa][Ll]*"),
        (["val-1.csv", "validation-2.csv"], [], "*val*"),
        (["dev-1.csv", "dev-2.csv"], ["dev-notes.md"], "*dev*.csv"),
        (["dev-1.csv", "dev-2.csv"], ["developers.csv", "a.csv"], "dev-*.csv"),
        (["dev[1].csv"], [], "dev[[]1].csv"),
        (["[dev] a.csv", "[dev] b.csv"], ["devices.csv"], "[[]dev] *.csv"),
    ],
)
def test_a_pattern_of_a_split_has_its_files_and_no_others(names: list[str], others: list[str], expected: str) -> None:
    Path("mine").mkdir()
    parts = {"train-1.csv": pairs().head(400), names[0]: pairs().slice(400, 100), "test.csv": pairs().tail(100)}
    for name in others:
        Path("mine", name).write_text("nothing\n", encoding="utf-8")
    for number, name in enumerate(names[1:]):
        parts[name] = pairs().slice(400, 100).with_columns(q=pl.format("{} {}", "q", pl.lit(number)))
    for name, part in parts.items():
        part.write_csv(f"mine/{name}")
    result = init("--qc", "mine", "--column", "candidate=path")
    assert result.exit_code == 0, result.output
    assert proposed()["dev"] == expected
    assert works().tasks["qc"].dev.height == 100 * len(names)


def test_splits_are_called_what_params_say() -> None:
    result = CliRunner().invoke(main, ["profile", "prepare.files"])
    assert result.exit_code == 0, result.output
    params = Path("params.yaml")
    text = params.read_text(encoding="utf-8")
    assert "names: {train: [train, training]" in text
    params.write_text(text.replace("names: {train: [train, training]", "names: {train: [Lernen]"), encoding="utf-8")
    split = pl.Series(["lernen", "lernen", "dev", "test"])[pl.Series([n // 4 % 4 for n in range(600)])]
    pairs().select("lang", "path", "y", "q", pl.Series("split", split)).write_csv("pairs.csv")
    result = init("--qc", "pairs.csv", "--column", "candidate=path")
    assert result.exit_code == 0, result.output
    assert proposed()["columns"]["split"] == "split"
    assert works().tasks["qc"].train.height == 304  # 76 of 150 queries


@pytest.mark.parametrize(("escape", "title"), [("\\", 'Model {} 5" tent'), ("none", 'Model {} 5\\" tent')])
def test_a_backslash_that_may_escape_is_a_question(escape: str, title: str) -> None:
    lines = [f'red shoes {n // 4},Model {n % 50} 5\\" tent,{n % 2},en' for n in range(600)]
    Path("pairs.csv").write_text("\n".join(["q,title,y,lang", *lines]) + "\n", encoding="utf-8")
    result = init("--qi", "pairs.csv")
    assert result.exit_code == 1
    assert r"""say --escape '\' where a backslash escapes, or --escape none""" in result.output
    result = init("--qi", "pairs.csv", "--escape", escape)
    assert result.exit_code == 0, result.output
    assert proposed("qi")["escape"] == escape.removeprefix("none")
    titles = set(works().tasks["qi"].train["candidate"].cast(pl.String))
    assert titles
    assert titles <= {title.format(n) for n in range(50)}


def test_files_of_a_split_without_a_pattern_of_their_own_are_named() -> None:
    Path("mine").mkdir()
    for name in ("train.csv", "dev-1.csv", "valid-2.csv", "test.csv"):
        pairs().write_csv(f"mine/{name}")
    result = init("--qc", "mine")
    assert result.exit_code == 1
    assert "no pattern has just the files dev-1.csv, valid-2.csv" in result.output


def test_parquet_with_booleans_and_a_column_of_splits() -> None:
    splits = ["train", "train", "train", "validation", "test"]
    table = pairs().select(
        *("lang", "title"),
        keywords="q",
        relevant=pl.col("y") == 1,
        split=pl.Series([splits[n // 4 % 5] for n in range(600)]),
        pair_id=pl.int_range(pl.len()),
    )
    table.write_parquet("pairs.pq")
    result = init("--qi", "pairs.pq")
    assert result.exit_code == 0, result.output
    assert proposed("qi")["columns"] == {
        **{"query": "keywords", "candidate": "title", "label": "relevant", "language": "lang"},
        **{"id": "pair_id", "split": "split"},
    }
    market = works()
    assert market.tasks["qi"].dev.height == 120
    assert market.tasks["qi"].dev["id"].str.starts_with("qi-").all()


def test_both_tasks_and_a_second_time() -> None:
    pairs().select("q", "path", "y", "lang").write_csv("pairs.csv")
    pairs().select("q", "title", "y", "lang").write_ndjson("items.jsonl")
    assert init("--qc", "pairs.csv").exit_code == 0
    result = init("--qc", "pairs.csv", "--qi", "items.jsonl")  # qi is gone by then, and comes back
    assert result.exit_code == 0, result.output
    values = read(Path("params.yaml"))
    assert set(values["tasks"]) == {"qc", "qi"}
    assert values["prepare"]["input"] == {"qc": "pairs.csv", "qi": "items.jsonl"}
    assert works().tasks.keys() == {"qc", "qi"}


def test_what_columns_are_called_can_be_said() -> None:
    names = {"q": "a", "path": "b", "y": "c", "lang": "d"}
    pairs().select(names.keys()).rename(names).with_columns(e=pl.col("a") + " x").write_csv("pairs.csv")
    result = init("--qc", "pairs.csv", "--column", "query=a", "--column", "candidate=e")
    assert result.exit_code == 0, result.output
    assert proposed()["columns"] == {
        "query": "a",
        "candidate": "e",
        "label": "c",
        "language": "d",
        "id": "",
        "split": "",
    }


@pytest.mark.parametrize(
    ("table", "arguments", "expected"),
    [
        (
            pairs().select("q", "path", "lang"),
            [],
            "which column is the label? There are q, path, lang: say --column label=NAME",
        ),
        (
            pairs().with_columns(y=pl.format("hm{}", "y")),
            [],
            "which values of 'y' mean relevant? There are hm0, hm1; for example",
        ),
        (pairs(), ["--column", "query=term"], "no column 'term'; there are q, path, title, y, lang"),
        (pairs(), ["--column", "price=q"], "write ROLE=NAME; the roles are query, candidate"),
        (pairs(), ["--language", "xx"], "--language: unknown language code 'xx'"),
        (pairs().head(0), [], "pairs.csv: no rows: give a file that has some"),
        (pairs().with_columns(q=pl.when(pl.int_range(pl.len()) % 9 > 0).then("q")), [], "(11.17%): is the mapping"),
    ],
)
def test_what_cannot_be_guessed_is_asked_and_params_stay(
    table: pl.DataFrame, arguments: list[str], expected: str
) -> None:
    table.write_csv("pairs.csv")
    before = Path("params.yaml").read_bytes()
    result = init("--qc", "pairs.csv", *arguments)
    assert result.exit_code == 1, result.output
    assert expected in result.output
    assert Path("params.yaml").read_bytes() == before


def test_the_examples_of_esci_lead_to_their_profile(repository: Path) -> None:
    before = Path("params.yaml").read_bytes()
    esci_folder.write_folder(Path("esci"), 20)
    result = init("--qi", f"esci/{EXAMPLES}")
    assert result.exit_code == 1
    assert "whose titles are in another file: `babelshelf profile esci`" in result.output
    assert Path("params.yaml").read_bytes() == before


@pytest.mark.parametrize("path", ["none.csv", ".", "none/*.csv"])
def test_a_path_that_is_no_input(path: str) -> None:
    result = init("--qc", path)
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert len(result.output.splitlines()) == 1


def test_a_pattern_takes_its_files_and_leaves_others() -> None:
    Path("mine").mkdir()
    pairs().head(300).write_csv("mine/pairs-1.csv")
    pairs().tail(300).write_csv("mine/pairs-2.csv")
    Path("mine/notes.csv").write_text("nothing\n", encoding="utf-8")
    result = init("--qc", "mine/pairs-*.csv", "--column", "candidate=path")
    assert result.exit_code == 0, result.output
    assert read(Path("params.yaml"))["prepare"]["input"]["qc"] == "mine"
    assert works().counts["qc"]["read"] == 600


def test_profile_nano_leads_back(root: Path) -> None:
    pairs().write_csv("pairs.csv")
    assert init("--qc", "pairs.csv", "--column", "candidate=path").exit_code == 0
    assert CliRunner().invoke(main, ["profile", "nano"]).exit_code == 0
    assert read(Path("params.yaml")) == read(NANO)


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
@given(data=BYTES)
def test_no_file_makes_a_traceback_or_changes_params_for_nothing(name: str, data: bytes) -> None:
    before = Path("params.yaml").read_bytes()
    Path(name).write_bytes(data)
    with at_most(120):
        result = init("--qc", name, "--language", "en")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    if result.exit_code:
        assert Path("params.yaml").read_bytes() == before
