"""Compare the calibration methods on dev, by cross-validation over query groups.

`auto` takes the simplest method whose F1 is within one standard error of the best one's (Breiman, Friedman, Olshen and
Stone, "Classification and Regression Trees", 1984, section 3.4.3). The standard error is that of the difference between
the two: the methods answer the same rows, and that some queries are harder than others says nothing about either.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
from sklearn.model_selection import GroupKFold

from babelshelf.calibrate.params import METHODS, SHARED, CalibrateParams
from babelshelf.tables.calibration import Calibration
from babelshelf.tables.predictions import Labels


def cross_validated(rows: pl.DataFrame, settings: CalibrateParams, seed: int) -> dict[str, Labels]:
    """Answers of each method to each row, with a calibration that was fitted on the other folds.

    All rows of a query group are in one fold.

    Args:
        rows: labelled, columns `language`, `group`, `label`, `p_yes`.
        settings: the methods, their params, and the number of folds.
        seed: the pipeline's seed, for the folds.

    Returns:
        By method, the simplest first, shape (n_rows,). Empty if the threshold is fixed, or there are fewer groups than
        folds.
    """
    if isinstance(settings.threshold, float) or rows["group"].n_unique() < settings.folds:
        return {}
    answers = {name: np.zeros(rows.height, dtype=np.bool_) for name in settings.methods}
    folds = GroupKFold(settings.folds, shuffle=True, random_state=seed)
    for rest, held_out in folds.split(rows, groups=rows["group"].to_numpy()):
        if not rows[rest]["label"].sum():
            continue
        for name, yes in answers.items():
            calibration: Calibration = METHODS.load(name).fit(rows[rest], settings, seed)
            yes[held_out] = calibration.answer(rows[held_out])["is_relevant"].to_numpy()
    return answers


def simplest(rows: pl.DataFrame, answers: Mapping[str, Labels]) -> str:
    """The first method whose F1 is within one standard error of the best one's; `shared` where none was compared.

    Args:
        rows: the labelled rows that were answered.
        answers: by method, the simplest first.
    """
    labels = rows["label"].to_numpy() == 1
    best = max(answers, key=lambda name: f1(labels, answers[name]), default=SHARED)
    for name, yes in answers.items():
        lead = f1(labels, answers[best]) - f1(labels, yes)
        if lead <= gain_error(rows, yes, answers[best]):
            return name
    return best


def f1(labels: Labels, yes: Labels) -> float:
    """F1 of the answers `yes`, shape (n_rows,)."""
    return 2 * int((labels & yes).sum()) / int(labels.sum() + yes.sum())


def gain_error(rows: pl.DataFrame, before: Labels, after: Labels) -> float:
    """Standard error of the difference of F1 between two answers to the same rows.

    F1 is a ratio of sums over query groups, so its error is that of the linearized ratio, with groups as the sampling
    units (Cochran, "Sampling Techniques", 3rd edition, 1977, section 6.4).

    Args:
        rows: labelled, columns `group` and `label`.
        before: answers, shape (n_rows,).
        after: the answers that they are compared with.
    """
    labels = rows["label"].to_numpy() == 1
    residuals = _residuals(labels, after) - _residuals(labels, before)
    by_group = pl.DataFrame({"group": rows["group"], "residual": residuals}).group_by("group").agg(pl.sum("residual"))
    groups = by_group.height
    return float(np.sqrt((by_group["residual"].to_numpy() ** 2).sum() * groups / max(groups - 1, 1)))


def _residuals(labels: Labels, yes: Labels) -> np.ndarray:
    """What each row adds to F1 beyond its share, by the derivatives of F1 = 2 tp / (positives + predicted)."""
    size = labels.astype(np.float64) + yes
    residuals: np.ndarray = (2 * (labels & yes) - f1(labels, yes) * size) / size.sum()
    return residuals
