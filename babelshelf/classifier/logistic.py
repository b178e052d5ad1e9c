"""Logistic regressions that share their features, fitted at once: the folds of a cross-validation at each penalty.

Every pass over the features serves all problems, as one product of matrices. The minimizer is L-BFGS with the inverse
of Böhning's bound of the Hessian, X'X / 4 + penalty (Böhning and Lindsay 1988), as its first approximation, so that
some 20 passes suffice for all: scikit-learn's lbfgs fits one problem at a time, in 40 to 90 passes each on real pairs.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve

from babelshelf.classifier.features import FeatureMatrix, PairFeatures, blocks
from babelshelf.encoder.encoder import FloatArray

Array = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]  # numbers of problems
Evaluate = Callable[[Array, Ids], tuple[Array, Array]]  # losses and gradients of some problems at their weights

IN_MEMORY = 2**28  # numbers (1 GB): standardized features of at most that many are kept instead of made in each pass
MOMENT_ROWS = 2**16  # evenly spaced, that the bound of the Hessian is estimated on: it only speeds the descent up
INTERCEPT_PENALTY = 1e-6  # keeps the intercept finite where all labels are the same
HISTORY = 10
HALVINGS = 20
MAX_PASSES = 200
TOLERANCE = 1e-6  # expected decrease of the mean loss at which a problem counts as solved
ARMIJO = 1e-4
ROUNDING = 1e-7  # of the mean loss, as its terms are float32


@dataclass(frozen=True)
class Problems:
    """Labels and weights of the problems.

    Attributes:
        labels: 0, 1 or a probability between, shape (n_rows,).
        weights: of the rows, at least 0, shape (n_rows,).
        fold: of each row, shape (n_rows,), int8.
        left_out: of each problem, the fold whose rows it does not see, or -1; shape (n_problems,).
        penalties: of half the squared weights beside the weighted mean of the log loss, shape (n_problems,).
    """

    labels: FloatArray
    weights: FloatArray
    fold: npt.NDArray[np.int8]
    left_out: npt.NDArray[np.int8]
    penalties: Array

    def row_weights(self, rows: slice, problems: Ids) -> FloatArray:
        """Weights of some rows in some problems, shape (n_rows, n_problems)."""
        seen = self.fold[rows, None] != self.left_out[None, problems]
        weights: FloatArray = np.where(seen, self.weights[rows, None], np.float32(0))
        return weights

    def total_weights(self) -> Array:
        """Total weight of the rows that each problem sees."""
        by_fold = {fold: self.weights[self.fold == fold].sum(dtype=np.float64) for fold in np.unique(self.fold)}
        left_out = np.array([by_fold.get(fold, 0.0) for fold in self.left_out])
        totals: Array = self.weights.sum(dtype=np.float64) - left_out
        return totals


class Standardized:
    """Features with mean 0 and the variance of their prior, and a constant 1 as the last one; read block by block.

    Args:
        features: shape (n_rows, n_features).

    Attributes:
        rows, width: numbers of rows and of features, with the constant.
        mean, scale: what is subtracted from the features, and what they are then divided by; shape (n_features,),
            float32.
    """

    def __init__(self, features: FeatureMatrix) -> None:
        self.rows, self.width = features.shape[0], features.shape[1] + 1
        self.mean, deviation = mean_and_deviation(features)
        self.scale = deviation / features.prior if isinstance(features, PairFeatures) else deviation
        self._features = features
        self._factors: dict[float, Any] = {}
        self._kept: FloatArray | None = None
        if self.rows * self.width <= IN_MEMORY:
            kept = np.empty((self.rows, self.width), np.float32)
            for rows in blocks(self.rows):
                kept[rows] = self._make(rows)
            self._kept = kept

    def block(self, rows: slice) -> FloatArray:
        """Some rows, shape (n, width)."""
        return self._make(rows) if self._kept is None else self._kept[rows]

    @cached_property
    def moments(self) -> Array:
        """Mean products of the features, shape (width, width), estimated on at most some `MOMENT_ROWS` rows."""
        step = max(self.rows // MOMENT_ROWS, 1)
        moments, rows_used = np.zeros((self.width, self.width)), 0
        for rows in blocks(self.rows):
            block = self.block(slice(rows.start, rows.stop, step))
            moments += block.T @ block
            rows_used += len(block)
        moments /= rows_used
        return moments

    def factor(self, penalty: float) -> Any:  # noqa: ANN401 - scipy's pair of an array and a flag
        """The Cholesky factor of the bound of the Hessian for a penalty."""
        if penalty not in self._factors:
            bound = self.moments / 4
            bound[np.diag_indices(self.width)] += penalty
            self._factors[penalty] = cho_factor(bound, overwrite_a=True, check_finite=False)
        return self._factors[penalty]

    def _make(self, rows: slice) -> FloatArray:
        block = np.ones((len(range(*rows.indices(self.rows))), self.width), np.float32)
        np.subtract(self._features[rows], self.mean, out=block[:, :-1])
        block[:, :-1] /= self.scale
        return block


def mean_and_deviation(features: FeatureMatrix) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of each feature, shape (n_features,); the latter 1 for a constant feature."""
    rows, width = features.shape
    total, squares = np.zeros(width), np.zeros(width)
    first = features[slice(0, 1)][0].astype(np.float64)  # shifted by a row, as E[x²] - E[x]² would cancel
    for part in blocks(rows):
        shifted = features[part] - first
        total += shifted.sum(axis=0)
        squares += np.einsum("ij,ij->j", shifted, shifted)
    mean = total / rows
    deviation = np.sqrt(np.maximum(squares / rows - mean**2, 0))
    scale = np.where(deviation > 1e-6, deviation, 1)
    return (first + mean).astype(np.float32), scale.astype(np.float32)


