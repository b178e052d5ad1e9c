"""Options that several commands of `babelshelf` share, and what their values mean."""

from __future__ import annotations

from pathlib import Path

import click

LADDER = click.option(
    "--file",
    type=click.Path(path_type=Path),
    default=Path("ladder.yaml"),
    help="The ladder; default: ladder.yaml, and the paper's is profiles/ladder/paper.yaml.",
)

ENCODING = click.option(
    "--encoding", default="", metavar="NAME", help="Of the file, such as cp1252; default: told from its bytes."
)

ESCAPE = click.option(
    "--escape",
    type=click.Choice(["\\", "none"]),
    callback=lambda _context, _option, value: "" if value == "none" else value,
    help="What a backslash before a quote, a delimiter or a backslash is, in CSV: an escape, or none (plain text).",
)

QUOTE = click.option(
    "--quote",
    type=click.Choice(['"', "'", "none"]),
    callback=lambda _context, _option, value: "" if value == "none" else value,
    help="What is around cells, in CSV; none: quotes are part of the text. Default: told from the file.",
)


def names(header: str) -> list[str]:
    """The names of `--header`."""
    return [name.strip() for name in header.split(",")] if header else []


def seeds(_context: click.Context, _option: click.Parameter, text: str | None) -> list[int]:
    """The value of `--seeds`, for click."""
    parts = text.split(",") if text else []
    if not all(part.strip().isdecimal() for part in parts):
        raise click.BadParameter(f"expected whole numbers, none negative, with commas between them, found {text!r}")
    return list(dict.fromkeys(map(int, parts)))
