"""The data report: flaws that were put in are counted, all of them and no others; the page needs nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner

from babelshelf.core.files import read_json, write_json
from babelshelf.core.params import read as read_params
from babelshelf.core.params import section
from babelshelf.core.rows import ROW_SCHEMA, SPLITS, write_csv, write_rows, write_table
from babelshelf.data_report import languages, pairs, queries, texts
from babelshelf.data_report.tables import TaskTables
from babelshelf.page.document import Table
from babelshelf.pairs import splits
from babelshelf.pairs.dropped_rows import DROPPED_SCHEMA, MISSING_CANDIDATE, MISSING_LABEL, PROBLEMS
from babelshelf.pairs.params import CharactersPerText, FilesParams
from babelshelf.prepare.from_pairs import NOTICED
from babelshelf.prepare.params import SOURCES, PrepareParams
from babelshelf.prepare.sources import esci, files
from babelshelf.prepare.statistics import split_statistics, statistics
from babelshelf.tables.prediction_sets import UNLABELLED_SCHEMA, no_unlabelled
from babelshelf.text.language_id import Identification, Tolerance
from benchmarks.wrong_languages import judged, measured
from stages.data_report import main
from tests.helpers.profiles import NANO

TOLERANCE = Tolerance(min_letters=6, min_confidence=0.8, ratio=10)
WORDING = {
    "en": "waterproof running shoes with laces",
    "de": "wasserdichte laufschuhe mit schnürsenkeln",
    "fr": "chaussures de course imperméables",
    "ja": "防水ランニングシューズ",
}

Row = tuple[str, str, str, str, int]  # split, language, query, candidate, label


def clean(count: int = 40) -> list[Row]:
    """Rows without any flaw, all queries their own, in each split."""
    return [
        (split, language, f"{wording} {split} {n}", f"Shoes > Running > Model {n % 5}", n % 2)
        for split in SPLITS
        for n in range(count // 4)
        for language, wording in WORDING.items()
    ]


def table(rows: list[Row], task: str = "qc") -> pl.DataFrame:
    """The rows with all columns of the contract, and `split`."""
    columns = ["split", "language", "query", "candidate", "label"]
    return (
        pl.DataFrame(rows, schema=columns, orient="row")
        .with_row_index("number")
        .with_columns(
            id=pl.format("{}-{}", pl.lit(task), "number"),
            task=pl.lit(task),
            origin=pl.lit("original"),
            parent_id=pl.lit(None, pl.String),
            group=pl.col("query"),
        )
        .select("split", *(pl.col(name).cast(kind) for name, kind in ROW_SCHEMA.items()))
    )


def task_data(rows: list[Row], task: str = "qc", **changes: Any) -> TaskTables:  # noqa: ANN401
    read = table(rows, task)
    prepared = {split: split_statistics(read.filter(pl.col("split") == split)) for split in SPLITS}
    values: dict[str, Any] = {"unlabelled": no_unlabelled(), "prepared": prepared, "left_out": {}, "dropped": None}
    return TaskTables(task=task, rows=read, **values | changes)


def replaced(rows: list[Row], at: dict[int, dict[str, Any]]) -> list[Row]:
    names = ("split", "language", "query", "candidate", "label")
    changed = list(rows)
    for index, values in at.items():
        row = dict(zip(names, rows[index], strict=True)) | values
        changed[index] = (row["split"], row["language"], row["query"], row["candidate"], row["label"])
    return changed


# --- texts ---


def test_clean_rows_have_no_flaw() -> None:
    data = task_data(clean())
    found = [texts.flaws(data), pairs.repeated(data), pairs.unknown_candidates(data), queries.shared([data])]
    assert [count.found for finding in found for count in finding.counts] == [0] * 7
    assert queries.verdict(found[-1].metrics).startswith("No query of dev or test is in train")


@pytest.mark.parametrize(
    ("flaw", "text"),
    [
        ("mojibake", "pantalÃ³n azul"),
        ("mojibake", "caf\ufffd"),
        ("mojibake", "itâ€™s"),
        ("control", "red\x07 shoes"),
        ("control", "\ufeffshoes"),
        ("empty", "!!"),
    ],
)
@pytest.mark.parametrize("column", ["query", "candidate"])
def test_flaws_are_counted_where_they_are(flaw: str, text: str, column: str) -> None:
    rows = replaced(clean(), {n: {column: text} for n in (0, 3, 50)})  # two of train, one of dev
    finding = texts.flaws(task_data(rows))
    assert {split: finding.metrics[split][f"{column}_{flaw}"] for split in SPLITS} == {"train": 2, "dev": 1, "test": 0}
    assert sum(n for split in SPLITS for n in finding.metrics[split].values()) == 3  # nothing else
    assert sorted(count.found for count in finding.counts) == [0, 0, 3]


def test_letters_with_accents_are_no_mojibake() -> None:
    words = ["São Paulo Âge Ã", "Ñandú", "piñata", "Äpfel – 5 €", "Привет мир", "naïve “quoted”", "コーヒー"]
    finding = texts.flaws(task_data(replaced(clean(), {n: {"query": word} for n, word in enumerate(words)})))
    assert [count.found for count in finding.counts] == [0, 0, 0]


def test_over_long_texts_are_counted() -> None:
    at = {0: {"query": "x" * 101}, 1: {"query": "x" * 400}, 2: {"query": "x" * 100}, 41: {"candidate": "y" * 61}}
    finding = texts.lengths(task_data(replaced(clean(), at)), CharactersPerText(query=100, candidate=60))
    assert {split: finding.metrics["query"][split]["long"] for split in SPLITS} == {"train": 2, "dev": 0, "test": 0}
    assert {split: finding.metrics["candidate"][split]["long"] for split in SPLITS} == {"train": 0, "dev": 1, "test": 0}
    assert finding.metrics["query"]["train"]["max"] == 400
    assert [count.found for count in finding.counts] == [2, 1]


def test_rows_to_predict_without_a_candidate_are_counted() -> None:
    rows = [{"split": "dev", "id": str(n), "candidate": None if n < 3 else "x", "query": "q"} for n in range(5)]
    unlabelled = pl.DataFrame(rows, schema=UNLABELLED_SCHEMA)
    finding = texts.flaws(task_data(clean(), unlabelled=unlabelled))
    assert finding.metrics["unlabelled"] == {"query_null": 0, "candidate_null": 3}


# --- pairs ---


def test_pairs_with_both_labels_and_duplicates_are_counted_apart() -> None:
    rows = clean()
    both = [(*row[:4], 1 - row[4]) for row in (rows[0], rows[5], rows[45])]  # two of train, one of dev
    again = [rows[1], rows[1], rows[90]]  # twice more in train, once in test
    finding = pairs.repeated(task_data(rows + both + again))
    assert {split: finding.metrics[split]["pairs_with_both_labels"] for split in SPLITS} == {
        **{"train": 2, "dev": 1, "test": 0}
    }
    assert finding.metrics["train"]["rows_with_both_labels"] == 4
    assert {split: finding.metrics[split]["duplicate_rows"] for split in SPLITS} == {"train": 2, "dev": 0, "test": 1}


def test_unknown_candidates_and_levels_are_counted() -> None:
    changes = {
        40: "Shoes > Running > New",
        41: "Shoes > Hiking > New",
        42: "Hats > Caps > New",
        43: "Hats > Caps > New",
    }
    rows = replaced(clean(), {at: {"candidate": path} for at, path in changes.items()})
    found = pairs.unknown_candidates(task_data(rows)).metrics
    assert {name: found["dev"][name] for name in ("unknown", "rows_of_unknown")} == {"unknown": 3, "rows_of_unknown": 4}
    assert [found["dev"]["levels"][depth]["unknown"] for depth in "123"] == [1, 2, 3]
    assert found["test"]["unknown"] == 0
    assert "levels" not in pairs.unknown_candidates(task_data(rows, "qi")).metrics["dev"]


# --- leaks ---


def test_leaks_are_found_across_languages_tasks_case_and_width() -> None:
    qc, qi = clean(), replaced(clean(), {n: {"query": f"qi {split} {n}"} for n, (split, *_) in enumerate(clean())})
    leaked = {"language": "de", "query": "ＷＡＴＥＲＰＲＯＯＦ running-shoes with laces train 0!"}
    reordered = {"query": "train 0 shoes running waterproof with laces"}
    finding = queries.shared([task_data(qc), task_data(replaced(qi, {45: leaked, 85: reordered}), "qi")])
    assert finding.metrics == {
        "train_dev": {"same": 1, "reordered": 0},
        "train_test": {"same": 0, "reordered": 1},
        "dev_test": {"same": 0, "reordered": 1},
    }
    assert queries.verdict(finding.metrics).startswith("LEAK: 1 ")


# --- languages ---


def test_wrong_language_codes_are_counted_by_declared_language() -> None:
    wrong = {0: "de", 4: "de", 8: "fr", 3: "fr", 42: "en"}  # English as German, German as English, ...
    data = task_data(replaced(clean(), {at: {"language": code} for at, code in wrong.items()}))
    finding = languages.languages(data, languages.candidates([data]), TOLERANCE, "all", seed=1)
    by_language = {code: found["contradicted"] for code, found in finding.metrics["train"]["languages"].items()}
    assert by_language == {"de": 2, "en": 0, "fr": 2, "ja": 0}
    assert [finding.metrics[split]["contradicted"] for split in SPLITS] == [4, 1, 0]
    assert finding.metrics["train"]["queries"] == 40


def test_one_language_cannot_be_told_from_others() -> None:
    data = task_data([row for row in clean() if row[1] == "de"])
    finding = languages.languages(data, languages.candidates([data]), TOLERANCE, "all", seed=1)
    assert finding.metrics == {}


def test_a_sample_is_of_unique_queries_and_depends_on_the_seed_alone() -> None:
    rows = table(clean(200))
    twice = pl.concat([rows, rows]).sample(fraction=1, shuffle=True, seed=3)
    drawn = languages.sample(rows, 20, seed=1)
    assert drawn.group_by("language").len()["len"].to_list() == [20] * 4
    assert drawn.n_unique() == drawn.height
    assert drawn.equals(languages.sample(twice, 20, seed=1))
    assert not drawn.equals(languages.sample(rows, 20, seed=2))


@pytest.mark.slow
def test_the_demos_wrong_codes_are_found_with_few_false_alarms(root: Path) -> None:
    """The demo declares 2 % of its train queries as another language; docs/data-report.md has the numbers of all."""
    settings = section(PrepareParams, read_params(NANO), "prepare", None).chosen()
    small = settings.model_copy(update={"rows_train": settings.rows_train.model_copy(update={"qc": 6000, "qi": 6000})})
    found = measured(pl.concat(judged(small, root / "data" / "demo", TOLERANCE, seed=1).values()))
    assert found["wrong"] == pytest.approx(0.02 * found["queries"], abs=2)
    assert found["precision"] > 0.85
    assert 0.3 < found["recall"] < 0.6


# --- the stage ---


@pytest.fixture
def stage(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], tuple[str, dict[str, Any]]]:
    """Runs the stage in an empty folder that has `original` and `prepare.json`; gives the page and the metrics."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_bytes((NANO).read_bytes())

    def run() -> tuple[str, dict[str, Any]]:
        paths = ["--original", "original", "--prepared", "prepare.json", "--page", "page.html", "--metrics", "m.json"]
        result = CliRunner().invoke(main, paths)
        assert result.exit_code == 0, result.output
        return Path("page.html").read_text(encoding="utf-8"), read_json(Path("m.json"))

    return run