def solve(features: Standardized, problems: Problems, start: Array | None = None) -> Array:
    """The weights of each problem, shape (width, n_problems); the last row has the intercepts.

    Args:
        features: the rows of all problems.
        problems: what to fit.
        start: weights to begin with; zeros by default.
    """
    count = len(problems.penalties)
    penalties = np.repeat(problems.penalties[None], features.width, axis=0)
    penalties[-1] = INTERCEPT_PENALTY
    total = problems.total_weights()

    def evaluate(weights: Array, active: Ids) -> tuple[Array, Array]:
        loss, gradient = _loss(features, problems, weights, active)
        loss, gradient = loss / total[active], gradient / total[active]
        loss += (penalties[:, active] * weights**2).sum(axis=0) / 2
        return loss, gradient + penalties[:, active] * weights

    weights = np.zeros((features.width, count)) if start is None else start.copy()
    return _minimize(evaluate, partial(_precondition, features, problems.penalties), weights)


def _loss(features: Standardized, problems: Problems, weights: Array, active: Ids) -> tuple[Array, Array]:
    """Sums over the rows of the weighted log loss, shape (n_active,), and of its gradient, shape (width, n_active)."""
    loss, gradient = np.zeros(len(active)), np.zeros((features.width, len(active)))
    weights32 = weights.astype(np.float32)
    for rows in blocks(features.rows):
        block = features.block(rows)
        logits = block @ weights32
        labels, row_weights = problems.labels[rows, None], problems.row_weights(rows, active)
        decay = np.exp(-np.abs(logits))
        losses = np.log1p(decay) + np.maximum(logits, 0) - labels * logits
        loss += (losses * row_weights).sum(axis=0, dtype=np.float64)
        p_yes = np.where(logits >= 0, 1, decay) / (1 + decay)
        gradient += block.T @ ((p_yes - labels) * row_weights)
    return loss, gradient


def _precondition(features: Standardized, penalties: Array, problems: Ids, columns: Array) -> Array:
    """Columns, one of each problem, multiplied by the inverse of the bound of their problem's Hessian."""
    product = np.empty_like(columns)
    for penalty in np.unique(penalties[problems]):
        own = penalties[problems] == penalty
        product[:, own] = cho_solve(features.factor(float(penalty)), columns[:, own], check_finite=False)
    return product


def _minimize(
    evaluate: Evaluate,
    precondition: Callable[[Ids, Array], Array],
    weights: Array,
) -> Array:
    """L-BFGS of independent problems, a column each; a solved problem takes no further part."""
    weights = weights.copy()
    active = np.arange(weights.shape[1])
    loss, gradient = evaluate(weights, active)
    history: list[tuple[Array, Array]] = []  # steps and changes of the gradient, of the active problems
    for _ in range(MAX_PASSES):
        direction = -_direction(gradient, history, partial(precondition, active))
        decrease = -(direction * gradient).sum(axis=0)
        unsolved = decrease > TOLERANCE
        if not unsolved.any():
            break
        active, loss, decrease = active[unsolved], loss[unsolved], decrease[unsolved]
        gradient, direction = gradient[:, unsolved], direction[:, unsolved]
        history = [(steps[:, unsolved], changes[:, unsolved]) for steps, changes in history]
        rate, loss, new_gradient = _search(evaluate, weights[:, active], active, direction, (loss, decrease))
        step = rate * direction
        weights[:, active] += step
        history = [*history[-HISTORY + 1 :], (step, new_gradient - gradient)]
        gradient = new_gradient
    else:
        message = (
            f"{len(active)} of {weights.shape[1]} fits of the classifier had not converged after {MAX_PASSES} passes"
        )
        warnings.warn(message, RuntimeWarning, stacklevel=2)
    return weights


def _direction(gradient: Array, history: list[tuple[Array, Array]], precondition: Callable[[Array], Array]) -> Array:
    """The inverse Hessian's approximation times the gradient: L-BFGS's two loops (Nocedal and Wright, alg. 7.4)."""
    vector, shares = gradient.copy(), []
    curvatures = [(steps * changes).sum(axis=0) for steps, changes in history]
    inverses = [np.divide(1, value, out=np.zeros_like(value), where=value > 0) for value in curvatures]
    for (steps, changes), inverse in zip(reversed(history), reversed(inverses), strict=True):
        share = inverse * (steps * vector).sum(axis=0)
        vector -= share * changes
        shares.append(share)
    vector = precondition(vector)
    for (steps, changes), inverse, share in zip(history, inverses, reversed(shares), strict=True):
        vector += steps * (share - inverse * (changes * vector).sum(axis=0))
    return vector


def _search(
    evaluate: Evaluate, weights: Array, active: Ids, direction: Array, expected: tuple[Array, Array]
) -> tuple[Array, Array, Array]:
    """Lengths of the steps: 1, halved until the loss falls enough; with the losses and gradients after them.

    Args:
        evaluate: losses and gradients.
        weights: shape (width, n_active).
        direction: of the steps, shape (width, n_active).
        active: numbers of the problems.
        expected: their losses, and the decrease that their gradients promise of a full step.
    """
    loss, decrease = expected
    rate = np.ones(len(active))
    new_loss, new_gradient = evaluate(weights + direction, active)
    for _ in range(HALVINGS):
        failed = np.flatnonzero(new_loss > loss - ARMIJO * rate * decrease + ROUNDING * np.abs(loss))
        if not len(failed):
            break
        rate[failed] /= 2
        trial = weights[:, failed] + rate[failed] * direction[:, failed]
        new_loss[failed], new_gradient[:, failed] = evaluate(trial, active[failed])
    return rate, new_loss, new_gradient
