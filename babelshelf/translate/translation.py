"""Translate training queries into languages that have no training data.

Only the query is translated: the candidate stays in English and the label stays what a human said. The plan samples
labelled original rows by query group, the translator runs behind a cache that outlives the process, and what fails a
check (`babelshelf.translate.checks`) is dropped and reported.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from babelshelf.core.languages import number
from babelshelf.core.partial_work import fingerprint
from babelshelf.core.rows import ROW_SCHEMA, concat
from babelshelf.core.work_cache import WorkCache
from babelshelf.runtime.screen import progress
from babelshelf.text.keys import stored
from babelshelf.text.language_id import Identification, Tolerance, identify, supported
from babelshelf.translate.checks import Case, Rules, countable, failed_check, find_names, made_checks
from babelshelf.translate.translator import Translation, Translator, UnfinishedError

if TYPE_CHECKING:
    from babelshelf.translate.params import TranslateParams

STREAM = 3  # this module's own stream of random numbers among those of the pipeline's seed
REQUEST = ["target", "language", "query"]


@dataclass(frozen=True)
class Translated:
    """What `translate_rows` gives.

    Attributes:
        rows: a complete training set: all original rows, then the translated ones that passed the checks.
        dropped: columns `target`, `language` (of the source), `query`, `translation`, `reason` (the first
            failed check), `rows`.
        counts: metrics, by target language.
    """

    rows: pl.DataFrame
    dropped: pl.DataFrame
    counts: dict[str, Any]


def translate_rows(
    rows: pl.DataFrame,
    held_out: pl.Series,
    *,
    translator: Translator,
    cache: WorkCache[str],
    settings: TranslateParams,
    seed: int,
) -> Translated:
    """Add translated rows to a training set.

    Args:
        rows: the training set, `core.rows.ROW_SCHEMA`.
        held_out: keys (`text.key`) of the queries of dev and test of all tasks: no translation may equal one.
        translator: the backend.
        cache: where translations are kept as they come.
        settings: the stage's params.
        seed: the pipeline's.
    """
    planned = plan(rows, settings, seed)
    requests = planned.group_by(REQUEST, maintain_order=True).agg(rows=pl.len())
    translations = run(requests, translator, cache, settings.batch_size)
    originals = rows.filter(pl.col("origin") == "original").unique(["language", "query"], maintain_order=True)
    rules = _rules(find_names(originals), held_out, settings, translator)
    checked = check(requests, translations, rules)
    kept = assemble(planned, checked)
    counted = _count(checked, settings.languages, made_checks(rules))
    counts = {"translator": dict(translator.counts), "names": len(rules.names), **counted}
    dropped = checked.filter(pl.col("reason").is_not_null())
    return Translated(concat(rows, kept), dropped.select(*REQUEST, "translation", "reason", "rows"), counts)


def plan(rows: pl.DataFrame, settings: TranslateParams, seed: int) -> pl.DataFrame:
    """The rows to translate: those of `rows` that were sampled, with a column `target`, once for each target.

    All rows of a query group in one language go together, so that the balance of their labels is kept; the source
    languages share `rows_per_language` in proportion to their rows. A row is never translated into its own language.
    """
    usable = rows.filter(
        pl.col("origin").is_in(["original", "negative"]),  # random negatives, or a language would be all relevant
        pl.col("label").is_not_null(),
        pl.col("language").is_in(settings.sources),
    )
    sampled = [usable.clear().with_columns(target=pl.lit(""))]  # without languages there is nothing to translate
    for target in settings.languages:
        generator = np.random.default_rng([seed, STREAM, number(target)])
        chosen = _sample(usable.filter(pl.col("language") != target), settings.rows_per_language, generator)
        sampled.append(chosen.with_columns(target=pl.lit(target)))
    return pl.concat(sampled)


def run(requests: pl.DataFrame, translator: Translator, cache: WorkCache[str], batch_size: int) -> list[Translation]:
    """Translations of the requests (columns `REQUEST`), in their order; what the cache has is not made again.

    Raises:
        UnfinishedError: the translator's; what it could translate is in the cache by then.
    """
    request_rows = list(requests.select(REQUEST).iter_rows())
    keys = [fingerprint(translator.identity, *request) for request in request_rows]
    texts = cache.get_many(keys)
    missing = [(key, request) for key, request in zip(keys, request_rows, strict=True) if key not in texts]
    with progress(total=len(missing), desc="translate", unit="query") as bar:
        for target, source, batch in _batches(missing, batch_size):
            batch_keys = [key for key, _ in batch]
            try:
                translations = translator.translate([query for _, query in batch], source, target)
            except UnfinishedError as error:
                cache.put_many(_values(batch_keys, error.made))
                raise
            new = _values(batch_keys, translations)
            cache.put_many(new)
            texts |= new
            bar.update(len(batch))
    return [_from_text(texts[key]) for key in keys]


def check(requests: pl.DataFrame, made: list[Translation], rules: Rules) -> pl.DataFrame:
    """The requests with their translations and the first check that each failed.

    Returns:
        `requests` with the columns `translation`, `reason` (the failed check, null where all passed), `words` (of the
        query that ask for a translation) and `left` (how many of them the backend left as they were).
    """
    texts = [stored(translation.text) for translation in made]
    identified = _identify(texts, rules)
    cases = [
        Case(query, text, target, translation.untranslated, translation.complete, language)
        for (target, query), text, translation, language in zip(
            requests.select("target", "query").iter_rows(), texts, made, identified, strict=True
        )
    ]
    failed = [failed_check(case, rules) for case in progress(cases, desc="check", unit="query")]
    return requests.with_columns(
        pl.Series("translation", [case.translation for case in cases], pl.String),
        pl.Series("reason", failed, pl.String),
        pl.Series("words", [len(countable(case.query_words, rules.names)) for case in cases], pl.Int64),
        pl.Series("left", [len(countable(case.untranslated, rules.names)) for case in cases], pl.Int64),
    )


def _rules(names: frozenset[str], held_out: pl.Series, settings: TranslateParams, translator: Translator) -> Rules:
    skipped = set() if translator.limits_length else {"incomplete"}
    if not settings.language_check.enabled:
        skipped.add("language")
    return Rules(
        names,
        frozenset(held_out.to_list()),
        settings.min_translated,
        Tolerance(**settings.language_check.tolerance.model_dump()),
        sorted({*settings.languages, *settings.sources}),
        frozenset(skipped),
    )


def _identify(texts: list[str], rules: Rules) -> list[Identification | None]:
    """Of each text the language it seems to be in, of the rules' languages; None without the check."""
    if "language" in rules.skipped or len(supported(rules.languages)) < 2:
        return [None] * len(texts)
    return identify(texts, rules.languages)


