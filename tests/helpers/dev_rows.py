"""Dev rows with p(yes), and params of `calibrate`, for tests."""

from __future__ import annotations

import numpy as np
import polars as pl

from babelshelf.calibrate.params import CalibrateParams
from babelshelf.core.params import section

SECTIONS = {"per_language": {"shrinkage": 100}, "logistic": {"penalties": [10]}}


def dev(labels: np.ndarray, p_yes: np.ndarray, languages: str = "en") -> pl.DataFrame:
    """Rows of the languages in turn, two to a group."""
    names = [languages.split()[i % len(languages.split())] for i in range(len(labels))]
    groups = [f"g{i // 2}" for i in range(len(labels))]
    return pl.DataFrame({"language": names, "group": groups, "label": labels.astype(np.int8), "p_yes": p_yes})


def params(
    method: str = "shared", threshold: float | str = "tuned", folds: int = 5, **sections: dict[str, object]
) -> CalibrateParams:
    """The section `calibrate`; `sections` replace those of methods."""
    values = {"method": method, "threshold": threshold, "folds": folds} | SECTIONS | sections
    return section(CalibrateParams, {"calibrate": values}, "calibrate", None)


def logistic(logits: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x))."""
    p: np.ndarray = 1 / (1 + np.exp(-logits))
    return p


def simulated(
    generator: np.random.Generator,
    rows: int,
    languages: int,
    *,
    intercept: float,
    slope: float = 0.0,
    share: float = 0.6,
    separation: float = 1.5,
) -> pl.DataFrame:
    """Rows of which the true probability is known, with a p(yes) that is wrong by language.

    The true logit of a row is normal; that of p(yes) is (true - a) / b, with log b and a normal over languages. Groups
    have three rows of one language.

    Args:
        generator: of all of it.
        rows: in each language.
        languages: their number.
        intercept: standard deviation of a.
        slope: standard deviation of log b.
        share: about that of relevant rows.
        separation: standard deviation of the true logits.

    Returns:
        Columns `language`, `group`, `label`, `p_yes` and `p_true`.
    """
    language = np.repeat(np.arange(languages), rows)
    true = np.log(share / (1 - share)) + separation * generator.normal(size=len(language))
    a, b = intercept * generator.normal(size=languages), np.exp(slope * generator.normal(size=languages))
    p_true = logistic(true)
    return pl.DataFrame(
        {
            "language": [f"l{number}" for number in language],
            "group": [f"g{number // 3}" for number in range(len(language))],
            "label": (generator.random(len(language)) < p_true).astype(np.int8),
            "p_yes": logistic((true - a[language]) / b[language]),
            "p_true": p_true,
        }
    )
