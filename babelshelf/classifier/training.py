"""Fit a classifier on features, choose its penalty by cross-validation, and score the rows out of fold."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from sklearn.metrics import average_precision_score, log_loss

from babelshelf.classifier.contrast import Reference
from babelshelf.classifier.features import FeatureMatrix, PairFeatures, blocks
from babelshelf.classifier.logistic import Problems, Standardized, solve
from babelshelf.classifier.model import Classifier, probabilities
from babelshelf.classifier.params import HeadParams
from babelshelf.core.errors import InputError
from babelshelf.encoder.encoder import FloatArray

NO_FOLD = -1  # what the final fit leaves out

Labels = npt.NDArray[np.generic] | pl.Series
Scores = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Examples:
    """What a classifier learns from.

    Attributes:
        features: shape (n_rows, n_features).
        labels: 0, 1 or a probability between, shape (n_rows,).
        groups: of the rows, shape (n_rows,): a group's rows are in one fold.
        weights: of the rows, at least 0, shape (n_rows,); 1 by default.
        standardized: the features, standardized, where several fits share them; None: made for this one.
    """

    features: FeatureMatrix
    labels: Labels
    groups: Labels
    weights: Labels | None = None
    standardized: Standardized | None = None


@dataclass(frozen=True)
class Fit:
    """A classifier, and what the cross-validation said.

    Attributes:
        classifier: fitted on all rows.
        out_of_fold: p(yes) of each row by the model of the folds that it is not in, shape (n_rows,).
        log_loss: mean out-of-fold log loss by penalty, on the rows that the penalty was chosen on.
    """

    classifier: Classifier
    out_of_fold: Scores
    log_loss: dict[float, float]


@dataclass(frozen=True)
class RowsFit:
    """What the stage writes.

    Attributes:
        classifier: fitted on all rows that have a label.
        reference: what the features of other rows need of these.
        scores: `id` and `p_yes` of all rows, in their order: out of fold, where a row has a label.
        metrics: number of rows with a label, the chosen penalty, the log loss by penalty, and the log loss and average
            precision of the out-of-fold scores.
    """

    classifier: Classifier
    reference: Reference
    scores: pl.DataFrame
    metrics: dict[str, Any]


@dataclass(frozen=True)
class FoldedExamples:
    """Checked examples, each with a weight and the number of its group and fold."""

    features: FeatureMatrix
    labels: FloatArray
    weights: FloatArray
    group: npt.NDArray[np.int64]
    fold: npt.NDArray[np.int8]
    given: Standardized | None = None

    def problems(self, left_out: list[int], penalties: list[float]) -> Problems:
        """A problem for each pair of a fold that is left out and a penalty."""
        return Problems(self.labels, self.weights, self.fold, np.array(left_out, np.int8), np.array(penalties))

    @cached_property
    def standardized(self) -> Standardized:
        """The features, standardized."""
        return self.given or Standardized(self.features)

    def sample(self, most: int, seed: int) -> FoldedExamples:
        """At most `most` rows, of whole query groups in a random order; all rows if they are no more."""
        if len(self.labels) <= most:
            return self
        order = np.random.default_rng(seed).permutation(int(self.group.max()) + 1)[self.group]
        by_group = np.argsort(order, kind="stable")
        last = order[by_group[most]]  # the first group that does not fit
        rows = np.flatnonzero(order < last)
        features = self.features.take(rows) if isinstance(self.features, PairFeatures) else self.features[rows]
        return FoldedExamples(features, self.labels[rows], self.weights[rows], self.group[rows], self.fold[rows])


def fit(examples: Examples, settings: HeadParams, seed: int) -> Classifier:
    """A classifier fitted on all rows; see `fit_with_folds`."""
    folded = _fold(examples, settings, seed)
    penalty, _ = _choose_penalty(folded, settings, seed)
    return _fit_all(folded, penalty, folds=[])[0]


def fit_with_folds(examples: Examples, settings: HeadParams, seed: int) -> Fit:
    """Fit a classifier on all rows, and one for each fold on the rows of the other folds.

    The penalty is the one with the least out-of-fold log loss, for all of them; so a label reaches its own row's score
    through that one number alone.

    Args:
        examples: what to learn from.
        settings: penalties and folds; with a single penalty none is chosen.
        seed: assigns the groups to the folds.

    Raises:
        InputError: a label is not from 0 to 1, a weight is negative, all labels are the same, or there is one group.
    """
    folded = _fold(examples, settings, seed)
    penalty, losses = _choose_penalty(folded, settings, seed)
    folds = np.unique(folded.fold).tolist()
    classifier, fold_weights = _fit_all(folded, penalty, folds)
    return Fit(classifier, _scores(folded, fold_weights, folds), losses)


def fit_rows(features: PairFeatures, rows: pl.DataFrame, settings: HeadParams, seed: int) -> RowsFit:
    """Fit a classifier on the labelled ones of `rows`, and score all of them.

    Args:
        features: of `rows`.
        rows: a table of `ROW_SCHEMA`.
        settings: penalties and folds.
        seed: see `fit_with_folds`.
    """
    labelled = rows["label"].is_not_null().to_numpy()
    own = rows.filter(pl.col("label").is_not_null())
    examples = Examples(features.take(np.flatnonzero(labelled)), own["label"], own["group"])
    fitted = fit_with_folds(examples, settings, seed)
    p_yes = np.empty(rows.height)
    p_yes[labelled] = fitted.out_of_fold
    p_yes[~labelled] = fitted.classifier.predict(features.take(np.flatnonzero(~labelled)))
    metrics = {
        "rows": own.height,
        "penalty": fitted.classifier.penalty,
        "penalties": {str(penalty): loss for penalty, loss in fitted.log_loss.items()},
        "log_loss": log_loss(own["label"], fitted.out_of_fold, labels=[0, 1]),
        "average_precision": average_precision_score(own["label"], fitted.out_of_fold),
    }
    return RowsFit(fitted.classifier, features.reference, rows.select("id", p_yes=pl.Series(p_yes)), metrics)


def _fold(examples: Examples, settings: HeadParams, seed: int) -> FoldedExamples:
    values = np.asarray(examples.labels, np.float32)
    weights = np.ones(len(values)) if examples.weights is None else examples.weights
    row_weights = np.asarray(weights, np.float32)
    if not ((values >= 0) & (values <= 1)).all():
        raise InputError("the classifier needs a label from 0 to 1 in each row")
    if not (np.isfinite(row_weights) & (row_weights >= 0)).all():
        raise InputError("the weight of a row must be a number of at least 0")
    seen = values[row_weights > 0]
    if not len(seen) or seen.min() == seen.max():
        raise InputError("all training rows have the same label: a classifier needs both relevant and other candidates")
    group = pl.Series(examples.groups).rank("dense").to_numpy().astype(np.int64) - 1
    if group.max() < 1:
        raise InputError("all training rows are of one query group: cross-validation needs two or more")
    place = np.random.default_rng(seed).permutation(int(group.max()) + 1)  # groups are dealt to the folds in turn
    fold = (place % settings.folds).astype(np.int8)[group]
    return FoldedExamples(examples.features, values, row_weights, group, fold, examples.standardized)


def _choose_penalty(examples: FoldedExamples, settings: HeadParams, seed: int) -> tuple[float, dict[float, float]]:
    """The penalty with the least out-of-fold log loss, and that of each penalty; the larger one of equals."""
    penalties = sorted(settings.penalties, reverse=True)
    if len(penalties) == 1:
        return penalties[0], {}
    sample = examples.sample(settings.penalty_rows, seed)
    folds = np.unique(sample.fold).tolist()
    problems = sample.problems(folds * len(penalties), np.repeat(penalties, len(folds)).tolist())
    weights = solve(sample.standardized, problems).reshape(-1, len(penalties), len(folds))
    losses = {}
    for number, penalty in enumerate(penalties):
        losses[penalty] = _log_loss(_scores(sample, weights[:, number], folds), sample)
    return min(penalties, key=lambda penalty: losses[penalty]), losses


def _fit_all(examples: FoldedExamples, penalty: float, folds: list[int]) -> tuple[Classifier, npt.NDArray[np.float64]]:
    """The classifier of all rows, and the weights of those that leave out one of `folds`."""
    problems = examples.problems([NO_FOLD, *folds], [penalty] * (1 + len(folds)))
    weights = solve(examples.standardized, problems)
    standardized = examples.standardized
    return Classifier(standardized.mean, standardized.scale, weights[:, 0], penalty), weights[:, 1:]


def _scores(examples: FoldedExamples, weights: npt.NDArray[np.float64], folds: list[int]) -> Scores:
    """p(yes) of each row by the weights, shape (width, n_folds), of its fold."""
    logits = np.empty(len(examples.labels))
    column = np.searchsorted(folds, examples.fold)
    for rows in blocks(len(logits)):
        block = examples.standardized.block(rows) @ weights.astype(np.float32)
        logits[rows] = block[np.arange(len(block)), column[rows]]
    return probabilities(logits)


def _log_loss(p_yes: Scores, examples: FoldedExamples) -> float:
    p_yes = np.clip(p_yes, 1e-7, 1 - 1e-7)
    losses = -(examples.labels * np.log(p_yes) + (1 - examples.labels) * np.log1p(-p_yes))
    return float(np.average(losses, weights=examples.weights))
