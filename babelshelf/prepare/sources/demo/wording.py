"""How the demo's shoppers word a query and its sellers an item title, from the same facts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from babelshelf.prepare.sources.demo.lexicon import Lexicon, Product
from babelshelf.text import keys

if TYPE_CHECKING:
    from babelshelf.prepare.sources.demo.params import Params

T = TypeVar("T")

# Sellers' orders of an English title; "synonym" is a second name of the product, "phrase" an advertising phrase.
TITLE_ORDERS = (
    ("brand", "model", "audience", "material", "product", "synonym", "use", "colour", "size", "phrase"),
    ("phrase", "brand", "model", "colour", "material", "product", "use", "audience", "size", "synonym"),
    ("brand", "material", "product", "model", "synonym", "audience", "use", "size", "colour", "phrase"),
    ("size", "colour", "product", "brand", "model", "material", "audience", "use", "synonym", "phrase"),
    ("audience", "product", "use", "material", "synonym", "phrase", "colour", "size", "brand", "model"),
)
TITLE_CASE_SHARE = 0.85
TITLE_SYNONYM_SHARE = 0.4
TITLE_PHRASES = (0.45, 0.4, 0.15)  # shares of titles with 0, 1 and 2 phrases
UNITS = {"gb": "GB", "mah": "mAh", "w": "W", "v": "V", "l": "L"}  # as they are printed, not as they are typed

LOWER_CASE_BRAND_SHARE = 0.8  # shoppers seldom press shift
JOINED_SHARE = {"th": 0.5}  # Thai is written without spaces between words; half of its shoppers type them all the same
KEYBOARD_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


@dataclass(frozen=True)
class Item:
    """A product with the facts that are stated of it: what a query asks for, or what a title offers.

    `stated` is `{kind: value}`; the kinds are brand, model, colour, material, audience, use and `size:<kind>`.
    """

    product: Product
    stated: Mapping[str, str]

    @cached_property
    def facts(self) -> tuple[str, ...]:
        """The product's fact and then the stated ones, sorted."""
        return (self.product.fact, *sorted(f"{kind}:{value}" for kind, value in self.stated.items()))

    @cached_property
    def name(self) -> str:
        """All facts in one string, which no other item has."""
        return "; ".join(self.facts)


def pick(options: Sequence[T], rng: np.random.Generator) -> T:
    """One of the options, all equally likely."""
    return options[int(rng.integers(len(options)))]


def usual(options: Sequence[T], rng: np.random.Generator) -> T:
    """One of the options, the most usual first: 60 %, 24 %, 10 %, ..., the last the rest."""
    return options[min(int(rng.geometric(0.6)), len(options)) - 1]


def some(options: Sequence[T], shares: Sequence[float], rng: np.random.Generator) -> list[T]:
    """Different options, as many as drawn: `shares` are those of 0, 1, 2, ... options."""
    place = rng.random()
    count = sum(place >= limit for limit in accumulate(shares[:-1]))
    return [options[i] for i in rng.permutation(len(options))[:count]]


def query(item: Item, language: str, lexicon: Lexicon, settings: Params, rng: np.random.Generator) -> str:
    """A query that asks for the item: every stated fact, in the language's order, with the usual carelessness."""
    order = lexicon.orders[language]
    kinds = _in_order(order, item)
    english = pick(kinds, rng) if language != "en" and rng.random() < settings.code_mixing else None
    parts = []
    for kind in kinds:
        leads = order.index(_slot(kind)) < order.index("product")
        spoken = "en" if kind == english else language
        parts.append(_phrasing(item, kind, lexicon, rng, language=spoken, leads=leads))
    if rng.random() < settings.typing_errors:
        parts = _with_typing_error(parts, [kind not in ("brand", "model") for kind in kinds], rng)
    words = _joined(parts, JOINED_SHARE.get(language, 0.0), rng)
    if rng.random() < settings.fillers:
        filler = pick(lexicon.fillers[language], rng)
        words = f"{filler} {words}" if language == "en" else f"{words} {filler}"
    return keys.stored(words)


