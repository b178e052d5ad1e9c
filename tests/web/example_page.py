"""A page with two texts and two keys: `python -m tests.web.example_page`."""

from __future__ import annotations

from nicegui import ui

from babelshelf.web.layout import Shortcut, on_shortcut, page_frame, text
from babelshelf.web.server import serve


def page() -> None:
    """The elements of the page."""
    with page_frame("Example"):
        ui.input("Field").props("data-field")
        shown = text("<b>first</b>", language="en").classes("data").props("data-shown=1")
        text("حذاء nike", language="ar").classes("arabic")
        log = text("").classes("log")
        ui.button("Yes").props("data-shortcut=y")
        ui.button("Undo").props("data-shortcut=z")

    def handle(shortcut: Shortcut) -> None:
        log.text += f"{shortcut.key}{shortcut.shown} "
        shown.props("data-shown=2")

    on_shortcut(handle)


if __name__ == "__main__":
    serve(page, title="Example", port=0, open_browser=False)
