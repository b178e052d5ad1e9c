"""Logistic recalibration with an intercept and a slope for each language of dev, and one threshold.

With s the logit of p(yes), P(relevant) = 1 / (1 + exp(-(a + a_l + (b + b_l) s))) in language l: Platt scaling (Platt,
"Probabilistic Outputs for Support Vector Machines", 1999) with an intercept and a slope that differ by language. The
deviations a_l and b_l bear an L2 penalty, a and b none. So a language with few rows stays near the others, and one
without rows has a and b themselves.

Calibrated probabilities need no search for a threshold: the one that maximizes expected F1 is half of that maximum
(Lipton, Elkan and Narayanaswamy, "Thresholding Classifiers to Maximize F1 Score", 2014, arXiv 1402.1892, theorem 1). It
is the same for all languages, as F1 counts the rows of all of them together.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from babelshelf.calibrate.methods import shared
from babelshelf.calibrate.params import CalibrateParams
from babelshelf.calibrate.thresholds import DIGITS
from babelshelf.core.params import Section
from babelshelf.tables.calibration import LEAST, Calibration, Recalibration
from babelshelf.tables.predictions import Floats, arrays

COMPLEXITY = 2
SECTION = """
penalties: [1, 10, 100] # of the squared deviations of a language; the one with the least log loss out of fold
"""
FREE = 1e-4  # the share of the penalty that the shared slope bears: so little that it is free


class Params(Section):
    """`calibrate.logistic`.

    Attributes:
        penalties: candidates for the L2 penalty on the deviations of the languages, of which cross-validation on dev
            takes one. Half of it times the sum of the squared deviations is added to the summed log loss, with logits
            standardized; the deviations of languages are thus expected to be of size penalty ** -0.5.
    """

    penalties: list[Annotated[float, Field(gt=0)]] = Field(min_length=1)


def fit(rows: pl.DataFrame, settings: CalibrateParams, seed: int) -> Calibration:
    """The recalibration and the threshold; see `babelshelf.calibrate.methods`.

    That of `shared` where there is nothing to fit: all labels are the same, or p(yes) does not rise with the label.
    """
    penalties = settings.own(Params, "logistic").penalties
    model = recalibration(rows, _choose_penalty(rows, penalties, settings.folds, seed))
    if model is None:
        return shared.fit(rows, settings, seed)
    p_calibrated = model.recalibrate(rows)["p_calibrated"].to_numpy()
    return Calibration(round(best_expected_f1(p_calibrated) / 2, DIGITS), {}, model.recalibration, model.recalibrations)


def recalibration(rows: pl.DataFrame, penalty: float) -> Calibration | None:
    """The shared intercept and slope and those of each language, with a threshold of 0.5.

    A language whose slope is not above 0 has none of its own, as the order of its pairs would be turned around.

    Args:
        rows: labelled, columns `language`, `label`, `p_yes`.
        penalty: on the languages' squared deviations from the shared intercept and slope.

    Returns:
        None if all labels are the same, or the shared slope is not above 0.
    """
    labels, p_yes = arrays(rows)
    clipped = np.clip(p_yes, LEAST, 1 - LEAST)
    logits = np.log(clipped / (1 - clipped))
    mean, scale = float(logits.mean()), float(logits.std())
    if labels.all() or not labels.any() or np.ptp(clipped) == 0:
        return None
    languages = sorted(rows["language"].unique())
    own = np.column_stack([(rows["language"] == language).to_numpy() for language in languages]).astype(np.float64)
    slope, intercept, intercepts, slopes = _coefficients(own, (logits - mean) / scale, labels, penalty)
    if slope <= 0:
        return None
    recalibrations = {
        language: _unscaled(intercept + intercepts[number], slope + slopes[number], mean, scale)
        for number, language in enumerate(languages)
        if slope + slopes[number] > 0
    }
    return Calibration(0.5, {}, _unscaled(intercept, slope, mean, scale), recalibrations)


def best_expected_f1(p: Floats) -> float:
    """The largest expected F1 that a threshold gives, if each row is relevant with its probability.

    Expected F1 is taken as the F1 of expected counts, 2 E[tp] / (E[positives] + predicted positives), which is exact in
    the limit of many rows (arXiv 1402.1892).

    Args:
        p: probabilities, shape (n_rows,).
    """
    descending = np.sort(p)[::-1]
    expected_f1 = 2 * np.cumsum(descending) / (np.arange(1, len(p) + 1) + p.sum())
    return float(expected_f1.max())


def _choose_penalty(rows: pl.DataFrame, penalties: list[float], folds: int, seed: int) -> float:
    """The penalty with the least log loss out of fold; the largest where there are fewer query groups than folds."""
    if len(penalties) == 1 or rows["group"].n_unique() < folds:
        return max(penalties)
    from sklearn.model_selection import GroupKFold  # noqa: PLC0415 - slow to import

    splits = list(GroupKFold(folds, shuffle=True, random_state=seed).split(rows, groups=rows["group"].to_numpy()))
    losses = {penalty: sum(_loss(rows[rest], rows[held], penalty) for rest, held in splits) for penalty in penalties}
    return min(sorted(penalties, reverse=True), key=lambda penalty: losses[penalty])


def _loss(rest: pl.DataFrame, held_out: pl.DataFrame, penalty: float) -> float:
    """Summed log loss of a fold; the p(yes) of the model serves where there is nothing to fit."""
    model = recalibration(rest, penalty)
    p = held_out["p_yes"] if model is None else model.recalibrate(held_out)["p_calibrated"]
    of_label = np.where(held_out["label"] == 1, p, 1 - p)
    return -float(np.log(np.maximum(of_label, LEAST)).sum())


def _coefficients(
    own: npt.NDArray[np.float64], logits: Floats, labels: npt.NDArray[np.bool_], penalty: float
) -> tuple[float, float, Floats, Floats]:
    """Shared slope and intercept, and the languages' deviations from both.

    Args:
        own: whether a row is of a language, shape (n_rows, n_languages).
        logits: standardized, shape (n_rows,).
        labels: shape (n_rows,).
        penalty: on the squared deviations.
    """
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - slow to import

    free = FREE**-0.5  # a coefficient of a column times k bears 1 / k ** 2 of the penalty
    design = np.column_stack([free * logits, own, own * logits[:, None]])
    model = LogisticRegression(C=1 / penalty, solver="newton-cholesky").fit(design, labels)
    slope, *deviations = model.coef_[0]
    intercepts, slopes = np.array(deviations).reshape(2, -1)
    return free * float(slope), float(model.intercept_[0]), intercepts, slopes


def _unscaled(intercept: float, slope: float, mean: float, scale: float) -> Recalibration:
    """For logits that are not standardized."""
    return Recalibration(round(float(intercept - slope * mean / scale), DIGITS), round(float(slope / scale), DIGITS))
