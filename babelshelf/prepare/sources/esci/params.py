"""The params of the source `esci`: the section `prepare.esci`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from babelshelf.core.params import Section
from babelshelf.pairs.params import HoldoutParams
from babelshelf.prepare.published import PublishedParams

SECTION = r"""
version: large # or small: the harder queries alone
locales: [us, es, jp]
grades: {substitute: negative, complement: negative} # positive, negative or drop; exact is positive, irrelevant not
split: # test is the data set's own
  dev_share: 0.02 # of query groups of train
  holdout_languages: [] # kept out of train, as a stand-in for languages without labels
  leaks: drop # or error: rows whose query another split holds, from train
max_bad_share: 0.01 # of rows; up to it, bad rows are dropped and written to data/original/dropped.csv
conflicts: keep # drop or majority: what becomes of a pair with both labels
long: {query: 200, candidate: 500} # characters; longer texts are counted
longest_query: 1000 # characters; a longer one is a bad row
"""


Grade = Literal["positive", "negative", "drop"]


class GradesParams(Section):
    """What the grades between exact (1) and irrelevant (0) say."""

    substitute: Grade
    complement: Grade


class EsciSplitParams(HoldoutParams):
    """Test is the data set's own; dev is cut out of its train."""

    dev_share: float = Field(gt=0, lt=0.5)  # of the query groups of train
    leaks: Literal["error", "drop"]  # rows whose query another split holds: drop them from train


class Params(PublishedParams):
    """Amazon's Shopping Queries data set; its format is known, its one task is qi."""

    version: Literal["small", "large"]
    locales: list[Literal["us", "es", "jp"]] = Field(min_length=1)
    grades: GradesParams
    split: EsciSplitParams
