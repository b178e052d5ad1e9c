"""What the user said on the command line of `babelshelf init`, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from babelshelf.core.errors import InputError
from babelshelf.core.languages import normalize
from babelshelf.core.rows import SPLITS
from babelshelf.pairs.column_roles import OPTIONAL
from babelshelf.pairs.rows import ROLES


@dataclass(frozen=True)
class InitOptions:
    """What the user said.

    Attributes:
        paths: `{task: file, folder or pattern}`.
        columns: `{role: names of the columns}`; none for a role that no column has.
        language: of all rows; "" where a column says it.
        positive: values of the label that mean relevant; none where the values speak for themselves.
        only_positives: all rows are relevant, and irrelevant ones are drawn at random.
        language_map: `{value: language}`, values in lower case.
        split_names: `{split: what the files call it}`.
        path_separator: between the levels of a path; None where it is guessed, "" where there is none.
        encoding: of all files; "" where it is told from the bytes.
        header: names of the columns of files without a header.
        escape: a backslash, or "" for none; None where it is detected.
        quote: around cells, or "" for none; None where it is detected.
        accept: take the likeliest answers to what is unsure (`--yes`).
    """

    paths: Mapping[str, str]
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    language: str = ""
    positive: Sequence[str] = ()
    only_positives: bool = False
    language_map: Mapping[str, str] = field(default_factory=dict)
    split_names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    path_separator: str | None = None
    encoding: str = ""
    header: Sequence[str] = ()
    escape: str | None = None
    quote: str | None = None
    accept: bool = False


def parsed_columns(options: Sequence[str], roles: Sequence[str] = ROLES) -> dict[str, list[str]]:
    """`{role: columns}` of `ROLE=NAME`; a candidate may be `NAME,NAME`, and `split=` says that no column has the role.

    Raises:
        InputError: a role does not exist, or needs a column.
    """
    columns: dict[str, list[str]] = {}
    for option in options:
        role, _, text = option.partition("=")
        names = [name.strip() for name in text.split(",")] if role == "candidate" else [text]
        names = [name for name in names if name]
        if role not in roles or not (names or ("=" in option and role in (*OPTIONAL, "label"))):
            raise InputError(f"--column {role!r}: write ROLE=NAME; the roles are {', '.join(roles)}")
        columns[role] = names
    return columns


def parsed_language_map(options: Sequence[str]) -> dict[str, str]:
    """`{value: language}` of `us=en,uk=en`, values in lower case; raise InputError where it is none, or no language."""
    pairs = [pair for option in options for pair in option.split(",") if pair]
    mapping = {}
    for pair in pairs:
        value, mark, code = pair.partition("=")
        if not mark or not value.strip():
            raise InputError(f"--language-map {pair!r}: write VALUE=CODE, such as us=en")
        mapping[value.strip().lower()] = normalize(code, f"--language-map {pair}")
    return mapping


def parsed_split_names(options: Sequence[str]) -> dict[str, list[str]]:
    """`{split: names}` of `dev=eval`; raise InputError where the split does not exist."""
    names: dict[str, list[str]] = {}
    for option in options:
        split, _, name = option.partition("=")
        if split not in SPLITS or not name:
            raise InputError(f"--split-name {option!r}: write SPLIT=VALUE; the splits are {', '.join(SPLITS)}")
        names.setdefault(split, []).append(name)
    return names
