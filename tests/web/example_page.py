"""A page with two texts and two keys: `python -m tests.web.example_page`."""

from __future__ import annotations

from babelshelf.web.layout import Shortcut, on_shortcut, page_frame, text
from babelshelf.web.server import serve

MARKUP = "<b>first</b> {{ 1 + 1 }} `${2 + 2}` </script> &amp; \\\\n"  # all of it is to be shown


def page() -> None:
    """The elements of the page."""
    from nicegui import ui  # noqa: PLC0415 - not in the environment of vLLM

    with page_frame("Example"):
        ui.input("Field").props("data-field")
        shown = text(MARKUP, language="en").classes("data").props("data-shown=1")
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
