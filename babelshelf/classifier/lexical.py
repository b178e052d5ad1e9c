"""Lexical features of pairs: character n-grams, words and numbers that query and candidate share; scripts; lengths.

Texts are compared by their keys (`babelshelf.text.keys`): case, width and punctuation count for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import HashingVectorizer

from babelshelf.core.rows import LEVEL
from babelshelf.encoder.embedded_texts import Numbers
from babelshelf.encoder.encoder import FloatArray
from babelshelf.text.keys import keys
from babelshelf.text.words import words

BLOCK = 8192  # rows whose features are made at once
HASHES = 2**20  # columns that n-grams and words are hashed to: so many that two hardly ever meet
NAMES = (
    "grams_in_candidate",  # share of the query's character 3-grams that the candidate has
    "grams_in_query",  # and of the candidate's that the query has
    "grams_in_last",  # the first, with the last level of a category path alone
    "grams_of_last",
    "words_in_candidate",
    "words_in_query",
    "numbers_in_candidate",  # share of the query's numbers that the candidate has; 0 without numbers
    "numbers_missing",  # whether it lacks one
    "same_script",  # 1 where both are in Latin letters, or both in others
    "query_length",  # logarithm of the letters
    "candidate_length",
    "candidate_levels",
)
NUMBER = re.compile(r"\d+")

Rows = slice | npt.NDArray[np.int64]


@dataclass(frozen=True)
class LexicalTexts:
    """What the lexical features need of each distinct text.

    Attributes:
        grams, words, numbers: 1 where the text has the item, shape (n_texts, HASHES).
        latin: share of Latin letters among the letters, shape (n_texts,); 1 without letters.
        length: logarithm of the number of letters, shape (n_texts,).
        levels: of a category path, shape (n_texts,).
    """

    grams: csr_matrix
    words: csr_matrix
    numbers: csr_matrix
    latin: FloatArray
    length: FloatArray
    levels: FloatArray

    @staticmethod
    def of(texts: pl.Series) -> LexicalTexts:
        """Of distinct texts, String."""
        forms = keys(texts)
        letters = forms.str.count_matches(r"\p{L}").to_numpy().astype(np.float32)
        latin = forms.str.count_matches(r"\p{Latin}").to_numpy().astype(np.float32)
        return LexicalTexts(
            grams=_sets(forms, "char_wb", ngram_range=(3, 3)),
            words=_sets(forms, words),
            numbers=_sets(forms, NUMBER.findall),
            latin=np.where(letters > 0, latin / np.maximum(letters, 1), 1).astype(np.float32),
            length=np.log1p(forms.str.len_chars().to_numpy()).astype(np.float32),
            levels=(texts.str.count_matches(LEVEL, literal=True).to_numpy() + 1).astype(np.float32),
        )

    def rows(self, query: Numbers, candidate: Numbers, last: Numbers) -> FloatArray:
        """As `features`, of any number of pairs."""
        features = np.empty((len(query), len(NAMES)), np.float32)
        for start in range(0, len(query), BLOCK):
            part = slice(start, start + BLOCK)
            features[part] = self.features(query[part], candidate[part], last[part])
        return features

    def features(self, query: Numbers, candidate: Numbers, last: Numbers) -> FloatArray:
        """The features `NAMES` of pairs, given as numbers of texts.

        Returns:
            Shape (n_pairs, len(NAMES)), float32.
        """
        grams, words_, numbers = self.grams[query], self.words[query], self.numbers[query]
        shared = _shared(grams, self.grams[candidate])
        shared_last = _shared(grams, self.grams[last])
        shared_words = _shared(words_, self.words[candidate])
        shared_numbers = _shared(numbers, self.numbers[candidate])
        columns = [
            shared / _sizes(grams),
            shared / _sizes(self.grams[candidate]),
            shared_last / _sizes(grams),
            shared_last / _sizes(self.grams[last]),
            shared_words / _sizes(words_),
            shared_words / _sizes(self.words[candidate]),
            shared_numbers / _sizes(numbers),
            shared_numbers < np.diff(numbers.indptr),
            1 - np.abs(self.latin[query] - self.latin[candidate]),
            self.length[query],
            self.length[candidate],
            self.levels[candidate],
        ]
        return np.stack(columns, axis=1).astype(np.float32)


def _sets(forms: pl.Series, analyzer: str | Callable[[str], list[str]], **options: object) -> csr_matrix:
    hashing = HashingVectorizer(
        analyzer=analyzer,
        lowercase=False,
        n_features=HASHES,
        binary=True,
        norm=None,
        alternate_sign=False,
        dtype=np.float32,
        **options,
    )
    return hashing.transform(forms.to_list())


def _shared(left: csr_matrix, right: csr_matrix) -> FloatArray:
    shared: FloatArray = np.asarray(left.multiply(right).sum(axis=1)).ravel()
    return shared


def _sizes(sets: csr_matrix) -> npt.NDArray[np.int64]:
    sizes: npt.NDArray[np.int64] = np.maximum(np.diff(sets.indptr), 1)
    return sizes
