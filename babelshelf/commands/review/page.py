"""The page of `babelshelf review`: one pair at a time, with what is known about it, and keys to decide."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from nicegui import ui

from babelshelf.commands.review.gloss import Glosses
from babelshelf.commands.review.items import ReviewItem
from babelshelf.commands.review.session import PersonsFile, ReviewSession, Saved
from babelshelf.commands.review.text_vectors import TextVectors
from babelshelf.core import languages
from babelshelf.web.layout import Shortcut, isolated, on_shortcut, page_frame, text

LABELS = {1: "relevant", 0: "not relevant", None: "no label"}
ANSWERS = {1: "yes", 0: "no", None: "unsure"}
KEYS: dict[str, int | None] = {"y": 1, "n": 0, "u": None}
BUTTONS = (("y", "Relevant", "yes"), ("n", "Not relevant", "no"), ("u", "Unsure", "unsure"), ("z", "Undo", "soft"))
ALL = "all"


@dataclass(frozen=True)
class ReviewMaterial:
    """What a page shows.

    Attributes:
        name: of the person.
        items: in the order in which they are shown.
        files: the person's file by task.
        glosses, vectors: by task; None where there are none.
    """

    name: str
    items: list[ReviewItem]
    files: Mapping[str, PersonsFile]
    glosses: Mapping[str, Glosses]
    vectors: Mapping[str, TextVectors | None]


class ReviewPage:
    """The elements of one browser tab.

    Args:
        material: what to show.
    """

    def __init__(self, material: ReviewMaterial) -> None:
        self._material = material
        self._session = ReviewSession(material.items, material.files)
        self._numbers = {(item.task, item.pair): number for number, item in enumerate(material.items)}
        self._filters: dict[str, str] = {}
        with page_frame("Review"):
            self._filter_fields()
            self._progress_bar = ui.linear_progress(show_value=False).props("aria-label=progress")
            with ui.element("div").classes("line soft"):
                self._progress = text("").classes("progress")
                self._saved = text("").classes("saved").props("aria-live=polite")
            self._card = ui.element("div").classes("panel review-card")
        on_shortcut(self._handle)
        self._show()

    def _handle(self, shortcut: Shortcut) -> None:
        """A key: a decision on what was shown when it was pressed, or undo."""
        try:
            if shortcut.key == "z":
                self._report(self._session.undo())
            elif shortcut.key in KEYS and shortcut.shown == self._shown_number():
                self._report(self._session.decide(KEYS[shortcut.key]))
        except OSError as error:  # a full disk, for example
            self._saved.text = f"Not saved: {error.strerror}"

    def _report(self, saved: Saved | None) -> None:
        """Show the next item, and what is on the disk now."""
        self._show()
        if saved is None:
            self._saved.text = "Nothing to undo"
            return
        what = f"took back “{ANSWERS[saved.label]}”" if saved.is_undo else f"“{ANSWERS[saved.label]}”"
        self._saved.text = (
            f"Saved at {saved.at.astimezone():%H:%M:%S}: {what} on {isolated(saved.item.query, saved.item.language)}"
        )

    def _shown_number(self) -> str:
        item = self._session.current
        return "" if item is None else str(self._numbers[item.task, item.pair])

    def _show(self) -> None:
        shown, decided = len(self._session.shown), self._session.decided
        self._progress.text = f"{self._material.name}: {decided:,} of {shown:,} decided"
        self._progress_bar.value = decided / shown if shown else 1.0
        self._card.clear()
        self._card.props["data-shown"] = self._shown_number()
        item = self._session.current
        with self._card:
            if item is None:
                text(_nothing_left(self._material.files), "h2")
            else:
                self._pair(item)
            _buttons(has_item=item is not None)
            if item is not None:
                self._neighbours(item)

    def _pair(self, item: ReviewItem) -> None:
        with ui.element("div").classes("line soft"):
            for part in (languages.name(item.language), item.task, item.origin, item.queue):
                text(part, "span").classes("chip")
        with ui.element("section").classes("fact"):
            text("Query", "h2")
            text(item.query, language=item.language).classes("data query")
            if gloss := self._material.glosses[item.task].of(item):
                note = "translation in the data" if gloss.source == "translation" else "word by word, from the glossary"
                text(f"English: {gloss.text} ({note})").classes("soft gloss")
        with ui.element("section").classes("fact"):
            text("Category" if item.task == "qc" else "Item", "h2")
            text(item.candidate, language="").classes("data candidate")
        with ui.element("section").classes("fact"):
            for line in evidence(item):
                text(line).classes("soft evidence")

    def _neighbours(self, item: ReviewItem) -> None:
        vectors = self._material.vectors[item.task]
        found = vectors.nearest(item) if vectors is not None else []
        if not found:
            return
        text("Nearest labelled rows", "h2")
        with ui.element("table").classes("neighbours"), ui.element("tbody"):
            for row in found:
                with ui.element("tr"):
                    text(LABELS[row.label], "td").classes(ANSWERS[row.label])
                    text(row.query, "td", language=row.language)
                    text(row.candidate, "td", language="")

    def _filter_fields(self) -> None:
        with ui.element("div").classes("line filters"):
            for name, value_of in FILTERS.items():
                values = sorted({value_of(item) for item in self._material.items})
                if len(values) > 1:
                    options = {ALL: ALL} | {value: _option(name, value) for value in values}
                    field = ui.select(options, value=ALL, label=name, on_change=self._filter(name))
                    field.props(f"dense outlined data-filter={name}").classes("filter")

    def _filter(self, name: str) -> Callable[[Any], None]:
        def changed(event: Any) -> None:  # noqa: ANN401 - NiceGUI's arguments
            self._filters[name] = event.value
            chosen = {key: value for key, value in self._filters.items() if value != ALL}
            self._session.narrow(lambda item: all(FILTERS[key](item) == value for key, value in chosen.items()))
            self._show()

        return changed


FILTERS: dict[str, Callable[[ReviewItem], str]] = {
    "task": lambda item: item.task,
    "language": lambda item: item.language,
    "origin": lambda item: item.origin,
    "queue": lambda item: item.queue,
}


def evidence(item: ReviewItem) -> Iterable[str]:
    """What is known about a pair's label, a line each."""
    yield f"Label in the data: {LABELS[item.label]}"
    if item.p_yes is not None:
        contradicts = ", against the label" if item.contradiction > 0.5 else ""
        yield f"Model: {item.p_yes:.0%} relevant{contradicts}"
    if item.judges:
        yield "Judges: " + "; ".join(f"{said}: {', '.join(names)}" for said, names in item.judges.items())
    if item.translations:
        yield f"The decision also holds for {item.translations} translated rows"


def _buttons(*, has_item: bool) -> None:
    with ui.element("div").classes("line buttons"):
        for key, label, kind in BUTTONS:
            if has_item or key == "z":
                with ui.element("button").classes(f"answer {kind}").props(f"data-shortcut={key} type=button"):
                    text(label, "span")
                    text(key.upper(), "kbd")


def _nothing_left(files: Mapping[str, PersonsFile]) -> str:
    tasks = " ".join(f"filter@{task}" for task in files)
    return f"All decided. Commit reviews/, then `dvc repro {tasks}` applies the decisions."


def _option(name: str, value: str) -> str:
    return languages.name(value) if name == "language" else value
