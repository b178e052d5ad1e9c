"""The demo's shoppers: what they look for, how many candidates each query gets, and which split it belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from babelshelf.core.errors import InputError
from babelshelf.prepare.label_noise import clean_share
from babelshelf.prepare.sources.demo.lexicon import Lexicon, Product
from babelshelf.prepare.sources.demo.wording import Item, pick, query, some
from babelshelf.text import keys

if TYPE_CHECKING:
    from babelshelf.prepare.sources.demo.params import Params

TRAIN_LANGUAGES = {"qc": ("en", "fr", "es", "ko", "pt", "ja"), "qi": ("en", "fr", "es", "ko", "pt", "ja", "th")}
HELD_OUT_LANGUAGES = {
    "qc": (*TRAIN_LANGUAGES["qc"], "de", "it", "pl", "ar"),
    "qi": (*TRAIN_LANGUAGES["qi"], "de", "it", "pl", "ar", "vi", "id"),
}
SPLIT_SHARES = {"train": 0.6, "dev": 0.15, "test": 0.25}  # of all intents that could be drawn
MAX_DRAWS = 2000  # of one thing, before the lexicon is called too small

MAX_CANDIDATES = 5  # of a query
POSITIVES = {"qc": (1,), "qi": (1, 1, 2, 3)}  # of a query that has any: a product has one leaf, but many titles
NO_POSITIVE_SHARE = 0.1  # queries without a positive, to those with one

ATTRIBUTES_ASKED = (0.3, 0.35, 0.25, 0.1)  # shares of queries that ask for 0, 1, 2 and 3 attributes
MODEL_SHARE = 0.35  # of items with a brand that has models


@dataclass(frozen=True)
class Query:
    """An intent, worded; `group` names the intent."""

    item: Item
    language: str
    text: str

    @property
    def group(self) -> str:
        """The intent's name."""
        return self.item.name


@dataclass(frozen=True)
class Counts:
    """How many candidates of each sort a query gets."""

    positive: int
    hard: int
    easy: int


@dataclass
class Texts:
    """Which split a text belongs to; texts that a shopper would call the same are one text."""

    splits: dict[str, str] = field(default_factory=dict)

    def claim(self, words: str, split: str) -> bool:
        """Give a text to a split; False if another one has it."""
        return self.splits.setdefault(keys.key(words), split) == split

    def claim_new(self, words: str, split: str) -> bool:
        """Give a text that none has to a split; False if one has it, be it this one."""
        return keys.key(words) not in self.splits and self.claim(words, split)


@dataclass(frozen=True)
class Market:
    """What all rows are made from.

    Attributes:
        lexicon, settings, seed: as given.
        leaves: a product of each leaf category, by path.
        queries, titles: the texts in use, over all tasks, so that no split shares one with another.
    """

    lexicon: Lexicon
    settings: Params
    seed: int
    leaves: Mapping[str, Product]
    queries: Texts = field(default_factory=Texts)
    titles: Texts = field(default_factory=Texts)

    def generator(self, *names: str) -> np.random.Generator:
        """A generator of its own for each purpose, so that a change of one share leaves the rest as it was."""
        return np.random.default_rng([self.seed, *"/".join(names).encode()])


def draw_queries(market: Market, task: str, split: str) -> list[tuple[Query, Counts]]:
    """All queries of a split and what they get, unique in the task; no intent and no text is in another split.

    Raises:
        InputError: the lexicon has too few intents.
    """
    rng = market.generator(task, split, "queries")
    groups: set[str] = set()
    texts: set[str] = set()
    planned = []
    for language, plan in _plans(market, task, split):
        for counts in plan:
            spoken = language or _train_language(task, market.settings.english_share, rng)
            drawn = _draw_unused(market, split, spoken, rng, groups=groups, texts=texts)
            groups.add(drawn.group)
            texts.add(keys.key(drawn.text))
            planned.append((drawn, counts))
    return planned


