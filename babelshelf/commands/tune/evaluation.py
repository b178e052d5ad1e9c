"""Train the classifier on a recipe's rows and score the rows that each split measures on; results outlive a kill.

All splits of a recipe are fitted at once, as problems over one matrix of features (`classifier.logistic`).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from babelshelf.classifier.features import PairFeatures, blocks
from babelshelf.classifier.logistic import IN_MEMORY, Array, Problems, Standardized, solve
from babelshelf.classifier.model import probabilities
from babelshelf.commands.tune.recipe import ORIGINAL_ROWS, DataStep, Recipe, Scores, TrainingSet, key
from babelshelf.commands.tune.splits import Split
from babelshelf.commands.tune.task_data import Mask, SearchData
from babelshelf.commands.tune.texts import PairTexts
from babelshelf.core.partial_work import fingerprint
from babelshelf.core.work_cache import WorkCache
from babelshelf.encoder.encoder import FloatArray

SUBFOLDS = 3  # that give the out-of-fold scores of training rows
PENALTY_GRID = 2  # penalties for each doubling of the rows
KEPT = 6  # training sets in memory, so that the options of a later step share them


@dataclass(frozen=True)
class MaskedProblems(Problems):
    """Problems that each see the rows of a mask, shape (n_rows, n_problems)."""

    masks: Mask

    @classmethod
    def of(cls, labels: FloatArray, masks: Mask, penalties: Array) -> MaskedProblems:
        """Problems with equal row weights."""
        rows, problems = masks.shape
        nothing, ones = np.zeros(0, np.int8), np.ones(rows, np.float32)
        return cls(labels, ones, nothing, np.zeros(problems, np.int8), penalties, masks)

    def row_weights(self, rows: slice, problems: npt.NDArray[np.int64]) -> FloatArray:
        """See `Problems`."""
        weights: FloatArray = self.masks[rows][:, problems].astype(np.float32)
        return weights

    def total_weights(self) -> Array:
        """See `Problems`."""
        totals: Array = np.maximum(self.masks.sum(axis=0, dtype=np.float64), 1)
        return totals


class Scaled(Standardized):
    """Features with the mean, the scale and the second moments of others, so that their weights can be compared.

    Args:
        features: shape (n_rows, n_features).
        like: whose they are.
        keep: whether to keep the scaled features where they fit the memory, as for many passes over them.
    """

    def __init__(self, features: PairFeatures, like: Standardized, *, keep: bool = False) -> None:
        self.rows, self.width = features.shape[0], features.shape[1] + 1
        self.mean, self.scale, self.moments, self._factors = like.mean, like.scale, like.moments, like._factors
        self._features, self._kept = features, None
        if keep and self.rows * self.width <= IN_MEMORY:
            self._kept = np.concatenate([self._make(rows) for rows in blocks(self.rows)])


@dataclass(frozen=True)
class Budget:
    """The rows of a rung of successive halving.

    Attributes:
        name: unique.
        rows: those that may be trained on, shape (n_rows,), whole query groups.
    """

    name: str
    rows: Mask = field(compare=False)


@dataclass(frozen=True)
class StepTools:
    """See `recipe.Tools`."""

    evaluator: Evaluator
    recipe: Recipe
    budget: Budget
    splits: tuple[Split, ...]

    @property
    def texts(self) -> PairTexts:
        """All texts, with their vectors."""
        return self.evaluator.texts

    @property
    def data(self) -> SearchData:
        """The labelled rows."""
        return self.evaluator.data

    def out_of_fold(self) -> Scores:
        """p(yes) of the rows of the step's training set."""
        return self.evaluator.out_of_fold(self.recipe, self.budget, self.splits)


