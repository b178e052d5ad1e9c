"""The classifier: logistic regression on the embedder's vectors, with the params of the section `classifier`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from babelshelf.distill.student_inputs import StudentInputs
    from babelshelf.distill.teaching import Lessons


def train(lessons: Lessons, inputs: StudentInputs, folder: Path) -> dict[str, Any]:
    """Fit it on the targets; its scores of the training rows are out of fold. See `babelshelf.distill.students`."""
    from sklearn.metrics import average_precision_score  # noqa: PLC0415 - slow to import, as what fits and writes

    from babelshelf.classifier.features import training_features  # noqa: PLC0415
    from babelshelf.classifier.model_folder import encoder_record, write_model  # noqa: PLC0415
    from babelshelf.classifier.training import Examples, RowsFit, fit_with_folds  # noqa: PLC0415

    features = training_features(lessons.rows, inputs.encoder, inputs.vectors)
    fit = fit_with_folds(Examples(features, lessons.targets, lessons.rows["group"]), inputs.head, inputs.seed)
    rows = lessons.rows.head(lessons.training)
    scores = rows.select("id", p_yes=pl.Series(fit.out_of_fold[: lessons.training]))
    labelled = rows["label"].is_not_null()
    metrics = {
        "penalty": fit.classifier.penalty,
        "penalties": {str(penalty): loss for penalty, loss in fit.log_loss.items()},
        "average_precision": average_precision_score(rows["label"].filter(labelled), scores["p_yes"].filter(labelled)),
    }
    record = {
        **inputs.record,
        "encoder": encoder_record(inputs.encoder, inputs.head),
        "penalty": fit.classifier.penalty,
    }
    write_model(folder, RowsFit(fit.classifier, features.reference, scores, metrics), record, inputs.embedder)
    return metrics
