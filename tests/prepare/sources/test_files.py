"""The source `files`: what is read from which file, every rule for a row, the splits, and that no row gets lost."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from babelshelf.commands.check import check as check_params
from babelshelf.core.errors import InputError
from babelshelf.core.files import read_json
from babelshelf.core.params import read as read_params
from babelshelf.core.params import section
from babelshelf.pairs import readers, text_stream
from babelshelf.pairs.dropped_rows import PROBLEMS
from babelshelf.pairs.formats import as_params
from babelshelf.pairs.params import FilesParams
from babelshelf.pairs.readers import read_file
from babelshelf.prepare.from_pairs import read_rows
from babelshelf.prepare.input_files import input_files, not_read, with_sizes
from babelshelf.prepare.leak_checks import check
from babelshelf.prepare.marketplace import Marketplace
from babelshelf.prepare.sources import files
from babelshelf.prepare.statistics import statistics
from babelshelf.text.keys import key, keys
from stages.prepare import main
from tests.helpers.fuzz import BYTES, at_most
from tests.helpers.profiles import NANO

Rows = list[dict[str, Any]]

LABELS = {
    **{"positive": ["1", "true", "yes"], "negative": ["0", "false", "no"], "positive_from": "none", "missing": "bad"},
    "random_negatives": 0,
}
COLUMNS = {"query": "query", "candidate": "candidate", "label": "label", "language": "language", "id": "", "split": ""}
TASK = {
    **{"rows": "*", "train": "", "dev": "", "test": "", "format": "csv", "delimiter": ",", "quote": '"'},
    **{"escape": "", "skip_lines": 0, "header": []},
    **{"encoding": "utf-8", "columns": COLUMNS, "language": "", "language_map": {}},
    **{"labels": LABELS, "path_separator": ""},
}
SPLIT = {
    "names": {"train": ["train"], "dev": ["dev", "valid"], "test": ["test"]},
    **{"dev_share": 0.1, "test_share": 0.15, "holdout_languages": [], "leaks": "error"},
}


def params(task: dict[str, Any] | None = None, split: dict[str, Any] | None = None, **changes: Any) -> FilesParams:  # noqa: ANN401
    own = TASK | (task or {})
    own["columns"] = COLUMNS | own["columns"]
    own["labels"] = LABELS | own["labels"]
    values = {
        **{"tasks": ["qc"], "qc": own, "qi": own, "split": SPLIT | (split or {}), "max_bad_share": 0.5},
        **{
            "missing_candidate": "drop",
            "conflicts": "keep",
            "long": {"query": 200, "candidate": 500},
            "longest_query": 1000,
        },
    }
    return section(FilesParams, {"files": values | changes}, "files", None)


def many(count: int = 400, languages: tuple[str, ...] = ("en", "fr", "de")) -> Rows:
    """Two rows a query, one of each label; each query in one language."""
    return [
        {
            "query": f"query {n // 2}",
            "candidate": f"shop > item {n % 20}",
            "label": n % 2,
            "language": languages[n // 2 % 3],
        }
        for n in range(count)
    ]


def extra(**values: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"query": "odd one", "candidate": "odd", "label": 1, "language": "en"} | values


def write(file: Path, rows: Rows) -> Path:
    pl.DataFrame(rows, infer_schema_length=None).write_csv(file)
    return file


def everything(market: Marketplace, task: str = "qc") -> pl.DataFrame:
    data = market.tasks[task]
    parts = {"train": data.train, "dev": data.dev, "test": data.test}
    return pl.concat([table.with_columns(split=pl.lit(name)) for name, table in parts.items()])


def read(path: Path, settings: FilesParams, seed: int = 1) -> Marketplace:
    return files.read({"qc": path, "qi": path}, settings, seed)


# --- formats ---


def _csv(rows: pl.DataFrame, file: Path) -> None:
    rows.write_csv(file)


def _tsv(rows: pl.DataFrame, file: Path) -> None:
    rows.write_csv(file, separator="\t")


def _jsonl(rows: pl.DataFrame, file: Path) -> None:
    rows.write_ndjson(file)


def _parquet(rows: pl.DataFrame, file: Path) -> None:
    rows.write_parquet(file)


FORMATS: dict[str, tuple[Callable[[pl.DataFrame, Path], None], dict[str, str]]] = {
    "csv": (_csv, {"format": "csv"}),
    "tsv": (_tsv, {"format": "csv", "delimiter": "\t"}),
    "jsonl": (_jsonl, {"format": "jsonl"}),
    "parquet": (_parquet, {"format": "parquet"}),
}
CONTENT = [
    {"query": "a\nb", "candidate": 'say "hi", you', "label": True, "language": "ja"},
    {"query": "가방", "candidate": None, "label": False, "language": "ko"},
    {"query": "x", "candidate": "é\t", "label": True, "language": "pt-BR"},
]


@pytest.mark.parametrize("packing", ["", "gzip", "zstd"])
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_texts(tmp_path: Path, name: str, packing: str) -> None:
    if name == "parquet" and packing:
        pytest.skip("Parquet is packed by itself")
    writer, how = FORMATS[name]
    file = tmp_path / f"rows.{name}"
    writer(pl.DataFrame(CONTENT), file)
    if packing:
        file.write_bytes(
            pa.compress(file.read_bytes(), packing, asbytes=True)
            if packing == "zstd"
            else gzip.compress(file.read_bytes())
        )
    found = read_file(file, params(how).qc, {role: role for role in CONTENT[0]})
    texts = found.select(pl.col("query", "candidate", "label", "language").replace("", None)).rows()
    assert texts == [
        ("a\nb", 'say "hi", you', "true", "ja"),
        ("가방", None, "false", "ko"),
        ("x", "é\t", "true", "pt-BR"),
    ]
    assert found["row"].to_list() == [1, 2, 3]
    assert found["line"].to_list() == {"jsonl": [1, 2, 3], "parquet": [None] * 3}.get(name, [2, 4, 5])


def test_lines_are_counted_over_blank_ragged_and_long_records(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(
        b'\xef\xbb\xbfquery,label\r\na,1\r\nx,y,z\r\n\r\n"two\r\nlines",0\r\n\xffbad,1\r\n"p\nq",2,3\r\nend,1\r\n'
    )
    found = read_file(file, params().qc, {"query": "query"})
    assert found.select("row", "line", "problem").rows() == [
        *((1, 2, None), (2, 3, "ragged"), (3, 5, None), (4, 7, None), (5, 8, "ragged"), (6, 10, None)),
    ]
    assert found["record"][1] == "3 cells for 2 columns: x,y,z"


@pytest.mark.parametrize("block", [1 << 24, 4096])
def test_lines_are_counted_over_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(text_stream, "BLOCK", block)
    lines = ["query,label", *(f"query {n},1" for n in range(5000))]
    lines[3000], lines[4000] = '"two\nlines",0', "one,two,three"
    (tmp_path / "a.csv").write_text("\n".join(lines), encoding="utf-8")
    found = read_file(tmp_path / "a.csv", params().qc, {"query": "query"})
    assert found.filter(problem="ragged").select("row", "line").rows() == [(4000, 4002)]
    assert found.select("row", "line", "query").rows()[-1] == (5000, 5002, "query 4999")


@pytest.mark.parametrize("name", ["csv", "jsonl", "parquet"])
def test_a_file_of_many_blocks_is_read_as_one_of_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    rows = pl.DataFrame(
        [{"query": "é" * (n % 7) + "ก가", "candidate": f"ü {n}", "label": n % 2, "language": "th"} for n in range(3000)]
    )
    writer, how = FORMATS[name]
    writer(rows, tmp_path / "rows")
    whole = read_file(tmp_path / "rows", params(how).qc, {"query": "query", "candidate": "candidate"})
    monkeypatch.setattr(text_stream, "BLOCK", 1001)  # characters of two and three bytes lie across the ends of blocks
    blocks = list(readers.read_blocks(tmp_path / "rows", params(how).qc, {"query": "query", "candidate": "candidate"}))
    assert pl.concat(blocks).equals(whole)
    assert whole["query"].to_list() == rows["query"].to_list()
    assert whole["row"].to_list() == list(range(1, 3001))
    assert len(blocks) > 20 or name == "parquet"


def test_rows_are_the_same_however_many_are_worked_on_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [*many(), extra(label="maybe"), extra(language="xx"), extra(query="!"), extra(candidate="a\x01b\t c")]
    file = write(tmp_path / "a.csv", [*rows, rows[5]])
    whole = read_rows({"qc": file}, params())
    monkeypatch.setattr("babelshelf.pairs.rows.SLICE", 7)
    assert read_rows({"qc": file}, params()).equals(whole)


def test_json_lines_that_are_no_objects_are_rows_too(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"query": "a"}\n{bad\n\n3\n{"query": 5, "x": [1]}\n{"query": null}\n', encoding="utf-8")
    found = read_file(file, params({"format": "jsonl"}).qc, {"query": "query"})
    assert found.select("row", "line", "problem", "query").rows() == [
        *((1, 1, None, "a"), (2, 2, "not_json", None), (3, 4, "not_json", None), (4, 5, None, "5"), (5, 6, None, None)),
    ]


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252", "shift_jis"])
def test_other_encodings(tmp_path: Path, encoding: str) -> None:
    text = "ソニー" if encoding == "shift_jis" else "Hülle"
    (tmp_path / "a.csv").write_bytes(f"query,label\n{text},1\n".encode(encoding))
    found = read_file(tmp_path / "a.csv", params({"encoding": encoding}).qc, {"query": "query"})
    assert found["query"].to_list() == [text]


@pytest.mark.parametrize("name", ["a key", 'quo"te', "it's", "ü.x[0]", "$", ""])
def test_any_key_of_json_can_be_a_column(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({name: "found", "other": "no"}) + "\n", encoding="utf-8")
    found = read_file(tmp_path / "a.jsonl", params({"format": "jsonl"}).qc, {"query": name})
    assert found["query"].to_list() == ["found"]


@pytest.mark.parametrize(
    ("content", "how", "expected"),
    [
        (b"", {}, r"a: cannot be read as csv: Empty CSV file; give a file with rows"),
        (b"", {"format": "jsonl"}, r"a: cannot be read as jsonl: Empty"),
        (b"qery,candidate,label,lang\n", {}, r"columns\.query: no column 'query'; did you mean 'qery'"),
        (b"query,query,candidate,label,language\n", {}, r"2 columns are called 'query': rename all but one"),
        (b'[{"query": 1}]', {"format": "jsonl"}, r"a JSON array: set prepare\.files\.<task>\.format to json"),
        (b'{"a\\\\b": 1}', {"format": "jsonl", "columns": {"query": "a\\b"}}, r"holds a backslash: rename it"),
        (b"PK\x03\x04xxxx", {}, r"a zip archive or an Excel workbook"),
        (b"PAR1xxxxxxxx", {}, r"a Parquet file: set prepare\.files\.<task>\.format to parquet"),
        (b"PAR1xxxxxxxxPAR1", {"format": "parquet"}, r"a: cannot be read as parquet"),
        (gzip.compress(b"query,label\n" * 99, mtime=0)[:-12], {}, r"a: cannot be read as csv: Truncated"),
    ],
)
def test_a_file_that_is_not_read_is_named_with_the_fix(
    tmp_path: Path, content: bytes, how: dict[str, str], expected: str
) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(InputError, match=expected):
        read(tmp_path / "a", params(how))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            b'query\n"' + b"red\n" * (1 << 23),
            "a quote that is opened is never closed: correct the quotes: each is doubled within a quoted cell, or none "
            "is special",
        ),  # two blocks of the reader
        (b"PAR1", "a Parquet file: give it a name that ends with .parquet"),
        (b"search\nred", "a: no column 'query'; The columns are search"),
    ],
    ids=["quote", "Parquet", "column"],
)
def test_a_file_that_no_param_describes_is_explained_without_one(tmp_path: Path, content: bytes, expected: str) -> None:
    (tmp_path / "a").write_bytes(content)
    found = as_params({"format": "csv", "delimiter": ",", "quote": '"', "encoding": "utf-8"}, {})
    with pytest.raises(InputError) as raised:
        read_file(tmp_path / "a", found, {"query": "query"})
    assert raised.value.message.endswith(expected)


def test_all_missing_columns_and_files_are_named_together(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", [{"search": "x", "candidate": "y", "labl": 1, "language": "en"}])
    (tmp_path / "b.csv").write_bytes(b"")
    with pytest.raises(InputError) as raised:
        read(tmp_path, params({"rows": "*.csv"}))
    assert [line.split(": ")[1] for line in raised.value.message.splitlines()] == [
        *("columns.query", "columns.label", "cannot be read as csv"),
    ]


def test_a_nested_column_of_parquet_is_refused(tmp_path: Path) -> None:
    pl.DataFrame([extra(query=["a", "b"])]).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"the column 'query' is of the type List\(String\): store texts"):
        read(tmp_path / "a.parquet", params({"format": "parquet"}))


# --- rows ---

BROKEN_ROWS = {
    "empty_query": (extra(query="?!"), "query", "?!"),
    "empty_candidate": (extra(candidate="..."), "candidate", "..."),
    "bad_label": (extra(label="maybe"), "label", "maybe"),
    "unknown_language": (extra(language="xx"), "language", "xx"),
    "bad_split": (extra(split="holdout"), "split", "holdout"),
    "empty_id": (extra(id=None), "id", ""),
    "duplicate_id": (extra(id="id7"), "id", "id7"),
}


def full(rows: Rows) -> Rows:
    """With ids and splits; queries of a split are its own."""
    splits = ["train"] * 3 + ["dev", "test"]
    return [row | {"id": f"id{n}", "split": splits[n // 2 % 5]} for n, row in enumerate(rows)]


FULL = {"columns": {"id": "id", "split": "split"}}


@pytest.mark.parametrize("problem", BROKEN_ROWS)
def test_a_broken_row_is_an_error_that_says_all(tmp_path: Path, problem: str) -> None:
    row, column, value = BROKEN_ROWS[problem]
    file = write(tmp_path / "a.csv", [*full(many(40)), {"id": "odd", "split": "train"} | row])
    with pytest.raises(InputError) as raised:
        read(file, params(FULL, max_bad_share=0.0))
    total, line = raised.value.message.splitlines()
    assert total.startswith("1 of 41 qc rows are bad (2.44%), max_bad_share allows 0.00%")
    _, what, fix = PROBLEMS[problem]
    assert line == f"a.csv, row 41 (line 42), column {column!r}: {value!r}: {what}: {fix}"


@pytest.mark.parametrize("problem", BROKEN_ROWS)
def test_within_the_allowed_share_a_broken_row_is_counted_and_handed_back(tmp_path: Path, problem: str) -> None:
    row, column, value = BROKEN_ROWS[problem]
    file = write(tmp_path / "a.csv", [*full(many(40)), {"id": "odd", "split": "train"} | row])
    market = read(file, params(FULL, max_bad_share=0.03))
    assert market.counts["qc"]["dropped"] == {problem: 1}
    assert market.dropped is not None
    dropped = market.dropped.select("task", "file", "row", "line", "reason", "column", "value").rows()
    assert dropped == [("qc", "a.csv", 41, 42, problem, column, value)]
    assert everything(market).height == 40


def test_the_first_20_errors_come_together_with_their_count(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", [extra(query=f"q {n}", label=f"?{n}") for n in range(30)])
    with pytest.raises(InputError) as raised:
        read(file, params())
    lines = raised.value.message.splitlines()
    assert lines[0].startswith("30 of 30 qc rows are bad (100.00%)")
    assert len(lines) == 21
    assert lines[20].startswith("a.csv, row 20 (line 21)")


def test_bytes_in_no_encoding_are_found_in_their_row(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", many())
    file.write_bytes(file.read_bytes() + b"caf\xe9,shop,1,fr\n")
    assert read(file, params()).counts["qc"]["dropped"] == {"encoding": 1}


@pytest.mark.parametrize(
    ("labels", "given_", "expected"),
    [
        ({}, ["1", "1.0", "TRUE", " yes ", "0", "No", "false", "2", ""], [1, 1, 1, 1, 0, 0, 0, None, None]),
        ({"positive": ["E"], "negative": ["I", "S"]}, ["e", "E", "i", "S", "C"], [1, 1, 0, 0, None]),
        ({"positive_from": 2.0}, ["2", "3.5", "1.99", "-1", "nan", "inf", "x"], [1, 1, 0, 0, None, None, None]),
    ],
)
def test_labels(tmp_path: Path, labels: dict[str, Any], given_: list[str], expected: list[int | None]) -> None:
    rows = [extra(query=f"q {n}", label=value) for n, value in enumerate(given_)]
    file = write(tmp_path / "a.csv", [*rows, extra(query="last", label="x")])
    found = read_rows({"qc": file}, params({"labels": labels}))
    assert found["label"].to_list()[: len(expected)] == expected


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("pt-BR", "pt"),
        ("vn", "vi"),
        ("JP", "ja"),
        ("zh_Hant", "zh"),
        ("deu", "de"),
        ("Portuguese", "pt"),
        ("日本語", "ja"),
        ("nl", "nl"),
    ],
)
def test_languages_beyond_the_demos_13_and_however_they_are_called(tmp_path: Path, text: str, code: str) -> None:
    file = write(tmp_path / "a.csv", [row | {"language": text} for row in many()])
    market = read(file, params())
    check(market)
    assert everything(market)["language"].unique().to_list() == [code]


def test_one_language_for_all(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", [{key: row[key] for key in ("query", "candidate", "label")} for row in many()])
    market = read(file, params({"columns": {"language": ""}, "language": "sv"}))
    assert everything(market)["language"].unique().to_list() == ["sv"]


def test_texts_are_cleaned_and_what_is_strange_is_counted(tmp_path: Path) -> None:
    odd = [
        extra(query="  cafe\u0301\x07 \x00au\tlait "),
        extra(query="FranÃ§ois lamp"),
        extra(query="long " * 50),
    ]
    market = read(write(tmp_path / "a.csv", [*many(), *odd]), params())
    assert market.counts["qc"]["noticed"] == {"cleaned": 2, "control": 1, "mojibake": 1, "long": 1}
    assert "café au lait" in everything(market)["query"].to_list()
    check(market)


def test_levels_of_a_path_get_one_separator(tmp_path: Path) -> None:
    rows = [row | {"candidate": f"A/b /  c{n % 7}/"} for n, row in enumerate(many())]
    market = read(write(tmp_path / "a.csv", rows), params({"path_separator": "/"}))
    assert market.tasks["qc"].candidates["candidate"].to_list() == [f"A > b > c{n}" for n in range(7)]


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (
            ["home,kitchen, dining & bar,cups", "home,baby, kids"],
            ["home > baby, kids", "home > kitchen, dining & bar > cups"],
        ),
        (["a,b, c,d", "a,e"], ["a > b, c > d", "a > e"]),
        (
            ["Home, Lamps", "Home, Chairs", "Home, Chairs, red"],
            ["Home > Chairs", "Home > Chairs > red", "Home > Lamps"],
        ),
    ],
)
def test_names_with_commas_stay_whole_in_paths_with_commas(
    tmp_path: Path, paths: list[str], expected: list[str]
) -> None:
    rows = [row | {"candidate": paths[n % len(paths)]} for n, row in enumerate(many())]
    market = read(write(tmp_path / "a.csv", rows), params({"path_separator": ","}))
    assert market.tasks["qc"].candidates["candidate"].to_list() == expected


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["l1", "l2", "l3"], ["Home > Lamps > Red", "Home > Lamps"]),
        (["l2", "l1"], ["Lamps > Home"]),
        (["l3", "l1"], ["Red > Home", "Home"]),
    ],
)
def test_a_candidate_of_several_columns(tmp_path: Path, columns: list[str], expected: list[str]) -> None:
    rows = [
        {key: value for key, value in row.items() if key != "candidate"}
        | {"l1": "Home", "l2": " Lamps ", "l3": "Red" if n % 2 else ""}
        for n, row in enumerate(many())
    ]
    market = read(write(tmp_path / "a.csv", rows), params({"columns": {"candidate": columns}}))
    assert set(market.tasks["qc"].candidates["candidate"]) == set(expected)


@pytest.mark.parametrize("word", ["lamp", "दीया", "réchaud"])
def test_all_overlong_queries_are_found_with_the_other_bad_rows(tmp_path: Path, word: str) -> None:
    long = [extra(query=f"{n} " + f"{word} " * 300) for n in range(5)]
    market = read(write(tmp_path / "a.csv", [*many(), *long]), params())
    assert market.counts["qc"]["dropped"] == {"long_query": 5}
    assert market.dropped is not None
    assert market.dropped["reason"].to_list() == ["long_query"] * 5
    with pytest.raises(InputError, match="longer than the model's prompt can hold: shorten the query"):
        read(tmp_path / "a.csv", params(max_bad_share=0.0))


def test_values_that_are_no_languages_are_mapped(tmp_path: Path) -> None:
    rows = [row | {"language": {"en": "US", "fr": "uk", "de": "de"}[row["language"]]} for row in many()]
    market = read(write(tmp_path / "a.csv", rows), params({"language_map": {"us": "en", "uk": "en"}}))
    assert set(everything(market)["language"]) == {"en", "de"}


@pytest.mark.parametrize("char", ["\u200b", "\u200e", "\u2060", "\u200d", "\ufe0f", "\u00ad", "\u180e"])
def test_queries_that_look_the_same_are_in_one_split(tmp_path: Path, char: str) -> None:
    rows = many()
    hidden = [row | {"query": f"{char}{row['query']}{char}", "candidate": f"{row['candidate']} x"} for row in rows]
    market = read(write(tmp_path / "a.csv", [*rows, *hidden]), params())
    groups = everything(market).group_by("group").agg(pl.col("split").n_unique())
    assert groups["split"].to_list() == [1] * groups.height


@pytest.mark.parametrize(("policy", "reason"), [("drop", "missing_candidate"), ("bad", "empty_candidate")])
def test_a_missing_candidate(tmp_path: Path, policy: str, reason: str) -> None:
    file = write(tmp_path / "a.csv", [*many(), extra(candidate=None)])
    market = read(file, params(missing_candidate=policy))
    assert market.counts["qc"]["dropped"] == {reason: 1}
    assert market.counts["qc"]["bad"] == (policy == "bad")


@pytest.mark.parametrize("word", [None, "NULL", "NaN", "n/a", "None", "NA", "#N/A", "\\N", "<NA>"])
@pytest.mark.parametrize(("policy", "reason"), [("drop", "missing_label"), ("bad", "bad_label")])
def test_a_missing_label(tmp_path: Path, policy: str, reason: str, word: str | None) -> None:
    file = write(tmp_path / "a.csv", [*many(), extra(label=word)])
    assert read(file, params({"labels": {"missing": policy}})).counts["qc"]["dropped"] == {reason: 1}


@pytest.mark.parametrize(
    ("policy", "kept", "dropped"),
    [
        ("keep", [0, 1], {"duplicate": 1}),
        ("drop", [], {"conflict": 3}),
        ("majority", [1], {"conflict": 1, "duplicate": 1}),
    ],
)
def test_a_pair_with_both_labels(tmp_path: Path, policy: str, kept: list[int], dropped: dict[str, int]) -> None:
    file = write(tmp_path / "a.csv", [*many(), extra(), extra(label=0), extra()])
    market = read(file, params(conflicts=policy))
    assert everything(market).filter(query="odd one")["label"].sort().to_list() == kept
    assert market.counts["qc"]["dropped"] == dropped
    assert market.counts["qc"]["pairs_with_both_labels"] == 1


def test_without_a_majority_no_row_is_kept(tmp_path: Path) -> None:
    market = read(write(tmp_path / "a.csv", [*many(), extra(), extra(label=0)]), params(conflicts="majority"))
    assert market.counts["qc"]["dropped"] == {"conflict": 2}


def test_ids_are_the_files_own_or_stable(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", full(many()))
    assert set(everything(read(file, params(FULL)))["id"]) == {f"qc-id{n}" for n in range(400)}
    made = everything(read(file, params()))
    assert set(made["id"]) == {f"qc-{n:07}" for n in range(1, 401)}
    assert made.filter(id="qc-0000008")["query"].to_list() == ["query 3"]
    write(tmp_path / "b.csv", [row | {"query": f"{row['query']} b"} for row in many()])
    both = everything(read(tmp_path, params({"rows": "*.csv"})))
    assert {"qc-a.csv-0000001", "qc-b.csv-0000001"} < set(both["id"])


# --- splits ---


def test_queries_are_cut_whole_and_stratified(tmp_path: Path) -> None:
    rows = [
        {
            "query": f"q{n // 5}",
            "candidate": f"c{n % 40}",
            "label": int(n // 5 % 10 < 7),
            "language": ["en", "de", "ja"][n // 5 % 3],
        }
        for n in range(9000)
    ]
    rows += [row | {"query": row["query"].upper() + "!", "language": "fr"} for row in rows[::50]]
    found = everything(read(write(tmp_path / "a.csv", rows), params()))
    assert found.group_by("group").agg(pl.col("split").n_unique())["split"].max() == 1
    assert (
        found.filter(pl.col("query").str.ends_with("!"))["group"]
        .is_in(found.filter(language="en")["group"].implode())
        .any()
    )
    shares = found.group_by("language").agg((pl.col("split") == split).mean().alias(split) for split in ("dev", "test"))
    for language in ("en", "de", "ja"):
        part = shares.row(by_predicate=pl.col("language") == language, named=True)
        assert part["dev"] == pytest.approx(0.10, abs=0.02)
        assert part["test"] == pytest.approx(0.15, abs=0.02)
    positive = found.group_by("language", "split").agg(pl.col("label").mean()).filter(pl.col("language") != "fr")
    assert positive["label"].min() > 0.66
    assert positive["label"].max() < 0.74


def test_the_cut_follows_the_seed_and_nothing_else(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", many())
    one, again, other = (everything(read(file, params(), seed)) for seed in (1, 1, 2))
    assert one.equals(again)
    assert not one.equals(other)


def test_held_out_languages_are_in_no_training_row(tmp_path: Path) -> None:
    rows = many() + [row | {"language": "fr"} for row in many()[::40]]  # queries in two languages
    market = read(write(tmp_path / "a.csv", rows), params(split={"holdout_languages": ["de"]}))
    check(market)
    found = everything(market)
    assert found.height == len(rows) - 3  # every third of them is the same row again
    assert set(found.filter(split="train")["language"]) == {"en", "fr"}
    assert set(found.filter(language="de")["split"]) == {"dev", "test"}


def test_splits_of_a_column_are_kept(tmp_path: Path) -> None:
    rows = full(many())
    found = everything(read(write(tmp_path / "a.csv", rows), params(FULL)))
    given_ = {f"qc-{row['id']}": row["split"] for row in rows}
    assert dict(found.select("id", "split").iter_rows()) == given_


def test_a_held_out_language_leaves_a_given_train(tmp_path: Path) -> None:
    market = read(write(tmp_path / "a.csv", full(many())), params(FULL, {"holdout_languages": ["de"]}))
    gone = sum(row["language"] == "de" and row["split"] == "train" for row in full(many()))
    assert market.counts["qc"]["dropped"] == {"holdout_language": gone}


def test_splits_of_files(tmp_path: Path) -> None:
    rows = full(many())
    for split in ("train", "dev", "test"):
        write(tmp_path / f"{split}.csv", [row for row in rows if row["split"] == split])
    patterns = {"rows": "", "train": "train.csv", "dev": "dev.csv", "test": "test.csv"}
    found = everything(read(tmp_path, params(patterns)))
    assert found.group_by("split").len().sort("split").rows() == [("dev", 80), ("test", 80), ("train", 240)]


def test_dev_is_cut_from_train_where_the_files_have_none(tmp_path: Path) -> None:
    rows = full(many())
    for row in rows:
        row["split"] = row["split"].replace("dev", "train")
    found = everything(read(write(tmp_path / "a.csv", rows), params(FULL)))
    sizes = dict(found.group_by("split").len().iter_rows())
    assert sizes["test"] == 80
    assert sizes["dev"] == pytest.approx(32, abs=6)


def test_leaks_are_an_error_or_leave_train(tmp_path: Path) -> None:
    leak = extra(query="QUERY 9!", split="train", id="leak")  # query 9 is in test
    file = write(tmp_path / "a.csv", [*full(many()), leak])
    with pytest.raises(
        InputError, match=r"(?s)1 rows have .*a\.csv, row 401: the query 'QUERY 9!' is in train, and in test"
    ):
        read(file, params(FULL))
    market = read(file, params(FULL, {"leaks": "drop"}))
    check(market)
    assert market.counts["qc"]["dropped"] == {"leak": 1}


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("conflicts", ["keep", "drop", "majority"])
def test_the_same_pair_in_train_and_test_is_a_leak_whatever_its_labels(
    tmp_path: Path, conflicts: str, label: int
) -> None:
    train = [extra(split="train", id=f"train {n}", label=label) for n in range(2)]
    file = write(tmp_path / "a.csv", [*train, *full(many()), extra(split="test", id="test")])
    with pytest.raises(InputError, match=r"2 rows have .*\n.*row 1: the query 'odd one' is in train, and in test too"):
        read(file, params(FULL, conflicts=conflicts))
    market = read(file, params(FULL, {"leaks": "drop"}, conflicts=conflicts))
    assert everything(market).filter(query="odd one").select("id", "split").rows() == [("qc-test", "test")]
    assert market.counts["qc"]["dropped"] == {"leak": 2}


def test_a_query_in_train_and_test_is_a_leak_where_dev_is_cut_from_train_too(tmp_path: Path) -> None:
    rows = [row | {"split": row["split"].replace("dev", "train")} for row in full(many())]
    file = write(tmp_path / "a.csv", [*rows, extra(query="QUERY 9!", split="train", id="leak")])
    with pytest.raises(InputError, match="1 rows have a query that another split holds"):
        read(file, params(FULL))
    assert read(file, params(FULL, {"leaks": "drop"})).counts["qc"]["dropped"] == {"leak": 1}


def test_what_is_in_a_file_without_splits_joins_its_pair_in_train_as_a_duplicate(tmp_path: Path) -> None:
    rows = full(many())
    for split in ("train", "dev", "test"):
        write(tmp_path / f"{split}.csv", [row for row in rows if row["split"] == split])
    write(tmp_path / "more.csv", [row for row in rows if row["split"] == "train"][:3])
    patterns = {"rows": "more.csv", "train": "train.csv", "dev": "dev.csv", "test": "test.csv"}
    market = read(tmp_path, params(patterns))
    assert market.counts["qc"]["dropped"] == {"duplicate": 3}


def test_a_query_of_both_tasks_is_in_one_split(tmp_path: Path) -> None:
    qc, qi = write(tmp_path / "qc.csv", full(many())), write(tmp_path / "qi.csv", many())
    values = params().model_dump() | {"tasks": ["qc", "qi"], "qc": TASK | {"columns": COLUMNS | FULL["columns"]}}
    market = files.read({"qc": qc, "qi": qi}, section(FilesParams, {"files": values}, "files", None), 1)
    check(market)
    where = dict(everything(market).select("group", "split").iter_rows())
    assert dict(everything(market, "qi").select("group", "split").iter_rows()) == where


@pytest.mark.parametrize("given", ["qc", "none"])
def test_a_task_without_splits_gets_its_own_whatever_the_other_has(tmp_path: Path, given: str) -> None:
    other = [row | {"query": f"other {row['query']}"} for row in many()]
    qc, qi = write(tmp_path / "qc.csv", full(many())), write(tmp_path / "qi.csv", other)
    columns = COLUMNS | (FULL["columns"] if given == "qc" else {})
    values = params().model_dump() | {"tasks": ["qc", "qi"], "qc": TASK | {"columns": columns}}
    market = files.read({"qc": qc, "qi": qi}, section(FilesParams, {"files": values}, "files", None), 1)
    shares = dict(everything(market, "qi")["split"].value_counts(normalize=True).iter_rows())
    assert shares == pytest.approx({"train": 0.75, "dev": 0.1, "test": 0.15}, abs=0.03)


def test_a_test_row_stays_in_test_where_the_other_task_has_its_query_in_train(tmp_path: Path) -> None:
    rows = full(many())
    asked = next(row["query"] for row in rows if row["split"] == "test")
    qi = write(tmp_path / "qi.csv", rows)
    qc = write(tmp_path / "qc.csv", [row | {"split": "train"} if row["query"] == asked else row for row in rows])
    columns = {"columns": COLUMNS | FULL["columns"]}
    split = SPLIT | {"leaks": "drop"}
    values = params().model_dump() | {"tasks": ["qc", "qi"], "qc": TASK | columns, "qi": TASK | columns, "split": split}
    market = files.read({"qc": qc, "qi": qi}, section(FilesParams, {"files": values}, "files", None), 1)
    check(market)
    assert everything(market, "qc").filter(query=asked).is_empty()
    assert everything(market, "qi").filter(query=asked)["split"].to_list() == ["test", "test"]


def test_a_split_without_both_classes_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"qc: train has \d+ rows, and not both relevant and irrelevant pairs"):
        read(write(tmp_path / "a.csv", [row | {"label": 1} for row in many()]), params())


# --- what holds of all ---


def test_no_row_is_lost_without_being_counted(tmp_path: Path) -> None:
    rows = [
        *full(many()),
        *(row | {"id": f"x{n}"} if "id" not in row else row for n, (row, _, _) in enumerate(BROKEN_ROWS.values())),
    ]
    rows += [extra(id="n1", split="train", candidate=None), extra(id="n2", split="train", label=None)]
    rows += [extra(id=f"c{n}", split="train", query="both", label=n % 2) for n in range(5)]
    rows += [extra(id="l1", split="train", query="query 9")]
    for row in rows:
        row.setdefault("split", "train")
    file = write(tmp_path / "a.csv", rows)
    file.write_text(file.read_text(encoding="utf-8") + "ragged\n\n", encoding="utf-8")
    labels = {"missing": "drop"}
    market = read(file, params(FULL | {"labels": labels}, {"leaks": "drop"}, conflicts="majority"))
    found = market.counts["qc"]
    assert found["read"] == len(rows) + 1
    assert found["read"] == found["kept"] + sum(found["dropped"].values())
    assert found["kept"] == everything(market).height
    assert set(found["dropped"]) == {
        *BROKEN_ROWS,
        "ragged",
        "missing_candidate",
        "missing_label",
        "conflict",
        "duplicate",
        "leak",
    }
    assert market.dropped is not None
    assert market.dropped.height == found["bad"] == len(BROKEN_ROWS) + 1
    assert statistics(market)["left_out"]["qc"] == found


def test_rows_and_candidates_keep_the_contract(tmp_path: Path) -> None:
    own = [row | {"candidate": f"{row['candidate']} of {row['query']}"} for row in many()]  # each in one split
    market = read(write(tmp_path / "a.csv", own + many()), params())
    check(market)
    data = market.tasks["qc"]
    everywhere = everything(market)
    assert set(data.candidates["candidate"]) == set(everywhere["candidate"])
    only_held_out = set(everywhere["candidate"]) - set(data.train["candidate"])
    assert len(only_held_out) > 50
    assert set(data.candidates.filter(~pl.col("in_train"))["candidate"]) == only_held_out
    assert set(market.texts["text"]) == {*data.train["query"], *data.train["candidate"]}


@given(st.lists(st.text(max_size=12), min_size=1, max_size=20))
def test_keys_are_key_of_each(texts: list[str]) -> None:
    texts = [text for text in texts if text.isascii() or text.isprintable()]  # known to Python's Unicode
    assert keys(pl.Series(texts, dtype=pl.String)).to_list() == [key(text) for text in texts]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@pytest.mark.parametrize("name", FORMATS)
@given(data=BYTES)
def test_no_input_makes_anything_but_an_input_error(scratch: Path, name: str, data: bytes) -> None:
    (scratch / "a").write_bytes(data)
    with at_most(120), suppress(InputError):
        check(read(scratch / "a", params(FORMATS[name][1], max_bad_share=0.9)))


CELLS = st.one_of(st.none(), st.text(max_size=8), st.sampled_from(["1", "0", "en", "vn", "train", "a", "b"]))


@given(
    rows=st.lists(
        st.fixed_dictionaries(dict.fromkeys(("query", "candidate", "label", "language", "id"), CELLS)), max_size=25
    )
)
def test_whatever_the_cells_every_row_is_kept_or_counted(scratch: Path, rows: Rows) -> None:
    good = [row | {"id": f"good {n}"} for n, row in enumerate(many())]
    file = scratch / "rows.parquet"
    pl.DataFrame(good + rows, schema=dict.fromkeys(good[0], pl.String), strict=False).write_parquet(file)
    market = read(file, params({"format": "parquet", "columns": {"id": "id"}}))
    check(market)
    found = market.counts["qc"]
    assert found["read"] == len(good + rows) == everything(market).height + sum(found["dropped"].values())


# --- the stage ---


@pytest.fixture
def prepare(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs the stage on `pairs.csv` in an empty folder."""
    monkeypatch.chdir(tmp_path)
    values = read_params(NANO)

    def run(rows: Rows, **changes: Any) -> Any:  # noqa: ANN401
        write(Path("pairs.csv"), rows)
        values["prepare"] |= {"source": "files", "files": params(**changes).model_dump()}
        YAML(typ="safe", pure=True).dump(values, Path("params.yaml"))
        paths = ["--original", "data/original", "--catalogue", "data/catalogue", "--metrics", "metrics.json"]
        return CliRunner().invoke(main, ["--qc", "pairs.csv", "--qi", "pairs.csv", *paths])

    return run


