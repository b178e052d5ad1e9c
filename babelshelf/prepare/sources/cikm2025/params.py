"""The params of the source `cikm2025`: the section `prepare.cikm2025`."""

from __future__ import annotations

from babelshelf.pairs.params import CutParams, Tasks
from babelshelf.prepare.published import PublishedParams

SECTION = r"""
tasks: [qc, qi] # that there are files of
split:
  dev_share: 0.1 # of query groups of train: dev and test have no labels
  test_share: 0.15
  holdout_languages: [] # kept out of train, as a stand-in for languages without labels
max_bad_share: 0.01 # of train rows; up to it, bad rows are dropped and written to data/original/dropped.csv
conflicts: keep # drop or majority: what becomes of a pair with both labels
long: {query: 200, candidate: 500} # characters; longer texts are counted
longest_query: 1000 # characters; a longer one is a bad row
"""


class Params(PublishedParams):
    """The competition's folder; its format is known."""

    tasks: Tasks  # that there are files of
    split: CutParams
