"""The demo's sellers: item titles that are what a query asks for, nearly that, or something else."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from babelshelf.core.errors import InputError
from babelshelf.prepare.sources.demo.queries import MAX_DRAWS, Counts, Market, Query, draw_attributes, draw_brand
from babelshelf.prepare.sources.demo.wording import Item, pick, title

EXTRAS = (0.2, 0.35, 0.3, 0.15)  # shares of titles that state 0, 1, 2 and 3 more attributes than asked for
TITLE_BRAND_SHARE = 0.7
REUSE_SHARE = 0.9  # positives for which a title that is already on sale is taken, where there is one
MISSING_SHARE = 0.2  # hard negatives that don't state what is asked for; the others state something else
OTHER_WORDINGS = 20  # tries to word an item as no title does yet, for another seller
SIBLING_SHARE = 0.35  # hard negatives that are another product of the shelf

# Values that a shopper may take for one another: a title with the one is no negative for a query with the other.
CLOSE = (
    {"blue", "navy"},
    {"yellow", "gold"},
    {"grey", "silver"},
    {"brown", "beige"},
    {"kids", "boys", "girls", "babies", "teens"},
    {"women", "girls", "seniors"},
    {"men", "boys", "seniors"},
    {"wood", "bamboo", "rattan"},
    {"cotton", "denim", "canvas"},
    {"outdoor", "hiking", "camping", "garden"},
    {"gym", "yoga"},
)


@dataclass(frozen=True)
class Title:
    """A text on sale, and the item that it states."""

    text: str
    item: Item

    @cached_property
    def facts(self) -> frozenset[str]:
        """Those of the item."""
        return frozenset(self.item.facts)


class Catalogue:
    """The titles on sale in a split; it grows as queries ask for items that nobody sells yet."""

    def __init__(self, market: Market, split: str, rng: np.random.Generator) -> None:
        self.titles: list[Title] = []
        self._of_product: dict[str, list[Title]] = defaultdict(list)
        self._market, self._split, self._rng = market, split, rng

    def near(self, asked: Query, counts: Counts) -> list[tuple[str, int]]:
        """Positives and hard negatives of a query with their labels; what isn't on sale yet is put on sale."""
        facts = frozenset(asked.item.facts)
        found: list[Title] = []
        for _ in range(counts.positive):
            used = {taken.text for taken in found}
            on_sale = self._of_product[asked.item.product.fact]
            matches = [offered for offered in on_sale if facts <= offered.facts and offered.text not in used]
            reuses = matches and self._rng.random() < REUSE_SHARE
            found.append(pick(matches, self._rng) if reuses else self._offer(asked.item, asked.item))
        wrong = [self._offer(nearly(asked.item, self._market, self._rng), asked.item) for _ in range(counts.hard)]
        return [(new.text, 1) for new in found] + [(new.text, 0) for new in wrong]

    def far(self, asked: Query, count: int) -> list[str]:
        """Easy negatives: titles from other shelves.

        Raises:
            InputError: there are too few.
        """
        far: list[str] = []
        for _ in range(MAX_DRAWS):
            if len(far) == count:
                return far
            offered = pick(self.titles, self._rng)
            if offered.item.product.shelf != asked.item.product.shelf and offered.text not in far:
                far.append(offered.text)
        raise InputError(f"{self._split} has too few titles from other shelves for {asked.text!r}: ask for more rows")

    def resell(self, sellers: int, rng: np.random.Generator) -> None:
        """Put each item on sale by that many sellers, each in words of their own, as far as there are other words.

        What is relevant to a query then has near neighbours that are relevant, too.
        """
        for offered in list(self.titles):
            for _ in range(sellers - 1):
                wordings = (title(offered.item, self._market.lexicon, rng) for _ in range(OTHER_WORDINGS))
                new = next((words for words in wordings if self._market.titles.claim_new(words, self._split)), None)
                if new is not None:
                    self.titles.append(Title(new, offered.item))

    def _offer(self, item: Item, asked: Item) -> Title:
        """Put an item on sale that states more than `item`, but nothing more of the kinds that are asked for."""
        settled = {*item.stated, *asked.stated}
        for _ in range(MAX_DRAWS):
            share = 0.0 if "brand" in settled else TITLE_BRAND_SHARE
            brand = draw_brand(self._market, item.product, share, self._rng)
            extras = draw_attributes(item.product, settled, EXTRAS, self._rng)
            offered = Item(item.product, {**item.stated, **brand, **extras})
            words = title(offered, self._market.lexicon, self._rng)
            if self._market.titles.claim_new(words, self._split):
                new = Title(words, offered)
                self.titles.append(new)
                self._of_product[item.product.fact].append(new)
                return new
        raise InputError(f"the lexicon is too small for so many titles of {item.product.fact}: ask for fewer rows")


def nearly(item: Item, market: Market, rng: np.random.Generator) -> Item:
    """An item that is nearly what is asked for: one fact is wrong or missing, or it is a sibling of the product."""
    kinds = sorted(item.stated)
    if not kinds or rng.random() < SIBLING_SHARE:
        return _sibling(item, market, rng)
    kind = pick(kinds, rng)
    stated = {k: v for k, v in item.stated.items() if k != kind and not (kind == "brand" and k == "model")}
    others = _other_values(item, kind, market)
    if others and rng.random() >= MISSING_SHARE:
        stated[kind] = pick(others, rng)
    return Item(item.product, stated)


def _other_values(item: Item, kind: str, market: Market) -> list[str]:
    """Values of a kind that no shopper takes for the one that is asked for."""
    own = item.stated[kind]
    brands = market.lexicon.brands[item.product.department]
    if kind == "brand":
        return [brand.name for brand in brands if brand.name != own]
    if kind == "model":
        models = [m for brand in brands if brand.name == item.stated["brand"] for m in brand.models]
        return [model for model in models if model != own]
    close = set().union(*(values for values in CLOSE if own in values), {own})
    return [value for value in item.product.values[kind] if value not in close]


def _sibling(item: Item, market: Market, rng: np.random.Generator) -> Item:
    """Another product of the same shelf, else department, with as much of what is stated as can be said of it."""
    others = [product for product in market.lexicon.products if product.fact != item.product.fact]
    shelf = [product for product in others if product.shelf == item.product.shelf]
    product = pick(shelf or [p for p in others if p.department == item.product.department], rng)
    fitting = {k: v for k, v in item.stated.items() if k in ("brand", "model") or v in product.values.get(k, ())}
    return Item(product, fitting)
