"""A prediction of the other label with at least some confidence; the paper's rule.

With confidence c, p(yes) <= 1 - c contradicts label 1, and p(yes) >= c contradicts label 0 ("A Data-Centric Approach to
Multilingual E-Commerce Product Search", arXiv 2510.21671, the section on self-validated data filtering).
"""

from __future__ import annotations

import polars as pl
from pydantic import Field

from babelshelf.core.params import Section
from babelshelf.filter.params import FilterParams

SECTION = """
at_least: 0.75 # in the other label
"""


class Params(Section):
    """`tasks.<task>.filter.confidence`.

    Attributes:
        at_least: the probability of the other label from which on it contradicts the given one.
    """

    at_least: float = Field(gt=0.5, le=1)


def flagged(rows: pl.DataFrame, settings: FilterParams) -> pl.Series:
    """Which labels are contradicted; see `babelshelf.filter.rules`."""
    least = settings.own(Params, "confidence").at_least
    p_yes = pl.col("p_yes")
    return rows.select(flagged=pl.when(pl.col("label") == 1).then(1 - p_yes >= least).otherwise(p_yes >= least))[
        "flagged"
    ]
