"""The look of a local page, its keys, and the direction of its texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import langcodes

if TYPE_CHECKING:
    from nicegui.elements.mixins.text_element import TextElement

RIGHT_TO_LEFT = frozenset({"Adlm", "Arab", "Aran", "Hebr", "Mand", "Nkoo", "Rohg", "Samr", "Syrc", "Thaa"})  # ISO 15924


@dataclass(frozen=True)
class Shortcut:
    """A key that was pressed, or a click on the element that has it as `data-shortcut`.

    Attributes:
        key: lower case; `z` also for the backspace key.
        shown: `data-shown` of the page when it was pressed, "" without one: what the user saw.
    """

    key: str
    shown: str


@contextmanager
def page_frame(title: str) -> Iterator[None]:
    """Style sheet, heading, and a column of readable width around what is added inside."""
    from nicegui import ui  # noqa: PLC0415 - an extra

    ui.add_css(_file("style.css"))
    with ui.element("main").classes("page"):
        text(title, "h1")
        yield


def text(content: str, tag: str = "div", *, language: str | None = None) -> TextElement:
    """Add a text; markup in it is shown, not interpreted.

    Args:
        content: the text.
        tag: of the HTML element.
        language: of a text of the data, ISO 639-1, "" where it is unknown; None for texts of the page itself.
    """
    from nicegui.elements.mixins.text_element import TextElement  # noqa: PLC0415 - an extra

    element = TextElement(tag=tag, text=content)
    if language is not None:
        set_language(element, language)
    return element


def set_language(element: TextElement, language: str) -> None:
    """Set the language and the direction of a text of the data."""
    element.props["dir"] = direction(language)
    if language:
        element.props["lang"] = language


def on_shortcut(handle: Callable[[Shortcut], None]) -> None:
    """Call `handle` for each key that an element of the page has as `data-shortcut`, and for clicks on the element.

    Keys that are typed into a field, held down, or pressed with Ctrl, Alt or Meta do not count.
    """
    from nicegui import ui  # noqa: PLC0415 - an extra

    ui.add_body_html(f"<script>{_file('keyboard.js')}</script>")
    ui.on("shortcut", lambda event: handle(Shortcut(str(event.args["key"]), str(event.args["shown"]))))


@cache
def direction(language: str) -> str:
    """The attribute `dir` of a text: `rtl` for a language that is written so, else `auto` (by the first letter).

    Args:
        language: ISO 639-1 code, "" where it is unknown.
    """
    script = langcodes.Language.make(language=language).maximize().script if language else None
    return "rtl" if script in RIGHT_TO_LEFT else "auto"


def isolated(content: str, language: str) -> str:
    """A text of the data for use inside of a sentence: neither reorders the other (UAX 9, isolates)."""
    start = "\u2067" if direction(language) == "rtl" else "\u2068"
    return f"{start}{content}\u2069"


def _file(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")
