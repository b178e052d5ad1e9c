"""A real category tree in several languages as a source of task `qc`: a name is a query, an English path a candidate.

It reads `<folder>/<locale>/categories.txt` in the format in which Shopify publishes its product taxonomy
(https://github.com/Shopify/product-taxonomy, `dist/`): `id : A > B > C`, `#` comments, blank lines.

- A category is in one split with its names in all languages. A name that several categories have, in whichever
  languages, is left out as a query of all of them: it has no single right answer, and it could be in two splits.
- The negatives of a split are paths of that split. From all paths, those of dev and test would be known in train by
  label 0 alone, and in dev and test the positives would be new to a model while most negatives were not.
- Ancestors and descendants of the true category are never candidates of its queries (see `taxonomy.tree`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from babelshelf.core.errors import InputError
from babelshelf.core.rows import ROW_SCHEMA
from babelshelf.prepare.label_noise import clean_share, with_noise
from babelshelf.prepare.marketplace import Inputs, Marketplace, TaskData, single
from babelshelf.prepare.sources.taxonomy.categories import Category, read_categories
from babelshelf.prepare.sources.taxonomy.params import SECTION, Params
from babelshelf.prepare.sources.taxonomy.tree import draw_negatives, shells
from babelshelf.tables.truth import FACTS_SCHEMA, Truth
from babelshelf.text.keys import key

__all__ = ["SECTION", "TASKS", "Params", "read"]
TASKS = ("qc",)
FEWEST = 2  # categories of a split: one alone has no negatives
SINGLE = pl.col("id").n_unique().over("key") == 1  # of names: just one category has it


def read(inputs: Inputs, settings: Params, seed: int) -> Marketplace:
    """Make the task `qc` from a category tree.

    Args:
        inputs: one folder, which holds `<locale>/categories.txt`.
        settings: locales, sizes and shares.
        seed: all that is drawn depends on it and the tree alone.

    Returns:
        Queries in the train languages in train and in all languages in dev and test; the glossary and the texts are
        made from the train split alone.

    Raises:
        InputError: the folder is not in that format, its locales disagree, or it is too small for the settings.
    """
    folder = single(inputs)
    rng = np.random.default_rng([seed, *b"taxonomy"])
    categories = read_categories(folder, settings.locales)
    splits = _split(_choose(categories, settings.categories, folder, rng), settings, rng)
    names = _names(splits)
    queries = _queries(names, settings.train_languages)
    tables = {split: _table(split, splits[split], queries, settings, rng) for split in splits}
    everything = [category for split in splits.values() for category in split]
    task = TaskData(
        train=with_noise(tables["train"], settings.label_noise, rng),
        dev=tables["dev"],
        test=tables["test"],
        candidates=_candidates(splits),
        truth=Truth(
            groups=_facts((category.id, category) for category in everything),
            candidates=_facts((category.candidate, category) for category in everything),
        ),
    )
    held_out = set(queries.filter(pl.col("split") != "train")["key"])
    return Marketplace(
        tasks={"qc": task},
        texts=_texts(splits["train"], queries),
        glossary=_glossary(splits["train"], categories, held_out),
        counts={"ambiguous_names": names.filter(~SINGLE).height},
    )


# --- splits ---


def _choose(categories: list[Category], wanted: int | str, folder: Path, rng: np.random.Generator) -> list[Category]:
    """`wanted` categories at random: leaves first, then, if there are too few, their parents, the deepest first."""
    count = len(categories) if wanted == "all" else int(wanted)
    if count > len(categories):
        raise InputError(
            f"{folder}: has {len(categories)} categories, but prepare.taxonomy.categories asks for {count}: lower it"
        )
    parents = {category.path[:level] for category in categories for level in range(len(category.path))}
    shuffled = [categories[i] for i in rng.permutation(len(categories))]
    leaves = [category for category in shuffled if category.path not in parents]
    inner = [category for category in shuffled if category.path in parents]
    return (leaves + sorted(inner, key=lambda category: -len(category.path)))[:count]


def _split(chosen: list[Category], settings: Params, rng: np.random.Generator) -> dict[str, list[Category]]:
    """The categories of each split, sorted by path."""
    shuffled = [chosen[i] for i in rng.permutation(len(chosen))]
    dev, test = (round(share * len(chosen)) for share in (settings.dev_share, settings.test_share))
    parts = {"train": shuffled[dev + test :], "dev": shuffled[:dev], "test": shuffled[dev : dev + test]}
    for split, part in parts.items():
        if len(part) < FEWEST:
            raise InputError(
                f"{len(chosen)} categories leave {len(part)} in {split}: raise prepare.taxonomy.categories or its share"
            )
    return {split: sorted(part, key=lambda category: category.path) for split, part in parts.items()}


# --- rows ---


def _names(splits: dict[str, list[Category]]) -> pl.DataFrame:
    """All names: `split`, `own` (index of the category in its split), `id`, `language`, `query`, `key`."""
    names = [
        (split, own, category.id, language, name, key(name))
        for split, part in splits.items()
        for own, category in enumerate(part)
        for language, name in category.names.items()
    ]
    return pl.DataFrame(names, schema=["split", "own", "id", "language", "query", "key"], orient="row")


def _queries(names: pl.DataFrame, train_languages: Sequence[str]) -> pl.DataFrame:
    """Names that just one category has; those of train in its languages alone."""
    spoken = (pl.col("split") != "train") | pl.col("language").is_in(list(train_languages))
    return names.filter(SINGLE).filter(spoken)


def _table(
    split: str, part: list[Category], queries: pl.DataFrame, settings: Params, rng: np.random.Generator
) -> pl.DataFrame:
    """Rows of a split, those of a query together: its one positive, and as many negatives as the others have."""
    asked = queries.filter(split=split)
    positives, negatives, hard_share = _sizes(split, asked.height, settings)
    asked = asked[rng.permutation(asked.height)[:positives]]
    owners = rng.permutation(np.arange(negatives) % positives)
    hard = round(hard_share * negatives)
    near, far = (np.bincount(some, minlength=positives) for some in (owners[:hard], owners[hard:]))
    own = asked["own"].to_numpy()
    try:
        query, negative = draw_negatives(shells([category.path for category in part]), own, near, far, rng)
    except ValueError as error:
        raise InputError(
            f"{split}: {error}: raise prepare.taxonomy.categories or positive_share, or lower rows_train"
        ) from error
    query = np.concatenate([np.arange(positives), query])
    candidate = np.concatenate([own, negative])
    order = np.lexsort((rng.random(len(query)), query))
    label = (np.arange(len(query)) < positives)[order]
    return _rows(split, asked[query[order]], part, candidate[order], label)


def _sizes(split: str, queries: int, settings: Params) -> tuple[int, int, float]:
    """Positive rows, negative rows, and the hard share of these."""
    share = settings.positive_share
    if split != "train":
        return queries, round(queries / share) - queries, settings.hard_share_held_out
    positives = round(settings.rows_train * clean_share(share, settings.label_noise))
    if not 0 < positives <= queries:
        raise InputError(
            f"prepare.taxonomy: {settings.rows_train} rows with a positive share of {share} need {positives} queries, "
            f"but train has {queries}: change rows_train or positive_share, or raise categories"
        )
    return positives, settings.rows_train - positives, settings.hard_share_train


def _rows(
    split: str, asked: pl.DataFrame, part: list[Category], candidate: np.ndarray, label: np.ndarray
) -> pl.DataFrame:
    """`core.rows.ROW_SCHEMA`; `asked` gives each row's query, `candidate` the index of its path in the split."""
    paths = pl.Series([category.candidate for category in part])
    ids = pl.Series([category.id for category in part])
    number = pl.int_range(1, pl.len() + 1).cast(pl.String).str.zfill(6)
    return asked.select(
        "language",
        "query",
        id=pl.lit(f"qc-{split}-") + number,
        task=pl.lit("qc"),
        candidate=paths[candidate],
        label=pl.Series(label).cast(pl.Int8),
        origin=pl.lit("original"),
        parent_id=pl.lit(None, dtype=pl.String),
        group=ids[asked["own"]],
    ).select(ROW_SCHEMA.names())


