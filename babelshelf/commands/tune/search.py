"""Successive halving over the options of each step, then over the combinations of their best.

Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization", AISTATS 2016 (arXiv
1502.07943): all options are tried on few rows, the best third on three times as many, and so on. A combination is
preferred to a shorter one only if it is better by more than one standard error of their paired difference (Breiman,
Friedman, Olshen and Stone, "Classification and Regression Trees", 1984, section 3.4.3).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from sklearn.metrics import average_precision_score

from babelshelf.commands.tune.comparison import paired
from babelshelf.commands.tune.evaluation import Budget, Evaluator
from babelshelf.commands.tune.recipe import NOTHING, Option, Recipe
from babelshelf.commands.tune.splits import INNER, OUTER, Scope, Split

KEPT_SHARE = 3  # one in so many options goes on to the next rung
SPLITS = OUTER * (1 + INNER)  # of all scopes
DERIVED = 1.5  # rows of a recipe for an original one, about


@dataclass
class Search:
    """What a search on a scope's splits has found so far.

    Attributes:
        scope: its splits.
        alive: options of each step that are still in the race.
        best: the best option of each step; at the end.
        chosen: the recipe; at the end.
    """

    scope: Scope
    alive: dict[str, list[Option]]
    best: dict[str, Option] = field(default_factory=dict)
    chosen: Recipe = NOTHING


class Searcher:
    """Runs the searches of all scopes side by side, as they share what is fitted.

    Args:
        evaluator: scores recipes.
        budgets: the rungs, ascending.
        seed: of the bootstrap.
        advance: called with the rows of each fit of all splits.
    """

    def __init__(
        self, evaluator: Evaluator, budgets: Sequence[Budget], seed: int, advance: Callable[[int], object]
    ) -> None:
        self._evaluator, self._budgets, self._seed, self._advance = evaluator, budgets, seed, advance
        self._labels = evaluator.data.rows["label"].to_numpy()

    def run(self, scopes: Sequence[Scope]) -> list[Search]:
        """Search on each scope's splits."""
        steps = self._evaluator.steps
        options = {name: step.options() for name, step in steps.items()}
        searches = [Search(scope, {name: list(found) for name, found in options.items()}) for scope in scopes]
        for budget in self._budgets:
            self._fit([((option,), one) for one in searches for left in one.alive.values() for option in left], budget)
            for one in searches:
                one.alive = {name: self._best(left, one.scope, budget) for name, left in one.alive.items()}
        top = self._budgets[-1]
        for one in searches:
            for name, left in one.alive.items():
                one.alive[name] = [left[0], *steps[name].refinements(left[0])] if left else []
        self._fit([((option,), one) for one in searches for left in one.alive.values() for option in left], top)
        for one in searches:
            one.best = {name: self._best(left, one.scope, top)[0] for name, left in one.alive.items() if left}
        self._fit([(recipe, one) for one in searches for recipe in _combinations(one.best)], top)
        for one in searches:
            one.chosen = self._choose(_combinations(one.best), one.scope, top)
        return searches

    def average_precision(self, recipe: Recipe, splits: Sequence[Split], budget: Budget) -> float:
        """Mean over the splits, of all rows that each measures on."""
        scores = self._evaluator.scores(recipe, budget, splits)
        values = [average_precision_score(self._labels[split.test], scores[split.name]) for split in splits]
        return float(np.mean(values))

    def _fit(self, wanted: Iterable[tuple[Recipe, Search]], budget: Budget) -> None:
        """Fit what is missing: each recipe once, with the splits of all scopes that want it."""
        splits: dict[Recipe, list[Split]] = {}
        for recipe, search in wanted:
            splits.setdefault(recipe, []).extend(search.scope.splits)
        for recipe in sorted(splits, key=lambda recipe: [option.label for option in recipe[:-1]]):
            self._evaluator.scores(recipe, budget, splits[recipe])
            self._advance(round(budget.rows.sum() * DERIVED * len(splits[recipe]) / SPLITS))

    def _best(self, options: Sequence[Option], scope: Scope, budget: Budget) -> list[Option]:
        """The best third of the options, best first; on the top rung the best one."""
        scored = [(self.average_precision((option,), scope.splits, budget), option) for option in options]
        ranked = [option for _, option in sorted(scored, key=lambda pair: -pair[0])]
        return ranked[: 1 if budget is self._budgets[-1] else -(-len(ranked) // KEPT_SHARE)]

    def _choose(self, recipes: Sequence[Recipe], scope: Scope, budget: Budget) -> Recipe:
        """The shortest recipe that the best one does not beat by more than a standard error."""
        values = {recipe: self.average_precision(recipe, scope.splits, budget) for recipe in recipes}
        best = max(recipes, key=lambda recipe: values[recipe])
        for recipe in sorted(recipes, key=lambda recipe: (len(recipe), -values[recipe])):
            if recipe == best or values[best] - values[recipe] <= self._standard_error(recipe, best, scope, budget):
                return recipe
        return best

    def _standard_error(self, first: Recipe, second: Recipe, scope: Scope, budget: Budget) -> float:
        runs = [self._evaluator.scores(recipe, budget, scope.splits) for recipe in (first, second)]
        return paired(self._evaluator.data.rows, scope.splits, runs[0], runs[1], seed=self._seed).standard_error


def _combinations(best: Mapping[str, Option]) -> list[Recipe]:
    """All subsets of the best options, in the order of the steps, shortest first."""
    options = list(best.values())
    return [recipe for size in range(len(options) + 1) for recipe in combinations(options, size)]
