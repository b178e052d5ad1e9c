"""A report as blocks, rendered as one HTML page that needs nothing else, and as Markdown for a git host.

All text is plain: what looks like markup in a query is shown as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

INK = "#1b1b1f"  # what figures are drawn with; on the page it becomes the colour of the text around

_MARKDOWN = re.compile(r"([\\`*_{}\[\]#|~$])")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_ID = re.compile(r'(\bid="|\burl\(#|xlink:href="#)')


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str
    kind: str = "text"


@dataclass(frozen=True)
class Table:
    """A table; the first `text_columns` are text, the others are numbers."""

    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    text_columns: int = 1
    kind: str = "table"


@dataclass(frozen=True)
class Figure:
    """A picture: `name` of its file beside the Markdown, `alt` what it shows, `svg` as `figures` draws it."""

    name: str
    alt: str
    caption: str
    svg: str
    kind: str = "figure"


Block = Text | Table | Figure


@dataclass(frozen=True)
class Section:
    """A heading of level 2 or 3 with its blocks; `anchor` is unique in the document."""

    anchor: str
    title: str
    blocks: Sequence[Block]
    level: int = 2


@dataclass(frozen=True)
class Document:
    """A whole report."""

    title: str
    lead: Sequence[str]
    sections: Sequence[Section]

    def figures(self) -> list[Figure]:
        """All pictures."""
        return [block for section in self.sections for block in section.blocks if isinstance(block, Figure)]


def html(document: Document) -> str:
    """The page, with its pictures in it and nothing outside of it."""
    environment = _environment(autoescape=True)
    environment.filters["inline"] = _inline
    environment.filters["groupby_runs"] = _by_kind
    return environment.get_template("page.html.jinja").render(document=document)


def markdown(document: Document) -> str:
    """The twin; its pictures are files `figures/<name>.svg` beside it."""
    environment = _environment(autoescape=False)
    environment.filters["plain"] = plain
    return environment.get_template("page.md.jinja").render(document=document)


def plain(text: str) -> str:
    """The text as Markdown that shows it as it is, on one line."""
    escaped = re.sub(r"[&<>]", lambda match: _ENTITIES[match[0]], text)
    return " ".join(_MARKDOWN.sub(r"\\\1", escaped).split())


def standalone(figure: Figure) -> str:
    """The picture as a file of its own, on white."""
    return figure.svg.replace("<svg ", '<svg style="background:#fff" ', 1)


def _environment(*, autoescape: bool) -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _by_kind(blocks: Sequence[Block]) -> list[tuple[str, list[Block]]]:
    """Neighbours of one kind together, so that pictures can stand side by side."""
    return [(kind, list(group)) for kind, group in groupby(blocks, key=lambda block: block.kind)]


def _inline(figure: Figure) -> str:
    """The picture for the page: ids that no other picture has, and the page's own colour of text."""
    svg = _ID.sub(lambda match: f"{match[1]}{figure.name}-", figure.svg)
    return svg.replace(INK, "currentColor").replace("<svg ", '<svg aria-hidden="true" ', 1)
