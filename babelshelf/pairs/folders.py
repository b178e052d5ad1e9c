"""Which files of a folder hold the pairs of a task: patterns, splits by file name, Hive partitions, links.

For `babelshelf init`, which finds the patterns, and for `prepare`, which reads the files that have them. A pattern is
matched against the path within the folder: `*`, `?` and `[...]` stay within a name, `**` stands for any folders, and
the case of a suffix (`.csv`, `.CSV`) does not matter. Linked folders are followed.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatchcase
from glob import escape
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote

from babelshelf.core.errors import InputError
from babelshelf.core.rows import SPLITS

if TYPE_CHECKING:
    from babelshelf.pairs.params import FileParams

FORMATS = {
    **dict.fromkeys((".csv", ".tsv", ".tab", ".txt"), "csv"),
    **dict.fromkeys((".jsonl", ".ndjson", ".json"), "jsonl"),
    **dict.fromkeys((".parquet", ".pq"), "parquet"),
}
OTHER_DATA = (
    ".xlsx",
    ".xls",
    ".ods",
    ".avro",
    ".orc",
    ".feather",
    ".arrow",
    ".zip",
    ".bz2",
    ".xz",
    ".7z",
    ".tar",
    ".db",
)
PACKED = (".gz", ".zst", ".zstd")
DATA_WORDS = (
    "part",
    "data",
    "pair",
    "train",
    "dev",
    "test",
    "valid",
    "query",
    "label",
    "00",
)  # of files without a suffix
PARTITION = re.compile(r"([^=/]+)=(.*)")  # a folder of Hive: NAME=VALUE
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"

Names = Mapping[str, set[str]]  # what each split is called, by prepare.files.split.names


def suffix(file: Path) -> str:
    """The last suffix of a file's name in lower case, that of packing aside: `.csv` of `PAIRS.CSV.gz`."""
    name = file.name.lower()
    for packing in PACKED:
        name = name.removesuffix(packing)
    return Path(name).suffix


def partitions(file: Path) -> dict[str, str | None]:
    """Names and values of the Hive partitions that a file is in: `language=de/label=1/part.parquet`."""
    found: dict[str, str | None] = {}
    for folder in takewhile(lambda parent: PARTITION.fullmatch(parent.name), file.parents):
        name, _, value = folder.name.partition("=")
        found[unquote(name)] = None if value == NO_VALUE else unquote(value)
    return found


def files_like(folder: Path, pattern: str) -> list[Path]:
    """Files of a folder that match a pattern, sorted; hidden ones are left out.

    Raises:
        InputError: the pattern leads out of the folder, or is no pattern.
    """
    parts = PurePosixPath(pattern).parts
    if pattern.startswith("/") or ".." in parts:
        raise InputError(f"{folder}: the pattern {pattern!r} leads out of the folder")
    if not parts or any("**" in part and part != "**" for part in parts):
        raise InputError(f"{folder}: {pattern!r} is no pattern of files: '**' must be a whole part, as in '**/*.csv'")
    parts = (*parts[:-1], _suffix_in_any_case(parts[-1]))
    depth = None if "**" in parts else len(parts)
    return [file for file in _walk(folder, depth) if _matches(file.relative_to(folder).parts, parts)]


def task_files(path: Path, settings: FileParams) -> list[tuple[Path, str]]:
    """Each file of a task with its split, "" where its rows say it or are split later, sorted by name.

    Raises:
        InputError: there is no such file or folder, no file matches a pattern, or a file matches two.
    """
    if path.is_file():
        if not settings.rows or settings.train or settings.dev or settings.test:
            raise InputError(f"{path}: one file: set rows to '*', and train, dev and test to none, or give its folder")
        return [(path, "")]
    if not path.is_dir():
        raise InputError(f"{path}: no such file or folder; prepare.input names it, or the path of a part of `mixed`")
    found: dict[Path, str] = {}
    for split in ("", *SPLITS):
        pattern = getattr(settings, split or "rows")
        files = files_like(path, pattern) if pattern else []
        if pattern and not files:
            raise InputError(f"{path}: no file in it has the form {pattern!r} ({split or 'rows'})")
        twice = [file for file in files if file in found]
        if twice:
            raise InputError(f"{twice[0]}: has the form of {found[twice[0]] or 'rows'} and of {split}: keep one")
        found |= dict.fromkeys(files, split)
    return sorted(found.items())


def files_passed_over(folder: Path, taken: Collection[Path]) -> dict[Path, str]:
    """Data files in a folder and below it that are not read, each with the reason."""
    endings = {_ending(file) for file in taken}
    kinds = {FORMATS.get(suffix(file)) for file in taken}
    found = {}
    for file in _walk(folder, None):
        if file in taken:
            continue
        if suffix(file) not in FORMATS:
            if suffix(file) in OTHER_DATA:
                found[file] = "this format is not read"
            elif not suffix(file) and any(word in file.name.lower() for word in DATA_WORDS):
                found[file] = "its name has no suffix of a format"
        elif FORMATS[suffix(file)] not in kinds:
            found[file] = "another format than the files that are read"
        elif _ending(file) not in endings:
            found[file] = "another suffix than the files that are read"
        else:
            found[file] = "no pattern matches it"
    return found


