"""A threshold for each language of dev, shrunk to the shared one."""

from __future__ import annotations

import polars as pl
from pydantic import Field

from babelshelf.calibrate.params import CalibrateParams
from babelshelf.calibrate.thresholds import DIGITS, best_threshold
from babelshelf.core.params import Section
from babelshelf.tables.calibration import Calibration
from babelshelf.tables.predictions import arrays

COMPLEXITY = 1
SECTION = """
shrinkage: 150 # dev rows at which a language's own threshold counts as much as the shared one
"""


class Params(Section):
    """`calibrate.per_language`.

    Attributes:
        shrinkage: number of dev rows at which a language's own threshold has the same weight as the shared one.
    """

    shrinkage: float = Field(ge=0)


def fit(rows: pl.DataFrame, settings: CalibrateParams, seed: int) -> Calibration:
    """The thresholds; see `babelshelf.calibrate.methods`."""
    return thresholds(rows, settings.own(Params, "per_language").shrinkage)


def thresholds(rows: pl.DataFrame, shrinkage: float) -> Calibration:
    """The shared threshold with the best F1, and one for each language.

    A language has few dev rows, so its best threshold is noisy. It is shrunk to the shared one, as a mean to its prior:
    (n best + k shared) / (n + k), where n is the language's number of rows and k the shrinkage. A language with only
    one of the labels has the shared threshold.

    Args:
        rows: labelled, columns `language`, `label`, `p_yes`.
        shrinkage: k, in rows; 0: no shrinkage.
    """
    shared = best_threshold(*arrays(rows))
    by_language = {}
    for language in sorted(rows["language"].unique()):
        labels, p_yes = arrays(rows.filter(pl.col("language") == language))
        best = best_threshold(labels, p_yes) if labels.any() and not labels.all() else shared
        shrunk = (len(labels) * best + shrinkage * shared) / (len(labels) + shrinkage)
        by_language[language] = round(shrunk, DIGITS)
    return Calibration(shared, by_language)
