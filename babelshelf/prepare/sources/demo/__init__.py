"""The embedded default source: a simulated marketplace that sells in 13 countries, made from a lexicon and a seed.

Intents (a product and what is asked of it) are drawn and split once for both tasks, so that no intent of dev or test
is in train in any language. An intent is worded as one query, which gets one to five candidates. A candidate is
relevant where it has all the facts that the query asks for: labels follow from facts, never from words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from babelshelf.core.errors import InputError
from babelshelf.core.rows import ROW_SCHEMA
from babelshelf.prepare.label_noise import with_noise
from babelshelf.prepare.marketplace import Inputs, Marketplace, TaskData, single
from babelshelf.prepare.sources.demo import lexicon as tables_of
from babelshelf.prepare.sources.demo.params import SECTION, Params
from babelshelf.prepare.sources.demo.queries import (
    MAX_CANDIDATES,
    SPLIT_SHARES,
    TRAIN_LANGUAGES,
    Counts,
    Market,
    Query,
    draw_queries,
)
from babelshelf.prepare.sources.demo.titles import Catalogue
from babelshelf.prepare.sources.demo.wording import pick
from babelshelf.tables.truth import FACTS_SCHEMA, Truth

__all__ = ["SECTION", "TASKS", "Params", "read"]
TASKS = ("qc", "qi")


def read(inputs: Inputs, settings: Params, seed: int) -> Marketplace:
    """Simulate the marketplace.

    Args:
        inputs: one for both tasks, the lexicon's folder, see `data/demo/README.md`.
        settings: sizes and shares.
        seed: all that is drawn depends on it alone.

    Returns:
        Both tasks, with the truth behind their labels, and the unpaired, unlabelled texts of the train side.

    Raises:
        InputError: the lexicon is not valid (see `lexicon.read`) or too small for the rows that are asked for.
    """
    folder = single(inputs)
    lexicon = tables_of.read(folder)
    leaves = {product.path: product for product in lexicon.products}
    market = Market(lexicon, settings, seed, leaves)
    _check_size(market, folder)
    tasks = {"qc": _categories_task(market), "qi": _titles_task(market)}
    return Marketplace(tasks=tasks, texts=_unpaired(tasks))


def _check_size(market: Market, folder: Path) -> None:
    """Hard negatives of a query are other leaves of its department, easy ones are leaves of other departments."""
    leaves = Counter(product.department for product in market.leaves.values())
    small = [department for department, count in leaves.items() if count <= MAX_CANDIDATES]
    if small or len(leaves) < 2:
        raise InputError(
            f"{folder / 'products'}: at least 2 departments with more than {MAX_CANDIDATES} leaf categories each are "
            f"needed; {small[0] if small else next(iter(leaves), 'the folder')} is too small or alone"
        )


# --- qc: category paths ---


def _categories_task(market: Market) -> TaskData:
    queries, rows = {}, {}
    for split in SPLIT_SHARES:
        planned = draw_queries(market, "qc", split)
        rng = market.generator("qc", split, "candidates")
        queries[split] = [drawn for drawn, _ in planned]
        rows[split] = _table(
            "qc", split, [(drawn, _paths(drawn, counts, market, rng)) for drawn, counts in planned], rng
        )
    truth = Truth(
        groups=_facts((q.group, [f"category:{q.item.product.path}"]) for split in queries.values() for q in split),
        candidates=_facts((path, [f"category:{path}"]) for path in market.leaves),
    )
    candidates = pl.DataFrame({"candidate": sorted(market.leaves)}).with_columns(in_train=pl.lit(value=True))
    return TaskData(_with_noise(rows["train"], "qc", market), rows["dev"], rows["test"], candidates, truth)


def _paths(drawn: Query, counts: Counts, market: Market, rng: np.random.Generator) -> list[tuple[str, int]]:
    """Paths and labels: the product's leaf, its siblings (else cousins), and leaves of other departments."""
    own = drawn.item.product
    pairs = [(own.path, 1)] * counts.positive
    if counts.hard + counts.easy == 0:
        return pairs
    leaves = list(market.leaves.values())
    shuffled = [leaves[i] for i in rng.permutation(len(leaves))]
    near = [leaf for leaf in shuffled if leaf.department == own.department and leaf.path != own.path]
    near.sort(key=lambda leaf: leaf.shelf != own.shelf)  # stable: siblings first, shuffled both
    far = [leaf for leaf in shuffled if leaf.department != own.department]
    return pairs + [(leaf.path, 0) for leaf in near[: counts.hard] + far[: counts.easy]]