def put(tasks: dict[str, list[Row]], left_out: dict[str, Any] | None = None) -> None:
    """What `prepare` would write of these rows."""
    prepared: dict[str, Any] = {"left_out": left_out or {}}
    for task, rows in tasks.items():
        data = task_data(rows, task)
        prepared[task] = data.prepared
        for split in SPLITS:
            write_rows(
                Path(f"original/{task}/{split}.parquet"),
                table(rows, task).filter(pl.col("split") == split).drop("split"),
            )
        write_table(Path(f"original/{task}/unlabelled.parquet"), no_unlabelled())
    write_json(Path("prepare.json"), prepared)


def test_the_page_is_whole_and_the_same_each_time(stage: Callable[[], tuple[str, dict[str, Any]]]) -> None:
    rows = replaced(clean(), {0: {"query": "<script>alert(1)</script> pantalÃ³n"}, 5: {"language": "fr"}})
    put({"qc": rows, "qi": replaced(clean(), {n: {"query": f"{row[2]} qi"} for n, row in enumerate(clean())})})
    page, metrics = stage()
    assert stage() == (page, metrics)
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; pantalÃ³n" in page  # the example
    links = re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?([^"')\s>]+)""", page)
    assert links
    assert all(link.startswith("#") for link in links), links
    assert not re.findall(r"(?:https?:)?//[a-z]", re.sub(r'xmlns(:\w+)?="[^"]*"', "", page))
    assert metrics["qc"]["flaws"]["train"]["query_mojibake"] == 1
    assert metrics["qc"]["languages"]["train"]["contradicted"] == 1
    assert metrics["all"]["leaks"]["train_test"] == {"same": 0, "reordered": 0}
    assert page.count("<svg") == 6


def test_one_task_alone(stage: Callable[[], tuple[str, dict[str, Any]]]) -> None:
    put({"qi": clean()})
    page, metrics = stage()
    assert metrics.keys() == {"all", "qi"}
    assert "Task qc" not in page


def test_rows_that_prepare_left_out_are_shown_with_their_reason(
    stage: Callable[[], tuple[str, dict[str, Any]]], tmp_path: Path, root: Path
) -> None:
    values = SOURCES.defaults("files") | {"tasks": ["qc"], "max_bad_share": 0.1}
    settings = section(FilesParams, {"files": values}, "files", None)
    rows = [dict(zip(("language", "query", "category_path", "label"), row[1:], strict=True)) for row in clean(400)]
    bad = [{**rows[0], "label": 7}, {**rows[1], "language": "xx"}, {**rows[2], "query": "!!"}, rows[3]]
    pl.DataFrame([*rows, *bad]).write_csv(tmp_path / "pairs.csv")
    market = files.read(dict.fromkeys(("qc", "qi"), tmp_path / "pairs.csv"), settings, 1)
    data = market.tasks["qc"]
    for split in SPLITS:
        write_rows(Path(f"original/qc/{split}.parquet"), getattr(data, split))
    write_table(Path("original/qc/unlabelled.parquet"), data.unlabelled)
    assert market.dropped is not None
    assert market.dropped.schema == DROPPED_SCHEMA
    write_csv(Path("original/dropped.csv"), market.dropped)
    write_json(Path("prepare.json"), statistics(market))
    page, metrics = stage()
    left_out = metrics["qc"]["left_out"]
    assert left_out["read"] == left_out["kept"] + 4 == 1204
    assert left_out["dropped"] == {"bad_label": 1, "unknown_language": 1, "empty_query": 1, "duplicate": 1}
    assert "write a code of ISO 639-1 such as de" in page
    assert "the same pair and label as an earlier row" in page


def test_the_page_says_that_only_latin_letters_are_counted() -> None:
    """As `language_id.Identification.contradicts` has it: another script tells at once."""
    assert Identification(2, non_latin=True, confidences={"ja": 0.9, "de": 0.0}).contradicts("de", TOLERANCE)
    assert not Identification(5, non_latin=False, confidences={"en": 0.9, "de": 0.0}).contradicts("de", TOLERANCE)
    data = task_data(clean())
    text = languages.languages(data, languages.candidates([data]), TOLERANCE, "all", seed=1).blocks[0]
    assert "A query in Latin letters needs at least 6 letters" in str(text)


def test_every_reason_of_a_source_is_explained() -> None:
    of_splits = (splits.CONFLICT, splits.DUPLICATE, splits.LEAK, splits.HOLDOUT)
    of_esci = (esci.OTHER_VERSION, esci.OTHER_LOCALE, esci.NO_PRODUCT, "substitute", "complement")
    reasons = [*PROBLEMS, MISSING_CANDIDATE, MISSING_LABEL, *of_splits, *of_esci]
    dropped, noticed = dict.fromkeys(reasons, 1), dict.fromkeys(NOTICED, 1)
    counts = {"read": 100, "kept": 100 - len(reasons), "bad": 0, "dropped": dropped, "noticed": noticed}
    table = texts.left_out(task_data(clean(), left_out=counts)).blocks[0]
    assert isinstance(table, Table)
    assert [row[0] for row in table.rows] == [*reasons, *(f"noticed: {name}" for name in NOTICED)]
    assert [row[0] for row in table.rows if not row[1]] == []


def test_missing_tables_are_one_clear_error(stage: Callable[[], tuple[str, dict[str, Any]]]) -> None:
    put({"qc": clean()})
    Path("original/qc/dev.parquet").unlink()
    result = CliRunner().invoke(
        main, ["--original", "original", "--prepared", "prepare.json", "--page", "page.html", "--metrics", "m.json"]
    )
    assert result.exit_code == 1
    assert "original/qc/dev.parquet: no such file" in result.output
    assert not Path("page.html").exists()
