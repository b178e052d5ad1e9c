"""Where the files of a task are: a file, or a folder with patterns, for the params of the source `files`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
from glob import escape
from itertools import takewhile
from pathlib import Path

from babelshelf.core.errors import InputError
from babelshelf.pairs.formats import FORMATS, suffix
from babelshelf.pairs.rows import SPLITS, files_like

Names = Mapping[str, set[str]]  # what each split is called, by prepare.files.split.names


def locate(path: Path, names: Names) -> tuple[Path, dict[str, str]]:
    """The file or folder that DVC watches, and the patterns of files in it."""
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
    files = sorted(file for file in folder.iterdir() if file.is_file() and suffix(file) in FORMATS)
    if not files:
        raise InputError(f"{folder}: no file in it ends in {', '.join(FORMATS)}, packed or not")
    named = {split: [file for file in files if words & _words(file)] for split, words in names.items()}
    if named["train"] and (named["dev"] or named["test"]):
        return {split: _pattern(folder, found, names[split]) for split, found in named.items()}
    endings = Counter(file.name[len(file.name.split(".")[0]) :] for file in files)
    return {"rows": f"*{endings.most_common(1)[0][0]}"}


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
    any_case = ("".join(f"[{char.upper()}{char}]" for char in word) for word in sorted(words, key=len))
    spellings = [*sorted(found, key=len), *any_case]
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


def files_of(path: Path, patterns: Mapping[str, str]) -> list[Path]:
    """The files that the patterns match; raise InputError where there is none to take rows of training from."""
    if path.is_file():
        return [path]
    pattern = patterns["rows"] or patterns["train"]
    if not files_like(path, pattern):
        raise InputError(f"{path}: no file in it has the form {pattern!r}")
    return sorted(file for pattern in patterns.values() if pattern for file in files_like(path, pattern))
