"""Reads a category tree, `<locale>/categories.txt`, and checks that all locales have the same categories."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from babelshelf.core.errors import InputError
from babelshelf.core.languages import normalize
from babelshelf.prepare.sources.taxonomy.tree import Levels
from babelshelf.text.keys import key, stored

LEVELS = re.compile(r"(?<!\S)>(?!\S)")  # a ">" that stands alone: also where a name beside it is empty


@dataclass(frozen=True)
class Category:
    """A category of the tree.

    Attributes:
        id: its id in all locales.
        path: its levels in English.
        names: its own name (the last level) by language.
    """

    id: str
    path: Levels
    names: dict[str, str]

    @property
    def candidate(self) -> str:
        """The English path as text."""
        return " > ".join(self.path)


def read_categories(folder: Path, locales: Sequence[str]) -> list[Category]:
    """All categories of the tree, sorted by English path.

    Args:
        folder: holds `<locale>/categories.txt`.
        locales: folder names, language tags such as `pt-BR`; one is English.

    Raises:
        InputError: a folder or file is missing, a line is malformed, an id or English path is there twice, or a locale
            has not just the ids of the English file; the message has the file and line.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; prepare.input names it, and it holds <locale>/categories.txt")
    _check_locales(folder, locales)
    files = {normalize(locale, str(folder)): folder / locale / "categories.txt" for locale in locales}
    trees = {language: _read_tree(file) for language, file in files.items()}
    english = trees["en"]
    for language, tree in trees.items():
        _check_same_ids(files[language], tree, files["en"], english)
    _check_unique_paths(files["en"], english)
    return sorted(
        (
            Category(identity, path, {language: tree[identity][-1] for language, tree in trees.items()})
            for identity, path in english.items()
        ),
        key=lambda category: category.path,
    )


def _check_locales(folder: Path, locales: Sequence[str]) -> None:
    missing = [str(file) for locale in locales if not (file := folder / locale / "categories.txt").is_file()]
    if missing:
        there = ", ".join(sorted(file.parent.name for file in folder.glob("*/categories.txt"))) or "none"
        raise InputError(
            f"{', '.join(missing)}: no such file; add it, or set prepare.taxonomy.locales and train_languages to what "
            f"is there; the locales in {folder} are {there}"
        )


def _read_tree(file: Path) -> dict[str, Levels]:
    """Levels by id, in the order of the file."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: not UTF-8 ({error.reason}): save the file as UTF-8") from error
    tree: dict[str, Levels] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        identity, levels = _parse(line, f"{file}, line {number}")
        if identity in tree:
            raise InputError(f"{file}, line {number}: the id {identity!r} is there twice: keep one")
        tree[identity] = levels
    return tree


def _parse(line: str, where: str) -> tuple[str, Levels]:
    identity, separator, path = line.partition(" : ")
    if not separator:
        raise InputError(f"{where}: expected 'id : A > B > C', found {line!r}")
    levels = tuple(stored(level) for level in LEVELS.split(path))
    if not identity.strip() or not all(key(level) for level in levels):
        raise InputError(f"{where}: the id or a name is empty in {line!r}")
    return identity.strip(), levels


def _check_same_ids(file: Path, tree: dict[str, Levels], english_file: Path, english: dict[str, Levels]) -> None:
    for lacking, ids, other in ((file, tree, english), (english_file, english, tree)):
        missing = [identity for identity in other if identity not in ids]
        if missing:
            raise InputError(
                f"{lacking}: {len(missing)} ids are missing that another locale has, such as {missing[0]!r}: take all "
                "locales from one version of the taxonomy"
            )


def _check_unique_paths(file: Path, english: dict[str, Levels]) -> None:
    owners: dict[Levels, str] = {}
    for identity, path in english.items():
        owner = owners.setdefault(path, identity)
        if owner != identity:
            raise InputError(f"{file}: {owner!r} and {identity!r} have the same path {' > '.join(path)!r}: keep one")