def locate(path: Path, names: Names) -> tuple[Path, dict[str, str]]:
    """The file or folder that DVC watches, and the patterns of the files in it, by `rows`, `train`, `dev` and `test`.

    Args:
        path: a file, a folder, or a folder with a pattern.
        names: what splits are called.

    Raises:
        InputError: there is no such path, the folder holds the repository itself, or it can't be told which files of a
            folder are meant.
    """
    none = dict.fromkeys(("rows", *SPLITS), "")
    if path.is_file():
        return path, none | {"rows": "*"}
    folder = path
    while (
        not folder.is_dir() and re.search(r"[*?\[]", str(folder.relative_to(folder.parent))) and folder.parent != folder
    ):
        folder = folder.parent
    if not folder.is_dir():
        raise InputError(f"{path}: no such file, folder or pattern")
    if Path.cwd().resolve().is_relative_to(folder.resolve()):
        raise InputError(f"{folder}: this folder holds the repository itself: move the files to a folder of their own")
    if folder != path:
        return folder, none | {"rows": str(path.relative_to(folder))}
    return folder, none | _patterns(folder, names)


def _patterns(folder: Path, names: Names) -> dict[str, str]:
    """Files that are named for a split, or all files of the format that most have."""
    files = [file for file in _walk(folder, None) if suffix(file) in FORMATS]
    top = [file for file in files if file.parent == folder]
    if not files:
        raise InputError(f"{folder}: no file in it ends in {', '.join(FORMATS)}, packed or not")
    named = {split: [file for file in top if words & _words(file)] for split, words in names.items()}
    if named["train"] and (named["dev"] or named["test"]):
        return {split: _pattern(folder, found, names[split]) for split, found in named.items()}
    return {"rows": _pattern_of_most(folder, top or files, nested=not top)}


def _pattern_of_most(folder: Path, files: list[Path], *, nested: bool) -> str:
    """The pattern of the files whose format most have.

    Raises:
        InputError: as many files have another format.
    """
    counts = Counter(suffix(file) for file in files).most_common()
    if len(counts) > 1 and counts[0][1] == counts[1][1]:
        shown = ", ".join(f"'{folder}/{'**/' if nested else ''}*{ending}'" for ending, _ in counts)
        raise InputError(
            f"{folder}: {' and '.join(f'{count} files end in {ending}' for ending, count in counts)}: which of them "
            f"are meant? Say one pattern, {shown}, or write the files in one format"
        )
    chosen = {file for file in files if suffix(file) == counts[0][0]}
    start = "**/*" if nested else "*"
    for end in (*sorted({_ending(file) for file in chosen}), f"{counts[0][0]}*", ".*", ""):
        if set(files_like(folder, start + end)) == chosen:
            return start + end
    return start + counts[0][0]


def _words(file: Path) -> set[str]:
    return set(re.split(r"[^a-z]+", file.name.lower()))


def _pattern(folder: Path, files: list[Path], words: Collection[str]) -> str:
    """A pattern that these files have and no others in the folder, from the words in them as they are spelled there.

    Raises:
        InputError: there is none.
    """
    names = [file.name for file in files]
    if len(names) < 2:
        return escape(names[0]) if names else ""
    found = {word for name in names for word in re.findall("[A-Za-z]+", name) if word.lower() in words}
    spellings = [*sorted(found, key=len), *(_any_case(word) for word in sorted(words, key=len))]
    start, end = _same_start(names), _same_start([name[::-1] for name in names])[::-1]
    patterns = [f"*{word}*" for word in spellings] + [f"*{word}*{escape(end)}" for word in spellings]
    for pattern in [*patterns, f"{escape(start)}*{escape(end)}"]:
        if set(files_like(folder, pattern)) == set(files):
            return pattern
    raise InputError(
        f"{folder}: no pattern has just the files {', '.join(names)}: rename them, or give one file a split"
    )


def _same_start(names: list[str]) -> str:
    return "".join(chars[0] for chars in takewhile(lambda chars: len(set(chars)) == 1, zip(*names, strict=False)))


def _ending(file: Path) -> str:
    """All suffixes that say how a file is written, in lower case: `.csv.gz` of `pairs.v2.CSV.gz`."""
    known = takewhile(lambda part: f".{part}" in {*FORMATS, *PACKED}, reversed(file.name.lower().split(".")[1:]))
    return "".join(f".{part}" for part in reversed(list(known)))


def _any_case(word: str) -> str:
    return "".join(f"[{char.upper()}{char.lower()}]" if char.isalpha() else char for char in word)


def _suffix_in_any_case(name: str) -> str:
    """A pattern of a name, of which the suffixes match in any case."""
    end = re.search(r"(\.[A-Za-z0-9]+)+$", name)
    return name[: end.start()] + _any_case(end[0]) if end and "[" not in end[0] else name


def _matches(names: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    if not pattern:
        return not names
    if pattern[0] == "**":
        return any(_matches(names[skipped:], pattern[1:]) for skipped in range(len(names) + 1))
    return bool(names) and fnmatchcase(names[0], pattern[0]) and _matches(names[1:], pattern[1:])


def _walk(folder: Path, depth: int | None) -> Iterator[Path]:
    """Files in a folder and below, to a depth, sorted; links are followed, but not back to a folder above."""
    above = {folder.resolve()}
    stack: list[tuple[Path, int, frozenset[Path]]] = [(folder, 1, frozenset(above))]
    found = []
    while stack:
        here, level, parents = stack.pop()
        try:
            entries = list(os.scandir(here))
        except OSError as error:
            raise InputError(f"{here}: cannot be read: {error}") from error
        for entry in entries:
            path = here / entry.name
            if entry.name.startswith("."):
                continue
            if entry.is_file():
                found.append(path)
            elif entry.is_dir() and (depth is None or level < depth) and path.resolve() not in parents:
                stack.append((path, level + 1, parents | {path.resolve()}))
    yield from sorted(found)