# --- qi: item titles ---


def _titles_task(market: Market) -> TaskData:
    queries, rows, catalogues = {}, {}, {}
    for split in SPLIT_SHARES:
        planned = draw_queries(market, "qi", split)
        rng = market.generator("qi", split, "candidates")
        catalogue = Catalogue(market, split, rng)
        near = [catalogue.near(drawn, counts) for drawn, counts in planned]
        far = [[(offered, 0) for offered in catalogue.far(drawn, counts.easy)] for drawn, counts in planned]
        offers = [(drawn, n + f) for (drawn, _), n, f in zip(planned, near, far, strict=True)]
        queries[split] = [drawn for drawn, _ in planned]
        rows[split], catalogues[split] = _table("qi", split, offers, rng), catalogue
    for split, catalogue in catalogues.items():
        catalogue.resell(market.settings.sellers, market.generator("qi", split, "sellers"))
    truth = Truth(
        groups=_facts((q.group, q.item.facts) for split in queries.values() for q in split),
        candidates=_facts((t.text, sorted(t.facts)) for catalogue in catalogues.values() for t in catalogue.titles),
    )
    on_sale = [(t.text, split == "train") for split, catalogue in catalogues.items() for t in catalogue.titles]
    candidates = pl.DataFrame(on_sale, schema={"candidate": pl.String, "in_train": pl.Boolean}, orient="row")
    return TaskData(
        _with_noise(rows["train"], "qi", market), rows["dev"], rows["test"], candidates.sort("candidate"), truth
    )


# --- tables ---


def _table(
    task: str, split: str, offers: list[tuple[Query, list[tuple[str, int]]]], rng: np.random.Generator
) -> pl.DataFrame:
    """Rows of `core.rows.ROW_SCHEMA`, those of a query together, in no order within it."""
    rows: list[tuple[object, ...]] = []
    for drawn, pairs in offers:
        for i in rng.permutation(len(pairs)):
            identity = f"{task}-{split}-{len(rows) + 1:06d}"
            candidate, label = pairs[i]
            rows.append((identity, task, drawn.language, drawn.text, candidate, label, "original", None, drawn.group))
    return pl.DataFrame(rows, schema=ROW_SCHEMA, orient="row")


def _facts(pairs: Iterable[tuple[str, Sequence[str]]]) -> pl.DataFrame:
    return pl.DataFrame([(key, list(facts)) for key, facts in pairs], schema=FACTS_SCHEMA, orient="row").sort("key")


def _with_noise(rows: pl.DataFrame, task: str, market: Market) -> pl.DataFrame:
    """Train rows with label noise and wrong language codes."""
    noisy = with_noise(rows, market.settings.label_noise, market.generator(task, "noise"))
    return _with_wrong_languages(noisy, task, market)


def _with_wrong_languages(rows: pl.DataFrame, task: str, market: Market) -> pl.DataFrame:
    """Declare a share of the queries as another train language: no other language may appear in train."""
    rng = market.generator(task, "wrong languages")
    queries = rows.select("group", "language").unique(maintain_order=True)
    chosen = rng.permutation(queries.height)[: round(market.settings.wrong_language * queries.height)]
    wrong = {
        queries["group"][int(i)]: pick(
            [code for code in TRAIN_LANGUAGES[task] if code != queries["language"][int(i)]], rng
        )
        for i in chosen
    }
    codes = [wrong.get(group, code) for group, code in rows.select("group", "language").iter_rows()]
    return rows.with_columns(language=pl.Series(codes, dtype=pl.String))


def _unpaired(tasks: dict[str, TaskData]) -> pl.DataFrame:
    """Unique texts of the train side, sorted by text, so that nothing tells which belonged together."""
    parts = []
    for data in tasks.values():
        candidates = data.candidates.filter("in_train")
        parts.append(data.train.select(text="query", language="language", kind=pl.lit("query")))
        parts.append(candidates.select(text="candidate", language=pl.lit("en"), kind=pl.lit("candidate")))
    return pl.concat(parts).unique("text", keep="first", maintain_order=True).sort("text")
