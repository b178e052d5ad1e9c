"""`pairs.formats` and the readers: a file gives what it says, or an error, whatever its dialect and encoding."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from babelshelf.core.errors import InputError
from babelshelf.pairs.encodings import check_scripts
from babelshelf.pairs.formats import as_params, detect, detect_all
from babelshelf.pairs.guesses import Outcome, resolve
from babelshelf.pairs.readers import read_file

QUOTE = '"'
NAMES = ["query", "candidate", "label", "lang"]
ROWS = [
    (f"{brand} kettle {number}", f"Home > Kitchen > {kind}", str(number % 2), "en")
    for number in range(30)
    for brand, kind in (("steel", "Kettles"), ("glass", "Tea sets"))
]


def load(path: Path, names: list[str] | None = None, **asked: Any) -> list[tuple[str | None, ...]]:  # noqa: ANN401
    """All rows as `init` would read them."""
    settings = as_params(detect(path, **asked).how, {})
    wanted = {f"kept.{name}": name for name in names or NAMES}
    rows = read_file(path, settings, wanted)
    assert rows["problem"].null_count() == rows.height, rows
    return rows.select(pl.col(list(wanted)).replace("", None)).rows()


def as_csv(rows: list[tuple[str, ...]], names: list[str] | None = None, **options: Any) -> str:  # noqa: ANN401
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n", **options).writerows([names or NAMES, *rows])
    return stream.getvalue()


def odd(text: str) -> list[tuple[str, ...]]:
    """Rows of which every third has a text of its own."""
    return [(f"{text} {n}" if n % 3 == 0 else row[0], *row[1:]) for n, row in enumerate(ROWS)]


# --- dialects ---


@pytest.mark.parametrize("delimiter", ["\t", ",", ";", "|", "\x01", "~", "::"])
def test_delimiters(tmp_path: Path, delimiter: str) -> None:
    lines = [delimiter.join(row) for row in [NAMES, *ROWS]]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert load(tmp_path / "a.csv") == ROWS


@pytest.mark.parametrize("quoting", [csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC])
@pytest.mark.parametrize("text", ['lid 20" wide', "lid, 20 wide", 'say "hi", you', "it's, mine", 'two\nlines "x"'])
def test_single_and_double_quotes(tmp_path: Path, text: str, quoting: int) -> None:
    for quote in "\"'":
        rows = odd(text)
        (tmp_path / "a.csv").write_text(as_csv(rows, quotechar=quote, quoting=quoting), encoding="utf-8")
        assert load(tmp_path / "a.csv") == rows


@pytest.mark.parametrize("text", ['lid 20" wide', '5" or 6"', '"quoted" lid', 'x", y', 'ends with 6"'])
def test_quotes_that_a_backslash_escapes(tmp_path: Path, text: str) -> None:
    rows = odd(text)
    lines = [",".join('"' + cell.replace('"', '\\"') + '"' for cell in row) for row in [tuple(NAMES), *rows]]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert load(tmp_path / "a.csv") == rows


def test_a_backslash_before_a_delimiter_and_paths_of_windows(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("query,label\n" + "red\\, blue,1\ngreen,0\n" * 20, encoding="utf-8")
    assert load(tmp_path / "a.csv", ["query", "label"]) == [("red, blue", "1"), ("green", "0")] * 20
    (tmp_path / "b.csv").write_text('query,label\n"C:\\new\\table, x",1\ngreen,0\n', encoding="utf-8")
    assert load(tmp_path / "b.csv", ["query", "label"]) == [("C:\\new\\table, x", "1"), ("green", "0")]


@pytest.mark.parametrize("text", ["\\\n5 lamps", "\\\nC:'", "a\\\n'b'"])
def test_single_quotes_around_a_backslash_that_ends_a_line(tmp_path: Path, text: str) -> None:
    rows = [(text, *row[1:]) if n % 2 else (f"it's {n}", *row[1:]) for n, row in enumerate(ROWS)]
    (tmp_path / "a.csv").write_text(as_csv(rows, quotechar="'"), encoding="utf-8")
    guesses = detect(tmp_path / "a.csv").guesses
    assert load(tmp_path / "a.csv", escape="") == rows
    assert guesses or load(tmp_path / "a.csv") == rows


@pytest.mark.parametrize("quote", ['"', "'"])
def test_quotes_around_few_cells_that_need_none_are_a_question(tmp_path: Path, quote: str) -> None:
    text = f"{quote}air max{quote}"
    rows = [(text, *row[1:]) if n % 3 else row for n, row in enumerate(ROWS)]
    lines = ["\t".join(row) for row in [tuple(NAMES), *rows]]
    (tmp_path / "a.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    guesses = detect(tmp_path / "a.tsv").guesses
    assert [guess.outcome for guess in guesses] in ([Outcome.UNSURE], []), guesses
    assert guesses or load(tmp_path / "a.tsv") == rows
    assert quote == "'" or "--quote none" in guesses[0].question
    assert load(tmp_path / "a.tsv", quote="") == rows
    assert load(tmp_path / "a.tsv", quote=quote)[1][0] == "air max"


@pytest.mark.parametrize("text", ["", " lamp ", '5" lamp', "lamp\t5"])
@pytest.mark.parametrize("column", [0, 1])
def test_quotes_of_cells_that_need_them_or_of_whole_columns_are_sure(tmp_path: Path, text: str, column: int) -> None:
    rows = [(*row[:column], text, *row[column + 1 :]) if n % 3 else row for n, row in enumerate(ROWS)]
    needed = ["\t".join(f'"{c.replace(QUOTE, QUOTE * 2)}"' if c == text else c for c in row) for row in rows]
    (tmp_path / "a.tsv").write_text("\n".join(["\t".join(NAMES), *needed]) + "\n", encoding="utf-8")
    assert detect(tmp_path / "a.tsv").guesses == []
    whole = ["\t".join(f'"{c}"' if n == column else c for n, c in enumerate(row)) for row in ROWS]
    (tmp_path / "b.tsv").write_text("\n".join(["\t".join(NAMES), *whole]) + "\n", encoding="utf-8")
    assert detect(tmp_path / "b.tsv").guesses == []
    assert load(tmp_path / "b.tsv") == ROWS
    (tmp_path / "b.tsv").write_text("\n".join(["\t".join(NAMES), *whole, "NA\tNA\t1\ten"]) + "\n", encoding="utf-8")
    assert detect(tmp_path / "b.tsv").guesses == []  # R quotes all texts but NA


WRITERS: list[dict[str, Any]] = [
    {"doublequote": False},
    {"doublequote": True},
    {"doublequote": False, "quotechar": "'"},
    {"quoting": csv.QUOTE_NONE},
]
TWO_READINGS = [r"C:\new", r"\\shop\share", '5" tent', 'a \\" b', r"\\\\", "it's 5\""]


@pytest.mark.parametrize("options", WRITERS)
@pytest.mark.parametrize("text", TWO_READINGS)
def test_escapes_are_read_or_asked_for_and_the_answer_gives_the_rows(
    tmp_path: Path, text: str, options: dict[str, Any]
) -> None:
    rows = odd(text)
    (tmp_path / "a.csv").write_text(as_csv(rows, escapechar="\\", **options), encoding="utf-8")
    unsure = [guess for guess in detect(tmp_path / "a.csv").guesses if guess.outcome is Outcome.UNSURE]
    assert load(tmp_path / "a.csv", escape="\\") == rows
    assert unsure or load(tmp_path / "a.csv") == rows
    assert all(guess.subject == "backslashes" and guess.value == "escapes" for guess in unsure)


@pytest.mark.parametrize("text", [r"\\shop\share", "5\\'", r"a \\ b", '5\\" tent'])
def test_a_text_that_may_be_an_escape_is_a_question_wherever_it_is(tmp_path: Path, text: str) -> None:
    for before in (3, 40_000):  # the dialect is detected from the start of a file
        lines = [f"lamp {n},Home > Kitchen,1,en" for n in range(before)]
        lines += [f"{text} {n},Home > Lamps,0,en" for n in range(3)]
        (tmp_path / "a.csv").write_text("\n".join([",".join(NAMES), *lines]) + "\n", encoding="utf-8")
        (guess,) = detect(tmp_path / "a.csv").guesses
        assert guess.outcome is Outcome.UNSURE
        assert f"the text [{text} 0] may stand for" in guess.question
        assert load(tmp_path / "a.csv", escape="")[before][0] == f"{text} 0"
        meant = text.replace("\\\\", "\0").replace("\\'", "'").replace('\\"', '"').replace("\0", "\\")
        assert load(tmp_path / "a.csv", escape="\\")[before][0] == f"{meant} 0"


def test_escapes_after_the_start_that_fit_in_one_reading_are_taken(tmp_path: Path) -> None:
    lines = [f'"lamp {n}","Home, Kitchen",1,en' for n in range(40_000)]
    lines += [f'"lid {n}\\" wide","Home, Lids",0,en' for n in range(9)]
    (tmp_path / "a.csv").write_text("\n".join([",".join(NAMES), *lines]) + "\n", encoding="utf-8")
    assert detect(tmp_path / "a.csv").guesses == []
    assert load(tmp_path / "a.csv")[-1] == ('lid 8" wide', "Home, Lids", "0", "en")


@pytest.mark.parametrize("text", [r"C:\new", r"AC\DC", r"red \ blue", "tent \\", r"\o/", r"50\50\n", r"a \; b"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_ALL, csv.QUOTE_MINIMAL])
def test_a_backslash_before_another_letter_is_text(tmp_path: Path, text: str, quoting: int) -> None:
    rows = [(text, *row[1:]) if n % 3 == 0 else row for n, row in enumerate(ROWS)]
    (tmp_path / "a.csv").write_text(as_csv(rows, quoting=quoting), encoding="utf-8")
    assert detect(tmp_path / "a.csv").guesses == []
    assert load(tmp_path / "a.csv") == rows


def test_of_several_files_those_with_backslashes_say_whether_they_escape(tmp_path: Path) -> None:
    lines = {"a": "lamp,Home,1,en", "b": r'"5\" tent, red",Home,0,en', "c": r"AC\DC,Home,1,en"}
    for name, line in lines.items():
        (tmp_path / name).write_text(f"{','.join(NAMES)}\n" + f"{line}\n" * 9, encoding="utf-8")
    for first, second in ("ab", "ba"):
        assert detect_all([tmp_path / first, tmp_path / second]).how["escape"] == "\\"
    with pytest.raises(InputError, match="c: escape is ''"):
        detect_all([tmp_path / "b", tmp_path / "c"])
    assert detect_all([tmp_path / "b", tmp_path / "c"], escape="\\").how["escape"] == "\\"


@pytest.mark.parametrize("line", ['kettle,"lid 20\\", wide",1,en', 'kettle,"lid "20" wide",1,en', 'a,"b" c,1,en'])
def test_a_wrong_quote_is_an_error_and_swallows_no_row(tmp_path: Path, line: str) -> None:
    lines = [",".join(NAMES), *(line if n % 3 == 0 else 'steel pot,"Home, Pots",0,en' for n in range(60))]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    how = {"format": "csv", "quote": '"', "escape": ""}
    try:
        rows = read_file(tmp_path / "a.csv", as_params(how, {}), {"query": "query"})
    except InputError:
        return
    assert rows.height == 60


@pytest.mark.parametrize("opens", ["lamp 0", "lamp 7", "lamp 30"])
def test_a_quote_that_holds_whole_records_is_an_error(tmp_path: Path, opens: str) -> None:
    lines = ["query,candidate,label,lang", *(f"lamp {n},floor lamp,1,en" for n in range(40))]
    start = lines.index(f"{opens},floor lamp,1,en")
    lines[start] = f'{opens},"floor lamp,1,en'
    lines[start + 1] = 'lamp,floor 6",1,en'
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match="holds whole records"):
        read_file(tmp_path / "a.csv", as_params({"format": "csv"}, {}), {"query": "query"})


def test_a_text_of_several_lines_with_as_many_delimiters_as_a_record_is_no_swallowed_one(tmp_path: Path) -> None:
    texts = ["coat, red, long\nwarm, soft", "coat, red\nwarm, soft", "red coat"]
    rows = [(f"coat {n}" + ", red" * (n % 2), texts[n % 3], str(n % 2), "en") for n in range(40)]
    (tmp_path / "a.csv").write_text(as_csv(rows), encoding="utf-8")
    assert load(tmp_path / "a.csv") == rows


# --- headers ---


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda text: "".join(
            f"{'' if not n else n - 1},{line}\n" for n, line in enumerate(text.splitlines())
        ),  # pandas
        lambda text: "".join(f"{line},\n" for line in text.splitlines()),
        lambda text: "sep=,\n" + text,
        lambda text: "Export of 3 May 2024\n" + text,
        lambda text: "Export of 3 May 2024,,,\n\n" + text,
        lambda text: "\n\n" + text,
        lambda text: "".join(
            f"{line},{'note' if not n else 'x'},{'note' if not n else 'y'}\n"
            for n, line in enumerate(text.splitlines())
        ),
        lambda text: "\ufeff" + text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
    ],
)
def test_header_forms(tmp_path: Path, rewrite: Callable[[str], str]) -> None:
    rows = odd("red, blue")
    (tmp_path / "a.csv").write_bytes(rewrite(as_csv(rows)).encode())
    assert load(tmp_path / "a.csv") == rows


@pytest.mark.parametrize(
    "rows",
    [
        [(f"red shoe {n}", f"Shoes {n}", str(n % 2), "en") for n in range(9)],
        [(f"red shoe {n}", f"Shoes {n}", ("E", "I")[n % 2]) for n in range(9)],
        [("de", f"lampe {n}", f"Stehlampe {n}") for n in range(9)],
        [(str(n), f"lampe {n}", f"Stehlampe {n}", "0.5") for n in range(9)],
    ],
)
def test_a_file_without_a_header_is_refused_with_the_option(tmp_path: Path, rows: list[tuple[str, ...]]) -> None:
    (tmp_path / "a.csv").write_text("\n".join(map(",".join, rows)) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"looks like data and not like names .* --header"):
        detect(tmp_path / "a.csv")
    names = ["one", "two", "three", "four"][: len(rows[0])]
    assert load(tmp_path / "a.csv", names, header=names) == rows
    with pytest.raises(InputError, match="--header has 1 names"):
        detect(tmp_path / "a.csv", header=["one"])


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        (
            "a.csv",
            "query,candidate,label\n" + "a,b,1,\n" * 9,
            r"header has 3 names, but 100% of the rows have 4 .*'a,b,1,'",
        ),
        ("a.csv", "q\tc\tlabel\n" + "5\ta\tb\t1\n" * 9, r"header has 3 names.*first bad row"),
        ("a.jsonl", '["a", "b", 1]\n["c", "d", 0]\n', "a JSON array: write one object a line"),
        ("a.jsonl", "{'q': 'a'}\n{'q': 'b'}\n", r"no row can be read .* row 1 \(line 1\)"),
    ],
)
def test_where_every_row_is_bad_the_first_is_shown(tmp_path: Path, name: str, content: str, expected: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=expected):
        load(tmp_path / name, ["q"])


# --- encodings ---

TEXTS = {
    "gb18030": ["红色运动鞋", "蓝色连衣裙", "儿童书包", "厨房刀具套装", "无线蓝牙耳机"],
    "shift_jis": ["赤いランニングシューズ", "子供用の傘", "ステンレス鍋", "革の財布メンズ", "ワイヤレスイヤホン"],
    "euc_kr": ["빨간 운동화", "여성 가방", "무선 이어폰", "어린이 우산", "스테인리스 냄비"],
    "cp1250": ["żółta sukienka", "buty dziecięce męskie", "łóżko drewniane", "ręcznik kąpielowy", "świąteczne ozdoby"],
    "cp1251": ["красные кроссовки", "детский рюкзак", "беспроводные наушники", "зимняя куртка", "кожаный кошелек"],
    "cp1253": ["κόκκινα παπούτσια", "παιδική τσάντα", "ασύρματα ακουστικά", "δερμάτινο πορτοφόλι", "ξύλινο κρεβάτι"],
    "cp1252": ["größere Hüllen", "grüne Schüssel", "weiße Söckchen", "Küchenmöbel", "Fußball für Mädchen"],
    "cp1255": ["נעלי ספורט אדומות", "תיק לילדים", "אוזניות אלחוטיות", "ארנק עור", "מיטת עץ"],
    "cp874": ["รองเท้าผ้าใบสีแดง", "กระเป๋าเด็ก", "หูฟังไร้สาย", "กระเป๋าสตางค์หนัง", "เตียงไม้"],
}
OF = {"gb18030": "zh", "shift_jis": "ja", "euc_kr": "ko", "cp1250": "pl", "cp1251": "ru"}
OF |= {"cp1253": "el", "cp1252": "de", "cp1255": "he", "cp874": "th"}


@pytest.mark.parametrize("encoding", TEXTS)
def test_legacy_encodings_are_told_and_shown_with_two_rows(tmp_path: Path, encoding: str) -> None:
    rows = [(f"{text} {n}", text, str(n % 2), OF[encoding]) for n in range(20) for text in TEXTS[encoding]]
    (tmp_path / "a.csv").write_bytes(as_csv(rows).encode(encoding))
    assert load(tmp_path / "a.csv") == rows
    (guess,) = detect(tmp_path / "a.csv").guesses
    assert guess.line.startswith("check: encoding: ")
    assert f"{TEXTS[encoding][0]} 0" in guess.line
    assert "--encoding NAME changes it" in guess.line


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
@pytest.mark.parametrize("text", ["plain", "größer", "红色 鞋"])
def test_unicode_is_certain(tmp_path: Path, encoding: str, text: str) -> None:
    rows = odd(text)
    (tmp_path / "a.csv").write_bytes(as_csv(rows).encode(encoding))
    assert load(tmp_path / "a.csv") == rows
    assert detect(tmp_path / "a.csv").guesses == []


def test_what_comes_late_in_a_file_decides_too(tmp_path: Path) -> None:
    rows = [("plain kettle", "Home", "1", "en")] * 60_000 + [("größere Hülle für Mädchen", "Küche", "0", "de")]
    (tmp_path / "a.csv").write_bytes(as_csv(rows).encode("cp1252"))
    assert load(tmp_path / "a.csv") == rows


def test_an_encoding_that_is_said_is_taken_and_a_wrong_name_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(as_csv(odd("Ľudové čižmy")).encode("iso8859_2"))
    assert load(tmp_path / "a.csv", encoding="iso8859_2") == odd("Ľudové čižmy")
    with pytest.raises(InputError, match="Python knows no encoding 'klingon'"):
        detect(tmp_path / "a.csv", encoding="klingon")


def test_files_that_are_written_in_different_ways_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(as_csv(odd("größer, besser")).encode("utf-8"))
    (tmp_path / "b.csv").write_bytes(as_csv(odd("größer, besser für Mädchen")).encode("cp1252"))
    (tmp_path / "c.csv").write_bytes(as_csv(ROWS, delimiter=";").encode())
    with pytest.raises(InputError, match=r"b\.csv: encoding is 'cp1252', but 'utf-8' in .*a\.csv"):
        detect_all([tmp_path / "a.csv", tmp_path / "b.csv"])
    with pytest.raises(InputError, match=r"c\.csv: delimiter is ';'"):
        detect_all([tmp_path / "a.csv", tmp_path / "c.csv"])


@pytest.mark.parametrize(("language", "encoding"), [("zh", "gb18030"), ("ja", "shift_jis"), ("ru", "cp1251")])
def test_a_language_without_a_letter_of_its_script_is_an_error(language: str, encoding: str) -> None:
    texts = pl.Series(TEXTS[encoding] * 9)
    strange = pl.Series([text.encode(encoding).decode("latin-1") for text in texts])
    table = pl.DataFrame({"language": [language] * len(texts), "query": strange, "candidate": strange})
    with pytest.raises(InputError, match=rf"{language}: next to no row has a letter of the language's script"):
        check_scripts(table)
    check_scripts(table.with_columns(query=texts, candidate=texts))
    check_scripts(table.with_columns(query=pl.lit("usb cable"), candidate=pl.lit("usb cable")))  # English in Japan


# --- JSON ---

OBJECTS = [{"query": f"tent {n}", "candidate": "Camping > Tents", "label": n % 2, "lang": "en"} for n in range(9)]
AS_ROWS = [(f"tent {n}", "Camping > Tents", str(n % 2), "en") for n in range(9)]


@pytest.mark.parametrize(
    "write",
    [
        json.dumps,
        lambda rows: json.dumps(rows, indent=2),
        lambda rows: json.dumps({"total": 9, "rows": rows, "next": None}),
        lambda rows: json.dumps({"total": 9, "rows": rows}, indent=1),
        lambda rows: "\n".join(json.dumps(row, indent=2) for row in rows),
        lambda rows: "".join(json.dumps(row | {"price": float("nan"), "tags": [{"a": 1}]}) + "\n" for row in rows),
        lambda rows: json.dumps([row | {"price": float("inf")} for row in rows], indent=1),
    ],
)
@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_json_that_is_not_lines(tmp_path: Path, write: Callable[[Any], str], name: str) -> None:
    (tmp_path / name).write_text(write(OBJECTS), encoding="utf-8")
    assert load(tmp_path / name) == AS_ROWS


def test_lists_are_levels(tmp_path: Path) -> None:
    rows = [row | {"candidate": ["Camping ", "", "Tents"]} for row in OBJECTS]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (tmp_path / "a.json").write_text(json.dumps(rows), encoding="utf-8")
    pl.DataFrame(rows).with_columns(pl.col("label").cast(pl.String)).write_parquet(tmp_path / "a.parquet")
    for name in ("a.jsonl", "a.json", "a.parquet"):
        assert load(tmp_path / name) == AS_ROWS


@pytest.mark.parametrize("value", [{"text": "tent"}, ["a", {"b": 1}], [1, 2]])
@pytest.mark.parametrize("role", ["query", "candidate", "label"])
def test_other_nested_values_are_an_error_that_names_the_key(tmp_path: Path, role: str, value: Any) -> None:  # noqa: ANN401
    rows = [row | ({role: value} if n == 5 else {}) for n, row in enumerate(OBJECTS)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with pytest.raises(InputError, match=rf"row 6 \(line 6\): the key '{role}' holds a"):
        read_file(tmp_path / "a.jsonl", as_params({"format": "jsonl"}, {}), {role: role})


def test_a_text_that_looks_like_a_list_stays_a_text(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"query": "[red] shoes"}\n{"query": "{x}"}\n', encoding="utf-8")
    assert load(tmp_path / "a.jsonl", ["query"]) == [("[red] shoes",), ("{x}",)]


# --- Parquet, Hive ---


def test_binary_columns_nan_and_hive_partitions(tmp_path: Path) -> None:
    folder = tmp_path / "language=pt-BR" / "label=1"
    folder.mkdir(parents=True)
    table = pl.DataFrame({"query": ["tênis".encode(), b"\xff\xfe", None], "score": [1.0, float("nan"), None]})
    table.write_parquet(folder / "a.parquet")
    settings = as_params({"format": "parquet"}, {})
    wanted = {"query": "query", "score": "score", "language": "language", "label": "label"}
    rows = read_file(folder / "a.parquet", settings, wanted)
    assert rows.select(list(wanted)).rows() == [
        ("tênis", "1.0", "pt-BR", "1"),
        ("\U0010ffff" * 2, None, "pt-BR", "1"),
        (None, None, "pt-BR", "1"),
    ]
    (folder / "a.csv").write_text("query,label\nx,0\n", encoding="utf-8")  # a column goes before a folder
    csv_rows = read_file(folder / "a.csv", as_params({"format": "csv"}, {}), {"language": "language", "label": "label"})
    assert csv_rows.select("language", "label").rows() == [("pt-BR", "0")]


# --- more of the same kinds ---

ALPHABETS = {  # encoding: language, texts; each pair of encodings shares most of its bytes
    "iso8859_2": ("pl", ["żółta sukienka", "świąteczne ozdoby", "źródło światła", "ćwiczenia"]),
    "cp1250": ("cs", ["žlutá bunda", "červené boty", "šátek", "křeslo"]),
    "cp1257": ("lt", ["šilta striukė", "žieminė kepurė", "ąžuolinis stalas"]),
    "cp866": ("ru", ["красные туфли", "наушники", "Кофеварка"]),
    "iso8859_5": ("ru", ["красные туфли", "наушники", "Кофеварка"]),
    "mac_cyrillic": ("ru", ["красные туфли", "наушники", "Одежда и Обувь"]),
    "koi8_r": ("bg", ["червени обувки", "слушалки", "Кафе машина"]),
    "iso8859_6": ("ar", ["حذاء أحمر", "سماعات لاسلكية", "يوم جديد"]),
    "iso8859_8": ("he", ["נעליים אדומות", "אוזניות"]),
    "mac_roman": ("fr", ["chaussures d'été", "Vêtements", "cœur à gâteau"]),
}


@pytest.mark.parametrize("encoding", ALPHABETS)
@pytest.mark.parametrize("said", [False, True])
def test_the_alphabet_of_the_language_tells_the_encoding(tmp_path: Path, encoding: str, said: bool) -> None:
    language, texts = ALPHABETS[encoding]
    cell = "" if said else language.upper()
    rows = [(f"{text} {n}", text, str(n % 2), cell) for n in range(20) for text in texts]
    (tmp_path / "a.csv").write_bytes(as_csv(rows).encode(encoding))
    expected = [(*row[:3], cell or None) for row in rows]
    assert load(tmp_path / "a.csv", language=language if said else "") == expected


def test_stray_zero_bytes_are_no_utf_16(tmp_path: Path) -> None:
    lines = as_csv(ROWS).splitlines()
    (tmp_path / "a.csv").write_text("\n".join(line + "\0" * (n % 9 == 3) for n, line in enumerate(lines)) + "\n")
    assert detect(tmp_path / "a.csv").how["encoding"] == "utf-8"


@pytest.mark.parametrize("mark", ["|", "||", "::", "~", ";"])
def test_the_mark_between_levels_is_not_taken_for_the_delimiter(tmp_path: Path, mark: str) -> None:
    rows = [(row[0], mark.join(["Home", "Kitchen", "Tea", "Sets", row[1][-4:]]), *row[2:]) for row in ROWS]
    (tmp_path / "a.csv").write_text(as_csv(rows, quoting=csv.QUOTE_NONNUMERIC))
    assert load(tmp_path / "a.csv") == rows


@pytest.mark.parametrize("title", ["Export, May", "Export, May 2024, by hand", "a,b\nc", "# made by,a tool"])
def test_lines_above_the_header_may_hold_the_delimiter(tmp_path: Path, title: str) -> None:
    (tmp_path / "a.csv").write_text(f"{title}\n{as_csv(ROWS)}")
    assert load(tmp_path / "a.csv") == ROWS


@pytest.mark.parametrize("cell", ['"steel 12" pan"', "'it's steel'", ' "steel pan"'])
def test_quotes_that_do_not_fit_are_refused(tmp_path: Path, cell: str) -> None:
    lines = [f"{cell},{row[1]},{row[2]},{row[3]}" for row in ROWS]
    (tmp_path / "a.csv").write_text("\n".join([",".join(NAMES), *lines]) + "\n")
    with pytest.raises(InputError, match=r"cells of 'query' are in quotes, but some quotes .* are not doubled"):
        resolve(detect(tmp_path / "a.csv").guesses, accept=True)
    assert load(tmp_path / "a.csv", quote="")[0][0] == cell


@pytest.mark.parametrize("header", [NAMES, ["Query", "TITLE", "relevance", "x"], ["search term", "path", "y", "z"]])
def test_names_for_a_file_that_has_some_are_refused(tmp_path: Path, header: list[str]) -> None:
    (tmp_path / "a.csv").write_text(as_csv(ROWS, header))
    with pytest.raises(InputError, match="leave --header out"):
        detect(tmp_path / "a.csv", header=NAMES)


@pytest.mark.parametrize(
    "value",
    [
        {name: [row[place] for row in ROWS] for place, name in enumerate(NAMES)},
        {name: {str(n): row[place] for n, row in enumerate(ROWS)} for place, name in enumerate(NAMES)},
        {"columns": NAMES, "data": [list(row) for row in ROWS]},
    ],
)
@pytest.mark.parametrize("indent", [None, 1])
def test_json_by_columns_is_refused(tmp_path: Path, value: object, indent: int | None) -> None:
    (tmp_path / "a.json").write_text(json.dumps(value, indent=indent))
    with pytest.raises(InputError, match=r"orient='records'"):
        load(tmp_path / "a.json")


def test_one_row_of_json_with_the_levels_of_a_path_is_a_row(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps(dict(zip(NAMES, ROWS[0], strict=True)) | {"candidate": ["a", "b"]}))
    assert detect(tmp_path / "a.jsonl").how["format"] == "jsonl"


def test_two_delimiters_that_fit_as_well_are_a_question_where_no_name_of_a_column_decides(tmp_path: Path) -> None:
    lines = [f"red;shoe{n}~big;shoe~{n % 2};~en" for n in range(20)]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match="fits 100% of rows too; write the file again with quotes"):
        resolve(detect(tmp_path / "a.csv", header=NAMES).guesses)
    (tmp_path / "b.csv").write_text("\n".join(["query;x~candidate;y~label;z~lang", *lines]) + "\n")
    assert detect(tmp_path / "b.csv").how["delimiter"] in "~;"
    (tmp_path / "c.csv").write_text("\n".join(["query~candidate~label~lang", *lines]) + "\n")
    assert detect(tmp_path / "c.csv").how["delimiter"] == "~"


@pytest.mark.parametrize("delimiter", ["^", "¦", "\x1f", "§"])
def test_an_unknown_delimiter_is_named_as_such(tmp_path: Path, delimiter: str) -> None:
    lines = [delimiter.join((query, f"{'big, ' * (n % 3)}shoe", *rest)) for n, (query, _, *rest) in enumerate(ROWS)]
    (tmp_path / "a.csv").write_text("\n".join([delimiter.join(NAMES), *lines]), encoding="utf-8")
    with pytest.raises(InputError, match="no delimiter fits: tab, comma, semicolon"):
        detect(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\xef\xbb\xbf\n<html><body><table><tr><td>query</td></tr></table>", "HTML or XML"),
        (b'<?xml version="1.0"?><rows><row><query>red shoes</query></row></rows>', "HTML or XML"),
        (b"<TABLE border=1><tr><td>red shoes</td></tr></TABLE>", "HTML or XML"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), "an Excel workbook"),
        (b"ARROW1\0\0" + bytes(100), "Arrow or Feather"),
        (b"Obj\x01\x04\x14avro.codec", "Avro"),
        (b"SQLite format 3\0" + bytes(100), "SQLite"),
    ],
)
def test_files_that_are_no_text_say_what_they_are_whatever_their_suffix(
    tmp_path: Path, content: bytes, expected: str
) -> None:
    (tmp_path / "export.csv").write_bytes(content)
    with pytest.raises(InputError, match=expected):
        detect(tmp_path / "export.csv")


@pytest.mark.parametrize(
    ("text", "dialect"),
    [
        (">\\'~\\\\\\\n", {"quotechar": "'"}),
        ("größe\\\n\\'", {"quotechar": "'"}),
        ("lamp\\\t\"'\\'", {"quotechar": "'", "escapechar": "\\", "delimiter": "\t"}),
    ],
)
def test_backslashes_that_fit_with_two_quotes_are_a_question(
    tmp_path: Path, text: str, dialect: dict[str, str]
) -> None:
    """Either the quotes are around the cell, or they are text and the backslash escapes the line break."""
    rows = [(text if n % 3 == 1 else query, '-5"', *rest) for n, (query, _, *rest) in enumerate(ROWS[:6])]
    (tmp_path / "a.csv").write_text(as_csv(rows, **dialect), encoding="utf-8")
    with pytest.raises(InputError, match=r"backslash|quotes"):
        resolve(detect(tmp_path / "a.csv").guesses)
    said = detect(tmp_path / "a.csv", quote="'", escape=dialect.get("escapechar", "")).how
    found = read_file(tmp_path / "a.csv", as_params(said, {}), {f"kept.{name}": name for name in NAMES})
    assert found.select(pl.col("^kept.*$")).rows() == rows
