"""A report as blocks, rendered as a self-contained HTML page and as Markdown for a git host.

All text is plain: markup in a query is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

INK = "#1b1b1f"  # foreground of figures; replaced by the text colour of the page

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
    """A figure: `name` of its file beside the Markdown, alternative text, caption, and SVG from `figures`."""

    name: str
    alt: str
    caption: str
    svg: str
    kind: str = "figure"


Block = Text | Table | Figure


@dataclass(frozen=True)
class ReportSection:
    """A section with a heading of level 2 or 3; `anchor` is unique in the document."""

    anchor: str
    title: str
    blocks: Sequence[Block]
    level: int = 2


@dataclass(frozen=True)
class Document:
    """A whole report."""

    title: str
    lead: Sequence[str]
    sections: Sequence[ReportSection]

    def figures(self) -> list[Figure]:
        """All figures."""
        return [block for section in self.sections for block in section.blocks if isinstance(block, Figure)]


def html(document: Document) -> str:
    """Render as a self-contained HTML page."""
    environment = _environment(autoescape=True)
    environment.filters["inline"] = _inline
    environment.filters["groupby_runs"] = _by_kind
    return environment.get_template("page.html.jinja").render(document=document)


def markdown(document: Document) -> str:
    """Render as Markdown; its figures are files `figures/<name>.svg` beside it."""
    environment = _environment(autoescape=False)
    environment.filters["plain"] = plain
    return environment.get_template("page.md.jinja").render(document=document)


def plain(text: str) -> str:
    """Escape the text for Markdown, on one line."""
    escaped = re.sub(r"[&<>]", lambda match: _ENTITIES[match[0]], text)
    return " ".join(_MARKDOWN.sub(r"\\\1", escaped).split())


def standalone(figure: Figure) -> str:
    """SVG of a figure as a separate file, on white."""
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
    """Runs of adjacent blocks of one kind, so that figures can be side by side."""
    return [(kind, list(group)) for kind, group in groupby(blocks, key=lambda block: block.kind)]


def _inline(figure: Figure) -> str:
    """SVG for the page: ids unique to the figure, and the text colour of the page."""
    svg = _ID.sub(lambda match: f"{match[1]}{figure.name}-", figure.svg)
    return svg.replace(INK, "currentColor").replace("<svg ", '<svg aria-hidden="true" ', 1)
