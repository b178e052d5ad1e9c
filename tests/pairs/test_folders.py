"""`pairs.folders`: which files are read, which are named as not read, links and Hive partitions."""

from __future__ import annotations

from pathlib import Path

import pytest

from babelshelf.core.errors import InputError
from babelshelf.pairs.folders import files_like, files_passed_over, locate, partitions, suffix

NAMES = {"train": {"train"}, "dev": {"dev"}, "test": {"test"}}


def write(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x\n", encoding="utf-8")
    return folder


def read(folder: Path) -> set[str]:
    """Names of the files that `locate` proposes to read."""
    _, patterns = locate(folder, NAMES)
    return {
        str(file.relative_to(folder))
        for pattern in patterns.values()
        if pattern
        for file in files_like(folder, pattern)
    }


@pytest.mark.parametrize(
    "names",
    [
        ["a.csv", "B.CSV"],
        ["a.JSONL", "b.jsonl", "c.Jsonl"],
        ["x.Tsv.GZ", "y.tsv.gz"],
        ["one.csv", "two.csv.gz", "three.CSV"],
        ["p.Parquet", "q.parquet"],
        ["year=2024/language=de/part-0.parquet", "year=2025/language=ja/part-0.PARQUET"],
        ["a/x.csv", "b/c/y.csv"],
    ],
)
def test_all_files_of_a_format_are_read(tmp_path: Path, names: list[str]) -> None:
    assert read(write(tmp_path, *names)) == set(names)


@pytest.mark.parametrize(
    ("names", "passed_over"),
    [
        (["a.csv", "b.csv", "c.jsonl"], {"c.jsonl": "another format"}),
        (["a.parquet", "b.parquet", "c.PARQUET", "old/d.parquet"], {"old/d.parquet": "no pattern matches it"}),
        (["a.csv", "b.csv", "c.tsv"], {"c.tsv": "another suffix"}),
        (["a.csv", "b.csv", "README.md"], {}),
    ],
)
def test_each_data_file_that_is_not_read_is_named_with_the_reason(
    tmp_path: Path, names: list[str], passed_over: dict[str, str]
) -> None:
    taken = read(write(tmp_path, *names))
    found = files_passed_over(tmp_path, [tmp_path / name for name in taken])
    assert {str(file.relative_to(tmp_path)) for file in found} == set(passed_over)
    for file, reason in found.items():
        assert reason.startswith(passed_over[str(file.relative_to(tmp_path))])


@pytest.mark.parametrize("names", [["a.csv", "b.jsonl"], ["a.tsv", "b.csv"], ["a.pq", "b.csv", "c.pq", "d.CSV"]])
def test_as_many_files_of_another_format_are_a_question(tmp_path: Path, names: list[str]) -> None:
    with pytest.raises(InputError, match="which of them are meant"):
        locate(write(tmp_path, *names), NAMES)


def test_linked_files_and_folders_are_read_and_a_loop_ends(tmp_path: Path) -> None:
    folder, other = write(tmp_path / "mine", "a.csv"), write(tmp_path / "other", "b.csv", "deep/c.csv")
    (folder / "linked").symlink_to(other)
    (folder / "d.csv").symlink_to(other / "b.csv")
    (folder / "loop").symlink_to(folder)
    found = {str(file.relative_to(folder)) for file in files_like(folder, "**/*.csv")}
    assert found == {"a.csv", "d.csv", "linked/b.csv", "linked/deep/c.csv"}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*", {"a.csv", "b.CSV", "c[1].csv"}),
        ("*/*.csv", {"x/d.csv"}),
        ("**/*.csv", {"a.csv", "b.CSV", "c[1].csv", "x/d.csv", "x/y/e.csv"}),
        ("x/**/e.csv", {"x/y/e.csv"}),
        ("c[[]1].csv", {"c[1].csv"}),
        ("[ab].csv", {"a.csv", "b.CSV"}),
    ],
)
def test_patterns(tmp_path: Path, pattern: str, expected: set[str]) -> None:
    write(tmp_path, "a.csv", "b.CSV", "c[1].csv", ".hidden.csv", "x/d.csv", "x/y/e.csv", ".git/f.csv")
    assert {str(file.relative_to(tmp_path)) for file in files_like(tmp_path, pattern)} == expected


@pytest.mark.parametrize("pattern", ["../*.csv", "/tmp/*.csv", "a**/b.csv", ""])
def test_what_is_no_pattern_is_refused(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(InputError, match=r"leads out of the folder|is no pattern"):
        files_like(tmp_path, pattern)


def test_hive_partitions_and_suffixes() -> None:
    assert partitions(Path("data/v=1/mine/language=pt-BR/label=1/part.parquet")) == {"label": "1", "language": "pt-BR"}
    assert partitions(Path("split=__HIVE_DEFAULT_PARTITION__/city=S%C3%A3o%20Paulo/a.csv")) == {
        "split": None,
        "city": "São Paulo",
    }
    assert partitions(Path("mine/a=b.csv")) == {}
    assert [suffix(Path(name)) for name in ("A.CSV.gz", "b.Parquet", "c")] == [".csv", ".parquet", ""]


@pytest.mark.parametrize("name", ["b.xlsx", "b.AVRO", "b.zip", "part-00001", "train_data"])
def test_files_of_other_formats_are_named(tmp_path: Path, name: str) -> None:
    for file in ("a.csv", name, "README", "_SUCCESS", "notes.md"):
        (tmp_path / file).write_text("x")
    assert list(files_passed_over(tmp_path, [tmp_path / "a.csv"])) == [tmp_path / name]
