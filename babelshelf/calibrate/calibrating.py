"""Choose the calibration of a task on dev, and measure it there."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from sklearn.metrics import average_precision_score

from babelshelf.calibrate.cross_validation import cross_validated, f1, gain_error, simplest
from babelshelf.calibrate.params import AUTO, METHODS, SHARED, CalibrateParams
from babelshelf.calibrate.thresholds import scores_at
from babelshelf.tables.calibration import Calibration
from babelshelf.tables.predictions import all_yes_f1, arrays, labelled


def calibrate(predictions: pl.DataFrame, settings: CalibrateParams, seed: int) -> dict[str, Any]:
    """Choose the calibration, and measure it on dev.

    Args:
        predictions: dev, columns `language`, `group`, `label` and `p_yes`; rows without a label are left out and
            counted.
        settings: a fixed threshold or `tuned`; the method and its params; number of folds.
        seed: the pipeline's seed, for the folds.

    Returns:
        The metrics of the stage: the method that was used, the `Calibration` (`threshold`, and what else the method
        gives); F1 and average precision; labelled rows of each language; if the threshold is tuned and dev has enough
        groups, `cross_validated`: of each method, F1 on rows that it was not fitted on, and its difference to the
        simplest method's F1 with a standard error.
    """
    rows = labelled(predictions)
    labels, p_yes = arrays(rows)
    answers = cross_validated(rows, settings, seed)
    if isinstance(settings.threshold, float):
        method, calibration = SHARED, Calibration(settings.threshold)
    else:
        method = simplest(rows, answers) if settings.method == AUTO else settings.method
        calibration = METHODS.load(method).fit(rows, settings, seed)
    validated = {
        name: {
            "f1": f1(labels, yes),
            "gain": f1(labels, yes) - f1(labels, answers[SHARED]),
            "gain_error": gain_error(rows, answers[SHARED], yes),
        }
        for name, yes in answers.items()
    }
    sizes = rows["language"].value_counts().sort("language")
    return {
        "method": method,
        **calibration.metrics(),
        "f1": f1(labels, calibration.answer(rows)["is_relevant"].to_numpy()),
        "f1_at_half": f1(labels, p_yes >= 0.5),
        "all_yes_f1": all_yes_f1(labels),
        "average_precision": float(average_precision_score(labels, p_yes)),
        **({"cross_validated": validated} if validated else {}),
        "rows": rows.height,
        "rows_by_language": dict(sizes.iter_rows()),
        "unlabelled": predictions.height - rows.height,
    }


def curve(predictions: pl.DataFrame, calibration: Calibration) -> pl.DataFrame:
    """F1 over the threshold (the paper's Figure 2) in steps of 0.01; columns as in `scores_at`.

    Over thresholds on p(yes), or on the recalibrated one where the calibration has such.
    """
    rows = calibration.recalibrate(labelled(predictions))
    labels, p_yes = arrays(rows)
    judged = rows["p_calibrated"].to_numpy() if "p_calibrated" in rows.columns else p_yes
    return scores_at(labels, judged, np.arange(101) / 100)