class Evaluator:
    """Scores of recipes, each computed once.

    Args:
        data: the rows.
        texts: of all rows that the steps may make.
        steps: by name, in the order of the chain.
        head: penalty of the classifier, and the number of rows that it was chosen on: it falls as rows are added, as
            the weight of a prior does.
        store: results that outlive a kill.
        identity: what the results depend on, beside recipe, budget and split.
    """

    def __init__(
        self,
        data: SearchData,
        texts: PairTexts,
        steps: Mapping[str, DataStep],
        *,
        head: tuple[float, int],
        store: WorkCache[str],
        identity: str,
    ) -> None:
        self.data, self.texts, self.steps, self.head = data, texts, steps, head
        self._store, self._identity = store, identity
        self._known: dict[str, Scores] = {}
        self._features = texts.features(data.rows)
        self._training = lru_cache(KEPT)(self._make)
        self._start = lru_cache(KEPT)(self._solve_original)
        self._standard = lru_cache(KEPT)(self._standardize)
        self.out_of_fold = lru_cache(KEPT)(self._score_out_of_fold)

    def scores(self, recipe: Recipe, budget: Budget, splits: Sequence[Split]) -> dict[str, Scores]:
        """p(yes) of the rows that each split measures on, by the split's name, in the order of the rows."""
        names = self._names(recipe, budget, splits)
        missing = self._missing(names, splits)
        if missing:
            fitted = self.fit(recipe, budget, missing)
            new = {names[split.name]: p_yes for split, p_yes in zip(missing, fitted, strict=True)}
            self._store.put_many({name: _encoded(p_yes) for name, p_yes in new.items()})
            self._known |= new
        return {split: self._known[name] for split, name in names.items()}

    def knows(self, recipe: Recipe, budget: Budget, splits: Sequence[Split]) -> bool:
        """Whether `scores` has nothing to fit."""
        return not self._missing(self._names(recipe, budget, splits), splits)

    def _missing(self, names: Mapping[str, str], splits: Sequence[Split]) -> tuple[Split, ...]:
        """Splits without scores, after a look into the store."""
        stored = self._store.get_many([name for name in names.values() if name not in self._known])
        self._known |= {name: _decoded(text) for name, text in stored.items()}
        return tuple(split for split in splits if names[split.name] not in self._known)

    def _names(self, recipe: Recipe, budget: Budget, splits: Sequence[Split]) -> dict[str, str]:
        """Keys of the store by the split's name."""
        return {split.name: fingerprint(self._identity, key(recipe), budget.name, split.name) for split in splits}

    def fit(self, recipe: Recipe, budget: Budget, splits: tuple[Split, ...]) -> list[Scores]:
        """Scores of a recipe's classifier of each split, fitted anew."""
        weights = self._start(budget, splits)
        if recipe:
            training = self._training(recipe, budget, splits)
            weights = self._solve(training, training.masks, budget, weights)
        test = np.flatnonzero(np.logical_or.reduce([split.test for split in splits]))
        p_yes = self._predict(self._features.take(test), weights, budget)
        return [p_yes[split.test[test], number] for number, split in enumerate(splits)]

    def _predict(self, features: PairFeatures, weights: Array, budget: Budget) -> Scores:
        """p(yes) by each problem's weights, shape (n_rows, n_problems)."""
        scaled = Scaled(features, self._standard(budget))
        logits = np.concatenate([scaled.block(rows) @ weights.astype(np.float32) for rows in blocks(scaled.rows)])
        return probabilities(logits.astype(np.float64)).astype(np.float32)

    def _solve(self, training: TrainingSet, masks: Mask, budget: Budget, start: Array | None) -> Array:
        features = Scaled(self.texts.features(training.rows), self._standard(budget), keep=True)
        labels = training.rows["label"].to_numpy().astype(np.float32)
        penalty, rows = self.head
        # On a coarse grid, as `Standardized` keeps a matrix of the features' size for each penalty.
        exact = np.log2(penalty * rows / np.maximum(masks.sum(axis=0), 1))
        penalties = 2 ** (np.round(PENALTY_GRID * exact) / PENALTY_GRID)
        return solve(features, MaskedProblems.of(labels, masks, penalties), start)

    def _solve_original(self, budget: Budget, splits: tuple[Split, ...]) -> Array:
        """Weights of the original rows; those of a recipe are near them."""
        training = self._training(ORIGINAL_ROWS, budget, splits)
        return self._solve(training, training.masks, budget, None)

    def _standardize(self, budget: Budget) -> Standardized:
        return Standardized(self._features.take(np.flatnonzero(budget.rows)))

    def _make(self, recipe: Recipe, budget: Budget, splits: tuple[Split, ...]) -> TrainingSet:
        if not recipe:
            masks = np.stack([split.train & budget.rows for split in splits], axis=1)
            return TrainingSet(self.data.rows, masks).with_masks(masks)
        tools = StepTools(self, recipe[:-1], budget, splits)
        return self.steps[recipe[-1].step].apply(self._training(recipe[:-1], budget, splits), recipe[-1], tools)

    def _score_out_of_fold(self, recipe: Recipe, budget: Budget, splits: tuple[Split, ...]) -> Scores:
        """p(yes) of a recipe's rows by models of the same split that have not seen their group; (n_rows, n_splits)."""
        training = self._training(recipe, budget, splits)
        groups = training.rows["group"].rank("dense").to_numpy().astype(np.int64) - 1
        fold = (np.random.default_rng(0).permutation(int(groups.max()) + 1) % SUBFOLDS)[groups]
        masks = np.concatenate([training.masks & (fold != part)[:, None] for part in range(SUBFOLDS)], axis=1)
        weights = self._solve(training, masks, budget, np.tile(self._start(budget, splits), SUBFOLDS))
        p_yes = self._predict(self.texts.features(training.rows), weights, budget).reshape(-1, SUBFOLDS, len(splits))
        own: Scores = p_yes[np.arange(len(fold)), fold]
        return own


def _encoded(p_yes: Scores) -> str:
    return base64.b64encode(p_yes.astype("<f4").tobytes()).decode()


def _decoded(text: str) -> Scores:
    return np.frombuffer(base64.b64decode(text), "<f4")
