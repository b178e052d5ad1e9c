"""Translated queries in languages without labels: how many rows, and in which languages."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from babelshelf.commands.tune.context import Context
from babelshelf.commands.tune.recipe import Option, StepUnavailableError, Tools, TrainingSet
from babelshelf.core.errors import InputError
from babelshelf.core.work_cache import WorkCache
from babelshelf.text.keys import keys
from babelshelf.translate.backends.lexicon import read_glossary
from babelshelf.translate.params import TranslateParams
from babelshelf.translate.translation import plan, translate_rows
from babelshelf.translate.translator import Translator, load_translator

ORDER = 10
NAME = "translation"
PAPER_ROWS = 10_000  # a language
FEWEST = 20  # rows a language below which nothing could be seen
LEAST_KEPT = 0.1  # of the planned rows: a glossary of other words translates hardly any
TRIED = 8  # queries whose time says whether the backend is fast enough
MOST_SECONDS = 90.0


class TranslationStep:
    """Translations of the rows that may be trained on, into each language that some split lacks.

    Args:
        task: qc or qi.
        pool: translated rows, `ROW_SCHEMA`.
        planned: by rows a language, the ids of the translated rows.
        languages: into which `params` would have it translate.
    """

    name = NAME

    def __init__(self, task: str, pool: pl.DataFrame, planned: dict[int, pl.Series], languages: list[str]) -> None:
        self._task, self._pool, self._planned, self._languages = task, pool, planned, languages
        self._keys = keys(pool["query"])

    def texts(self) -> Sequence[str]:
        """The translated queries."""
        return self._pool["query"].to_list()

    def options(self) -> list[Option]:
        """Rows a language, into the languages without labels."""
        return [Option(NAME, f"{rows:,} rows a language", {"rows": rows}) for rows in self._planned]

    def refinements(self, best: Option) -> list[Option]:
        """Nothing further."""
        return []

    def apply(self, training: TrainingSet, option: Option, tools: Tools) -> TrainingSet:
        """Add translations into the languages that a split lacks, none of a query that it measures on."""
        chosen = self._pool["id"].is_in(self._planned[option.values["rows"]].implode())
        chosen &= self._pool["parent_id"].is_in(training.rows["id"].implode())
        derived, derived_keys = self._pool.filter(chosen), self._keys.filter(chosen)
        measured = keys(tools.data.rows["query"])
        allowed = [
            derived["language"].is_in(sorted(split.absent)).to_numpy()
            & ~derived_keys.is_in(measured.filter(pl.Series(split.test)).implode()).to_numpy()
            for split in tools.splits
        ]
        return training.with_derived(derived, np.stack(allowed, axis=1))

    def params(self, option: Option) -> dict[tuple[str, ...], Any]:
        """Rows, and languages: without a language that train lacks, these stay."""
        rows: dict[tuple[str, ...], Any] = {
            ("tasks", self._task, "translate", "rows_per_language"): option.values["rows"]
        }
        return rows | ({("translate", "languages"): self._languages} if self._languages else {})


def load(context: Context) -> TranslationStep:
    """Translate, with the backend and the work cache of the stage.

    Raises:
        StepUnavailableError: there is no language to translate into, or no backend that translates these queries.
    """
    settings = context.section(TranslateParams, "translate")
    if not settings.languages:
        raise StepUnavailableError("translate.languages is [] in params.yaml: there is no translator or glossary")
    if not context.languages:
        raise StepUnavailableError("train has every language of dev, and too few to leave some out")
    known = _known(settings)
    targets = [language for language in context.languages if known is None or language in known]
    sources = [language for language in context.data.languages if known is None or language in known]
    if not targets or not sources:
        raise StepUnavailableError(f"the backend {settings.backend} knows none of {', '.join(context.languages)}")
    most = min(PAPER_ROWS, context.data.rows.height, context.text_budget // len(targets))
    if most < FEWEST:
        raise StepUnavailableError("no time to embed translations: give more --minutes")
    settings = settings.model_copy(update={"languages": targets, "sources": sources, "rows_per_language": most})
    rows = context.data.rows.filter(pl.Series(context.data.trainable))
    try:
        with closing(load_translator(settings, Path(settings.glossary))) as translator:
            _check_speed(translator, rows, targets[0], most * len(targets))
            translated = translate_rows(
                rows,
                pl.Series([], dtype=pl.String),
                translator=translator,
                cache=WorkCache(context.cache / "translate"),
                settings=settings,
                seed=context.seed,
            )
    except InputError as error:
        raise StepUnavailableError(error.message) from error
    pool = translated.rows.filter(origin="translated")
    total = plan(rows, settings, context.seed).height
    if pool.height < LEAST_KEPT * total:
        raise StepUnavailableError(
            f"{settings.backend} translated only {pool.height:,} of {total:,} queries well enough; "
            "for the lexicon, translate.glossary needs the words of your queries"
        )
    absent = [language for language in context.data.absent if language in targets]
    return TranslationStep(context.data.task, pool, _planned(rows, settings, context.seed), absent)


def _planned(rows: pl.DataFrame, settings: TranslateParams, seed: int) -> dict[int, pl.Series]:
    """Ids of the rows that the stage would translate with so many rows a language."""
    numbers = [max(FEWEST, settings.rows_per_language // 4), settings.rows_per_language]
    return {
        number: plan(rows, settings.model_copy(update={"rows_per_language": number}), seed).select(
            pl.format("{}/{}", "id", "target").alias("id")
        )["id"]
        for number in sorted(set(numbers))
    }


def _known(settings: TranslateParams) -> set[str] | None:
    """Languages of the backend; None where it does not say."""
    if settings.backend == "lexicon":
        try:
            return set(read_glossary(Path(settings.glossary)).languages)
        except InputError as error:
            raise StepUnavailableError(error.message) from error
    languages = getattr(getattr(settings, settings.backend, None), "languages", None)
    return None if languages is None else set(languages)


def _check_speed(translator: Translator, rows: pl.DataFrame, target: str, number: int) -> None:
    source = rows.filter(pl.col("language") != target)
    some = source.filter(language=source["language"][0])["query"].unique(maintain_order=True).head(TRIED).to_list()
    started = time.monotonic()
    translator.translate(some, source["language"][0], target)
    seconds = (time.monotonic() - started) * number / len(some)
    if seconds > MOST_SECONDS:
        raise StepUnavailableError(f"translating {number:,} queries takes about {seconds / 60:.0f} minutes here")