# --- what stands beside the rows ---


def _candidates(splits: dict[str, list[Category]]) -> pl.DataFrame:
    paths = [(category.candidate, split == "train") for split, part in splits.items() for category in part]
    return pl.DataFrame(paths, schema=["candidate", "in_train"], orient="row").sort("candidate")


def _facts(owned: Iterable[tuple[str, Category]]) -> pl.DataFrame:
    facts = [(owner, [f"category:{category.id}"]) for owner, category in owned]
    return pl.DataFrame(facts, schema=FACTS_SCHEMA, orient="row").sort("key")


def _texts(train: list[Category], queries: pl.DataFrame) -> pl.DataFrame:
    """Names in the train languages and paths of the train split, sorted, so that nothing tells which pair up."""
    paths = pl.DataFrame({"text": [category.candidate for category in train]})
    asked = queries.filter(split="train").select(text="query", language="language", kind=pl.lit("query"))
    sold = paths.select("text", language=pl.lit("en"), kind=pl.lit("candidate"))
    return pl.concat([asked, sold]).unique().sort("text", "language", "kind")


def _glossary(train: list[Category], categories: list[Category], held_out: set[str]) -> pl.DataFrame:
    """Names of the train categories and of their ancestors, one term an English name; none has a held-out query."""
    by_path = {category.path: category for category in categories}
    paths = sorted({category.path[:level] for category in train for level in range(1, len(category.path) + 1)})
    terms: dict[str, dict[str, str]] = {}
    for path in paths:
        names = by_path[path].names if path in by_path else {}
        if names and not held_out.intersection(map(key, names.values())):
            terms.setdefault(key(names["en"]), names)
    languages = sorted(categories[0].names, key=lambda language: language != "en")  # English first
    return pl.DataFrame(list(terms.values()), schema=dict.fromkeys(languages, pl.String))
