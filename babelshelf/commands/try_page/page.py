"""The page of `babelshelf try`: a query, its candidates with the models' answers, and why, on demand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from babelshelf.commands.try_page.trial import Answer, Errors, Example, Found, QueryTrial
from babelshelf.core import languages
from babelshelf.web.layout import page_frame, text

if TYPE_CHECKING:
    from nicegui.events import GenericEventArguments

GUESS = ""  # the choice of the language that leaves it to the page
LETTERS = "AB"  # of the models, side by side
STEPS = {"original": "your labels", "translated": "translation", "negative": "mined negative"}


class TryPage:
    """The elements of one browser tab.

    Args:
        trial: what is shown.
    """

    def __init__(self, trial: QueryTrial) -> None:
        from nicegui import ui  # noqa: PLC0415 - an extra

        self._trial, self._ui = trial, ui
        self._language = GUESS

    def show(self) -> None:
        """Add the elements."""
        ui = self._ui
        ui.add_css((Path(__file__).parent / "try.css").read_text(encoding="utf-8"))
        with page_frame(f"Try {self._trial.task}"):
            self._models()
            self._form()
            self._status = text("", "p").classes("soft").props('role="status" aria-live="polite"')
            self._results = ui.element("section").classes("results").props('aria-label="Candidates"')

    def _models(self) -> None:
        for letter, model in zip(LETTERS, self._trial.models, strict=False):
            threshold = f"threshold {model.calibration.threshold:.3f}" if model.calibrated else "no threshold, 0.5"
            own = ", by language" if model.calibration.thresholds else ""
            name = f"{letter}: " if len(self._trial.models) > 1 else ""
            text(f"{name}{model.name} ({threshold}{own})").classes("soft")

    def _form(self) -> None:
        names = {code: f"{languages.name(code)} ({code})" for code in self._trial.languages}
        with self._ui.element("form").classes("ask").on("submit.prevent", self._search):
            self._query = self._ui.input("Query").classes("query").props("autofocus outlined dense dir=auto")
            with self._ui.element("select").classes("language").props('aria-label="Language"') as language:
                for code, name in {GUESS: "Guess the language", **names}.items():
                    text(name, "option").props(f'value="{code}"')
            language.on("change", self._choose, js_handler="(event) => emit(event.target.value)")
            text("Search", "button").props("type=submit")  # Quasar's would take the focus from the query

    async def _choose(self, event: GenericEventArguments) -> None:
        self._language = str(event.args)
        await self._search()

    async def _search(self) -> None:
        query, chosen = str(self._query.value or "").strip(), self._language
        if not query:
            return
        start = time.perf_counter()
        guessed = None if chosen else await asyncio.to_thread(self._trial.guess_language, query)
        language = chosen or guessed or self._trial.languages[0]
        results = await asyncio.to_thread(self._trial.search, query, language)
        seconds = time.perf_counter() - start
        note = "" if chosen else ", guessed" if guessed else ", as the query does not tell"
        self._status.text = (
            f"{languages.name(language)}{note}. {len(results)} nearest of {self._trial.catalogue_size:,} candidates, "
            f"{sum(one.answers[0].is_relevant for one in results)} relevant, in {seconds:.2f} s."
        )
        self._results.clear()
        with self._results:
            for one in results:
                self._candidate(one)

    def _candidate(self, found: Found) -> None:
        details = self._ui.element("details").classes("found")
        with details:
            with self._ui.element("summary"):
                self._path(found.levels)
                if len({answer.is_relevant for answer in found.answers}) > 1:
                    text("The models disagree.").classes("unsure")
                for letter, answer in zip(LETTERS, found.answers, strict=False):
                    self._answer(letter if len(found.answers) > 1 else "", answer)
            why = self._ui.element("div").classes("why")

        async def explain(_: GenericEventArguments) -> None:
            if not why.default_slot.children:
                await self._explain(found, why)

        details.on("toggle", explain)

    def _path(self, levels: Sequence[str]) -> None:
        with self._ui.element("div").classes("path").props('dir="auto"'):
            for level in levels:
                text(level, "span").classes("level")

    def _answer(self, letter: str, answer: Answer) -> None:
        """A bar of p(yes) with the threshold as a mark, and both as text."""
        color = "yes" if answer.is_relevant else "no"
        word = "relevant" if answer.is_relevant else "irrelevant"
        with self._ui.element("div").classes("probability" if letter else "probability single"):
            if letter:
                text(letter, "span").classes("field-name")
            with self._ui.element("div").classes(f"bar {color}").props('aria-hidden="true"'):
                self._ui.element("div").classes("filled").style(f"width: {100 * answer.p:.1f}%")
                self._ui.element("div").classes("threshold").style(f"inset-inline-start: {100 * answer.threshold:.1f}%")
            text(f"{answer.p:.3f} {word}", "span").classes(f"number {color}")

    async def _explain(self, found: Found, why: Any) -> None:  # noqa: ANN401 - an element of NiceGUI
        examples = await asyncio.to_thread(self._trial.examples, found)
        errors = [
            await asyncio.to_thread(self._trial.errors, found, number) for number in range(len(self._trial.models))
        ]
        with why:
            text(f"Cosine of query and candidate: {found.cosine:.3f}").classes("soft")
            text("The training pairs most like this one", "h2")
            self._examples(examples)
            for letter, answer, measured in zip(LETTERS, found.answers, errors, strict=False):
                text(f"Errors of {letter} on test" if len(errors) > 1 else "Errors on test", "h2")
                self._errors(answer, measured)

    def _examples(self, examples: Sequence[Example]) -> None:
        with self._ui.element("table").classes("pairs"):
            with self._ui.element("thead"), self._ui.element("tr"):
                for heading in ("Query", "Candidate", "Language", "Label", "Made by", "Likeness"):
                    text(heading, "th")
            with self._ui.element("tbody"):
                for example in examples:
                    with self._ui.element("tr"):
                        text(example.query, "td", language=example.language)
                        text(example.candidate, "td", language="")
                        text(example.language, "td")
                        word, color = ("relevant", "yes") if example.label else ("irrelevant", "no")
                        text(word, "td").classes(color)
                        text(_step(example), "td")
                        text(f"{example.similarity:.2f}", "td")

    def _errors(self, answer: Answer, errors: Errors | None) -> None:
        if errors is None:
            text("Not measured: only the recipe's final model has predictions of test.").classes("soft")
            return
        word = "relevant" if answer.is_relevant else "irrelevant"
        text(
            f"Wrong: {errors.wrong} of the {errors.pairs} test pairs most like this one that were answered “{word}” "
            f"({errors.wrong / max(errors.pairs, 1):.0%}), and {errors.share:.0%} of all with that answer."
        )
        if errors.examples:
            with self._ui.element("table").classes("pairs"), self._ui.element("tbody"):
                for query, language, candidate in errors.examples:
                    with self._ui.element("tr"):
                        text(query, "td", language=language)
                        text(candidate, "td", language="")


def _step(example: Example) -> str:
    """The step that made a pair, and of what; then who changed its label."""
    step = STEPS.get(example.origin, example.origin)
    if example.parent is not None and example.origin == "translated":
        query, language = example.parent
        step = f"{step} of “{query}” ({language})"
    return step if example.relabelled_by is None else f"{step}; label changed by {example.relabelled_by}"
