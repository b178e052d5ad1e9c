"""The params of the source `demo`: the section `prepare.demo`."""

from __future__ import annotations

from pydantic import Field

from babelshelf.core.params import Section

SECTION = r"""
rows_train: {qc: 30000, qi: 30000}
rows_dev: 150 # per language
rows_test: 300 # per language
positive_share: {qc: 0.69, qi: 0.62} # of rows labelled 1; in train, label noise included
hard_share_train: 0.1 # of negatives: siblings in the tree, or the same product with a wrong attribute
hard_share_held_out: 0.5
label_noise: 0.1 # of train labels, flipped in both classes alike
wrong_language: 0.02 # of train queries, declared as another train language
english_share: 0.3 # of train queries; the other train languages share the rest equally
brand_share: 0.5 # of queries that name a brand
fillers: 0.1 # of queries with a word such as "cheap" or "buy"
code_mixing: 0.08 # of queries in other languages, with one part in English
typing_errors: 0.08 # of queries, with one edit in one word
sellers: 1 # of an item; with more, a title's nearest neighbours are the same item, relevant to the same queries
"""


class RowsPerTask(Section):
    """A number of rows for each task."""

    qc: int = Field(gt=0)
    qi: int = Field(gt=0)


class SharePerTask(Section):
    """A share for each task: with fewer positives, a query of five candidates could not hold the negatives."""

    qc: float = Field(ge=0.4, le=0.8)
    qi: float = Field(ge=0.4, le=0.8)


class Params(Section):
    """The simulated marketplace."""

    rows_train: RowsPerTask
    rows_dev: int = Field(gt=0)  # per language
    rows_test: int = Field(gt=0)  # per language
    positive_share: SharePerTask  # of rows labelled 1; in train, label noise included
    hard_share_train: float = Field(ge=0, le=1)  # of negatives: siblings, or the same product with a wrong attribute
    hard_share_held_out: float = Field(ge=0, le=1)
    label_noise: float = Field(ge=0, le=0.2)  # of train labels, flipped in both classes alike
    wrong_language: float = Field(ge=0, le=1)  # of train queries, declared as another train language
    english_share: float = Field(gt=0, le=1)  # of train queries; the other languages share the rest equally
    brand_share: float = Field(ge=0, le=1)  # of queries that name a brand
    fillers: float = Field(ge=0, le=1)  # of queries with a word that says nothing of the item, such as "cheap"
    code_mixing: float = Field(ge=0, le=1)  # of queries in other languages, with one part in English
    typing_errors: float = Field(ge=0, le=1)  # of queries, with one edit in one word
    sellers: int = Field(ge=1)  # of an item of `qi`, each of whom words its title