def title(item: Item, lexicon: Lexicon, rng: np.random.Generator) -> str:
    """An English title that states all facts of the item, as a marketplace's seller writes it."""
    order = pick(TITLE_ORDERS, rng)
    pieces: dict[str, list[str]] = {slot: [] for slot in order}
    for kind in _in_order(order, item):
        leads = order.index(_slot(kind)) < order.index("product")
        phrase = _phrasing(item, kind, lexicon, rng, language="en", leads=leads, as_printed=True)
        pieces[_slot(kind)].append(phrase)
    first = pieces["product"][0]
    others = [name for name in item.product.names["en"] if name not in first and first not in name]
    if others and rng.random() < TITLE_SYNONYM_SHARE:
        pieces["synonym"] = [usual(others, rng)]
    pieces["phrase"] = some(lexicon.phrases, TITLE_PHRASES, rng)
    words = " ".join(piece for slot in order for piece in pieces[slot])
    return keys.stored(_title_case(words) if rng.random() < TITLE_CASE_SHARE else words)


def _slot(kind: str) -> str:
    return kind.split(":", maxsplit=1)[0]


def _in_order(order: Sequence[str], item: Item) -> list[str]:
    """The kinds of an item's facts, the product among them, in the order of their slots."""
    return sorted(["product", *item.stated], key=lambda kind: (order.index(_slot(kind)), kind))


def _phrasing(
    item: Item,
    kind: str,
    lexicon: Lexicon,
    rng: np.random.Generator,
    *,
    language: str,
    leads: bool,
    as_printed: bool = False,
) -> str:
    """One fact in words; `leads`: the product's name is still to come, so that "for men" may not stand here."""
    if kind in ("brand", "model"):
        lower = not as_printed and rng.random() < LOWER_CASE_BRAND_SHARE
        return item.stated[kind].lower() if lower else item.stated[kind]
    if kind == "product":
        return usual(item.product.names[language], rng)
    options = lexicon.phrasings(kind, item.stated[kind], language)
    if leads and language == "en":
        options = tuple(option for option in options if not option.startswith("for ")) or options
    phrasing = usual(options, rng)
    return _printed(phrasing, kind) if as_printed and kind.startswith("size:") else phrasing


def _printed(size: str, kind: str) -> str:
    """A size as it is printed: "XL", "128GB", "15cm"."""
    if kind == "size:clothing":
        return " ".join(word if word == "size" else word.upper() for word in size.split())
    return re.sub(r"(?<=\d) ?([a-z]{1,3})$", lambda m: UNITS.get(m[1], m[1]), size)


def _title_case(words: str) -> str:
    small = {"for", "of", "with", "and", "to"}
    return " ".join(word if word in small else word[:1].upper() + word[1:] for word in words.split())


def _joined(parts: Sequence[str], share: float, rng: np.random.Generator) -> str:
    """The parts with spaces between them, but for a share of the borders between two letters that aren't ASCII."""
    words = parts[0]
    for part in parts[1:]:
        joins = not words[-1].isascii() and not part[0].isascii() and rng.random() < share
        words += part if joins else f" {part}"
    return words


def _with_typing_error(parts: list[str], editable: list[bool], rng: np.random.Generator) -> list[str]:
    """The parts with one edit in one word; brands and numbers stay, since they'd become others."""
    words = [part.split(" ") for part in parts]
    places = [
        (i, j)
        for i, of_part in enumerate(words)
        for j, word in enumerate(of_part)
        if editable[i] and len(word) > 2 and not any(c.isdigit() for c in word)
    ]
    if places:
        i, j = pick(places, rng)
        words[i][j] = pick(EDITS, rng)(words[i][j], rng)
    return [" ".join(of_part) for of_part in words]


def _swap(word: str, rng: np.random.Generator) -> str:
    at = int(rng.integers(1, len(word) - 1))
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def _drop(word: str, rng: np.random.Generator) -> str:
    at = int(rng.integers(1, len(word)))
    return word[:at] + word[at + 1 :]


def _double(word: str, rng: np.random.Generator) -> str:
    at = int(rng.integers(1, len(word)))
    return word[:at] + word[at] + word[at:]


def _neighbour(word: str, rng: np.random.Generator) -> str:
    """A key beside the right one; in scripts without a QWERTY keyboard two letters swapped instead."""
    at = int(rng.integers(1, len(word)))
    beside = NEIGHBOURS.get(unicodedata.normalize("NFD", word[at])[0])
    return word[:at] + pick(beside, rng) + word[at + 1 :] if beside else _swap(word, rng)


NEIGHBOURS = {
    letter: row[max(i - 1, 0) : i] + row[i + 1 : i + 2] for row in KEYBOARD_ROWS for i, letter in enumerate(row)
}
EDITS: tuple[Callable[[str, np.random.Generator], str], ...] = (_swap, _drop, _double, _neighbour)