def draw_brand(market: Market, product: Product, share: float, rng: np.random.Generator) -> dict[str, str]:
    """A brand of the product's department, perhaps with a model; nothing in all but `share` of the draws."""
    brands = market.lexicon.brands[product.department]
    if not brands or rng.random() >= share:
        return {}
    brand = pick(brands, rng)
    model = {"model": pick(brand.models, rng)} if brand.models and rng.random() < MODEL_SHARE else {}
    return {"brand": brand.name} | model


def draw_attributes(
    product: Product, without: Iterable[str], shares: Sequence[float], rng: np.random.Generator
) -> dict[str, str]:
    """Values of some kinds, not of those in `without`; `shares` are those of 0, 1, 2, ... kinds."""
    kinds = [kind for kind in product.values if kind not in without]
    return {kind: pick(product.values[kind], rng) for kind in some(kinds, shares, rng)}


def _plan(rows: int, positive: int, hard: int, task: str, rng: np.random.Generator) -> list[Counts]:
    """Spread rows over queries: exactly `rows` candidates, of which `positive` are relevant and `hard` nearly so."""
    positives: list[int] = []
    while (left := positive - sum(positives)) > 0:
        positives.append(min(pick(POSITIVES[task], rng), left))
    positives += [0] * round(NO_POSITIVE_SHARE * len(positives))
    places = np.repeat(np.arange(len(positives)), MAX_CANDIDATES - np.array(positives))
    owners = rng.permutation(places)[: rows - positive]
    hards = np.bincount(owners[:hard], minlength=len(positives))
    easies = np.bincount(owners[hard:], minlength=len(positives))
    plan = [Counts(p, int(h), int(e)) for p, h, e in zip(positives, hards, easies, strict=True)]
    return [plan[i] for i in rng.permutation(len(plan)) if plan[i] != Counts(0, 0, 0)]


def _plans(market: Market, task: str, split: str) -> Iterator[tuple[str | None, list[Counts]]]:
    """Plans of a split by language; train has one plan, whose language is None: each query draws its own."""
    settings = market.settings
    share = getattr(settings.positive_share, task)
    if split == "train":
        rows, hard_share = getattr(settings.rows_train, task), settings.hard_share_train
        share = clean_share(share, settings.label_noise)
        languages: tuple[str | None, ...] = (None,)
    else:
        rows = settings.rows_dev if split == "dev" else settings.rows_test
        hard_share, languages = settings.hard_share_held_out, HELD_OUT_LANGUAGES[task]
    positive = round(share * rows)
    hard = round(hard_share * (rows - positive))
    for language in languages:
        yield language, _plan(rows, positive, hard, task, market.generator(task, split, "plan", language or ""))


def _train_language(task: str, english_share: float, rng: np.random.Generator) -> str:
    return "en" if rng.random() < english_share else pick(TRAIN_LANGUAGES[task][1:], rng)


def _draw_unused(
    market: Market, split: str, language: str, rng: np.random.Generator, *, groups: set[str], texts: set[str]
) -> Query:
    for _ in range(MAX_DRAWS):
        product = pick(market.lexicon.products, rng)
        brand = draw_brand(market, product, market.settings.brand_share, rng)
        item = Item(product, brand | draw_attributes(product, (), ATTRIBUTES_ASKED, rng))
        if item.name in groups or _split_of(item.name, market.seed) != split:
            continue
        drawn = Query(item, language, query(item, language, market.lexicon, market.settings, rng))
        if keys.key(drawn.text) not in texts and market.queries.claim(drawn.text, split):
            return drawn
    raise InputError(f"the lexicon is too small for so many queries in {split}: lower prepare.demo.rows_{split}")


def _split_of(group: str, seed: int) -> str:
    """The split of an intent: a property of the intent itself, so that no order of drawing favours any split."""
    digest = blake2b(f"{seed}/{group}".encode(), digest_size=8).digest()
    place = int.from_bytes(digest, "big") / 2**64
    return "train" if place < SPLIT_SHARES["train"] else "dev" if place < 1 - SPLIT_SHARES["test"] else "test"