def test_the_stage_writes_the_contract_and_the_dropped_rows(prepare: Callable[..., Any]) -> None:
    result = prepare([*many(), extra(label="maybe")], max_bad_share=0.01)
    assert result.exit_code == 0, result.output
    dropped = pl.read_csv("data/original/dropped.csv")
    assert dropped.select("file", "row", "line", "column", "value").rows() == [
        ("pairs.csv", 401, 402, "label", "maybe")
    ]
    metrics = read_json(Path("metrics.json"))
    assert metrics["left_out"]["qc"]["dropped"] == {"bad_label": 1}
    assert pl.read_parquet("data/original/qc/truth/groups.parquet").height == 0


def test_the_stage_writes_nothing_where_too_many_rows_are_bad(prepare: Callable[..., Any]) -> None:
    result = prepare([*many(), extra(label="maybe")], max_bad_share=0.0)
    assert result.exit_code == 1
    assert "pairs.csv, row 401 (line 402), column 'label': 'maybe'" in result.output
    assert not Path("data").exists()


def test_params_have_just_the_tasks_of_the_files(root: Path, tmp_path: Path) -> None:
    values = read_params(NANO)
    values["prepare"] |= {"source": "files", "files": params().model_dump()}
    YAML(typ="safe", pure=True).dump(values, tmp_path / "params.yaml")
    with pytest.raises(InputError, match=r"tasks\.qi: the source 'files' has no such task, only qc"):
        check_params(tmp_path / "params.yaml")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"language": "en"}, "give columns.language or language"),
        ({"columns": {"language": ""}}, "give columns.language or language"),
        ({"columns": {"language": ""}, "language": "english"}, "no code of ISO 639-1"),
        ({"labels": {"negative": ["YES"]}}, "'yes' is positive and negative"),
        ({"labels": {"negative": []}}, "without positive_from"),
        ({"encoding": "base64"}, "no such encoding"),
        ({"delimiter": "\n"}, "a character that ends a line"),
        ({"rows": ""}, "give rows or train"),
    ],
)
def test_params_that_cannot_be_meant(change: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        params(change)


def test_rows_are_counted_by_file_and_files_not_read_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "input"
    folder.mkdir()
    rows = many()
    write(folder / "a.csv", [*rows, extra(label="maybe")])
    write(folder / "b.csv", [extra(query=f"tent {n}", label=n % 2) for n in range(5)])
    (folder / "c.xlsx").write_bytes(b"PK")
    counts = read(folder, params({"rows": "*.csv"})).counts["qc"]
    assert counts["files"] == {
        "a.csv": {"lines": len(rows) + 2, "read": len(rows) + 1, "kept": len(rows), "dropped": {"bad_label": 1}},
        "b.csv": {"lines": 6, "read": 5, "kept": 5, "dropped": {}},
    }
    assert counts["not_read"] == {"c.xlsx": "this format is not read"}
    assert list(not_read({"qc": counts})) == ["qc: c.xlsx is not read: this format is not read"]
    assert counts["read"] == sum(file["read"] for file in counts["files"].values())


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("last", [True, False])
def test_physical_lines_are_counted(tmp_path: Path, end: str, encoding: str, last: bool) -> None:
    lines = ["query,candidate,label,language", '"red', 'lamp",b,1,en', "", "c,d,0,en"]
    (tmp_path / "a.csv").write_bytes((end.join(lines) + (end if last else "")).encode(encoding))
    found = input_files({"qc": tmp_path / "a.csv"}, params({"encoding": encoding}))
    assert found["qc"]["files"] == {"a.csv": {"lines": 5}}


@pytest.mark.parametrize("size", [{"records": 11}, {"records": 9}, {"lines": 9}])
def test_files_that_do_not_tally_are_refused(size: dict[str, int]) -> None:
    counts = {"files": {"a.csv": {"read": 10, "kept": 10, "dropped": {}}}}
    with pytest.raises(InputError, match=r"a\.csv: .* but 10 rows were read"):
        with_sizes("qc", counts, {"files": {"a.csv": size}, "not_read": {}})


@pytest.mark.parametrize(("limit", "expected"), [(10, {"long_query": 1}), (11, {})])
def test_the_longest_query_is_a_param(tmp_path: Path, limit: int, expected: dict[str, int]) -> None:
    file = write(
        tmp_path / "a.csv", [*(row | {"query": f"q {n // 2}"} for n, row in enumerate(many())), extra(query="a" * 11)]
    )
    assert read(file, params(longest_query=limit)).counts["qc"]["dropped"] == expected