def assemble(planned: pl.DataFrame, checked: pl.DataFrame) -> pl.DataFrame:
    """Rows (`core.rows.ROW_SCHEMA`) of the planned ones whose query's translation passed, in the plan's order."""
    passed = checked.filter(pl.col("reason").is_null()).select(*REQUEST, "translation")
    return (
        planned.join(passed, on=REQUEST, how="inner", maintain_order="left")
        .with_columns(
            id=pl.format("{}/{}", "id", "target"),
            parent_id=pl.col("id"),
            language=pl.col("target"),
            query=pl.col("translation"),
            origin=pl.lit("translated"),
        )
        .select(list(ROW_SCHEMA))
    )


def _sample(rows: pl.DataFrame, wanted: int, generator: np.random.Generator) -> pl.DataFrame:
    """About `wanted` rows, whole query groups of each language in proportion to its rows.

    A group is taken where at least half of its rows fall within its language's share, so the sum comes out at `wanted`
    give or take a group a language.
    """
    groups = rows.group_by("language", "group").agg(size=pl.len().cast(pl.Int64)).sort("language", "group")
    shuffled = groups.with_columns(order=pl.Series(generator.permutation(groups.height))).sort("language", "order")
    before = pl.col("size").cum_sum().over("language") - pl.col("size")
    share = wanted * pl.col("size").sum().over("language") / max(rows.height, 1)
    chosen = shuffled.filter(before + pl.col("size") / 2 <= share)
    return rows.join(chosen, on=["language", "group"], how="semi", maintain_order="left")


def _batches(
    missing: list[tuple[str, tuple[str, str, str]]], batch_size: int
) -> Iterator[tuple[str, str, list[tuple[str, str]]]]:
    """Target, source and up to `batch_size` (key, query) of one direction at a time."""
    directions: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for key, (target, source, query) in missing:
        directions.setdefault((target, source), []).append((key, query))
    for (target, source), queries in directions.items():
        for start in range(0, len(queries), batch_size):
            yield target, source, queries[start : start + batch_size]


def _values(keys: Sequence[str], made: Sequence[Translation | None]) -> dict[str, str]:
    """What the cache holds of those that were made."""
    pairs = zip(keys, made, strict=True)
    return {key: json.dumps(astuple(made), ensure_ascii=False) for key, made in pairs if made is not None}


def _from_text(text: str) -> Translation:
    translation, untranslated, complete = json.loads(text)
    return Translation(translation, tuple(untranslated), complete)


def _count(checked: pl.DataFrame, languages: list[str], checks: list[str]) -> dict[str, Any]:
    """Metrics by target language: rows and unique queries that were planned, kept and dropped by which check."""
    tables = {language: checked.filter(pl.col("target") == language) for language in languages}

    def sizes(which: pl.Expr) -> dict[str, dict[str, int]]:
        selected = {language: table.filter(which) for language, table in tables.items()}
        return {key: {"queries": table.height, "rows": int(table["rows"].sum())} for key, table in selected.items()}

    return {
        "planned": sizes(pl.lit(value=True)),
        "kept": sizes(pl.col("reason").is_null()),
        "dropped": {name: sizes(pl.col("reason") == name) for name in checks},
        "untranslated_share": {
            language: int(table["left"].sum()) / max(int(table["words"].sum()), 1) for language, table in tables.items()
        },
    }
