"""Successive halving over the options of each step, then over the combinations of their best.

Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization", AISTATS 2016 (arXiv
1502.07943): all options are tried on few rows, the best third on three times as many, and so on. A combination is
preferred to a shorter one only if it is better by more than one standard error of their paired difference (Breiman,
Friedman, Olshen and Stone, "Classification and Regression Trees", 1984, section 3.4.3).

A search ends in time: when the time is out, nothing more is tried, and a rung that would take more than the rest of the
time is not begun. What was cut is told.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, combinations, zip_longest

import numpy as np
from sklearn.metrics import average_precision_score

from babelshelf.commands.tune.comparison import paired
from babelshelf.commands.tune.evaluation import Budget, Evaluator
from babelshelf.commands.tune.recipe import ORIGINAL_ROWS, Option, Recipe
from babelshelf.commands.tune.splits import INNER, OUTER, Scope, Split

KEPT_SHARE = 3  # one in so many options goes on to the next rung
SPLITS = OUTER * (1 + INNER)  # of all scopes
DERIVED = 1.5  # rows of a recipe for an original one, about
LATER = 3.0  # fits of all splits on the top rung after the last options: refinements, combinations and the judge


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
    chosen: Recipe = ORIGINAL_ROWS


class Searcher:
    """Runs the searches of all scopes side by side, as they share what is fitted.

    Args:
        evaluator: scores recipes.
        budgets: the rungs, ascending.
        seed: of the bootstrap.
        advance: called with the rows of each fit of all splits.
        deadline: on the clock `time.monotonic`; no fit is begun after it.

    Attributes:
        top: the highest rung that was finished.
        cut: what there was no time for.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        budgets: Sequence[Budget],
        seed: int,
        advance: Callable[[int], object],
        deadline: float = math.inf,
    ) -> None:
        self._evaluator, self._budgets, self._seed, self._advance = evaluator, budgets, seed, advance
        self._deadline = deadline
        self._labels = evaluator.data.rows["label"].to_numpy()
        self._spent, self._fitted = 0.0, 0.0  # seconds of the fits so far, and their rows
        self.top = budgets[0]
        self.cut: list[str] = []

    def run(self, scopes: Sequence[Scope]) -> list[Search]:
        """Search on each scope's splits."""
        options = {name: step.options() for name, step in self._evaluator.steps.items()}
        searches = [Search(scope, {name: list(values) for name, values in options.items()}) for scope in scopes]
        self._race(searches)
        for one in searches:
            for name, left in one.alive.items():
                one.alive[name] = [left[0], *self._evaluator.steps[name].refinements(left[0])] if left else []
        self._fit_alive(searches, self.top, "the refinements of the best options")
        for one in searches:
            ranked = {name: self._ranked(left, one.scope, self.top) for name, left in one.alive.items()}
            one.best = {name: values[0] for name, values in ranked.items() if values}
        pairs = [(recipe, one) for one in searches for recipe in _combinations(one.best)]
        self._fit(pairs, self.top, "combinations of steps")
        for one in searches:
            one.chosen = self._choose(_combinations(one.best), one.scope, self.top)
        return searches

    def _race(self, searches: Sequence[Search]) -> None:
        """Successive halving; on the lowest rung, what there is no time for is left out."""
        first, *others = self._budgets
        self._fit_alive(searches, first, f"options on {first.rows.sum():,} training rows")
        self._keep_best(searches, first)
        for budget in others:
            label = f"rungs above {self.top.rows.sum():,} training rows"
            if self._seconds(searches, budget) > self._deadline - time.monotonic():
                self.cut.append(label)
                return
            if not self._fit_alive(searches, budget, label):
                return
            self._keep_best(searches, budget)
            self.top = budget

    def _seconds(self, searches: Sequence[Search], top: Budget) -> float:
        """That the rest of the search takes with this rung as the top one, at the speed so far."""
        alive = max(sum(len(left) for left in one.alive.values()) for one in searches)
        rows = (alive + LATER * len(self._evaluator.steps)) * DERIVED * float(top.rows.sum())
        return rows * self._spent / self._fitted if self._fitted else 0.0

    def _keep_best(self, searches: Sequence[Search], budget: Budget) -> None:
        """The best third of the options goes on; of the highest rung the best one."""
        for one in searches:
            for name, left in one.alive.items():
                ranked = self._ranked(left, one.scope, budget)
                one.alive[name] = ranked[: 1 if budget is self._budgets[-1] else -(-len(ranked) // KEPT_SHARE)]

    def average_precision(self, recipe: Recipe, splits: Sequence[Split], budget: Budget) -> float:
        """Mean over the splits, of all rows that each measures on."""
        scores = self._evaluator.scores(recipe, budget, splits)
        values = [average_precision_score(self._labels[split.test], scores[split.name]) for split in splits]
        return float(np.mean(values))

    def _fit_alive(self, searches: Sequence[Search], budget: Budget, label: str) -> bool:
        """Fit the options that are in the race, those of the steps in turn; see `_fit`."""
        pairs: list[tuple[Recipe, Search]] = [(ORIGINAL_ROWS, one) for one in searches]
        for one in searches:
            in_turn = chain.from_iterable(zip_longest(*one.alive.values()))
            pairs += [((option,), one) for option in in_turn if option is not None]
        return self._fit(pairs, budget, label)

    def _fit(self, wanted: Iterable[tuple[Recipe, Search]], budget: Budget, label: str) -> bool:
        """Fit what is missing: each recipe once, with the splits of all scopes that want it.

        Returns:
            Whether all was fitted. Else `label` is in `cut`; the original rows always are.
        """
        splits: dict[Recipe, list[Split]] = {}
        for recipe, search in wanted:
            splits.setdefault(recipe, []).extend(search.scope.splits)
        skipped = 0
        for recipe in sorted(splits, key=lambda recipe: [option.label for option in recipe[:-1]]):
            rows = budget.rows.sum() * DERIVED * len(splits[recipe]) / SPLITS
            self._advance(round(rows))
            if self._evaluator.knows(recipe, budget, splits[recipe]):
                continue
            started = time.monotonic()
            if recipe and started > self._deadline:
                skipped += 1
                continue
            self._evaluator.scores(recipe, budget, splits[recipe])
            self._spent, self._fitted = self._spent + time.monotonic() - started, self._fitted + rows
        if skipped:
            self.cut.append(f"{label}: {skipped} of {len(splits) - (ORIGINAL_ROWS in splits)} not tried")
        return not skipped

    def _ranked(self, options: Sequence[Option], scope: Scope, budget: Budget) -> list[Option]:
        """The options that were fitted, best first."""
        known = [option for option in options if self._evaluator.knows((option,), budget, scope.splits)]
        values = {option: self.average_precision((option,), scope.splits, budget) for option in known}
        return sorted(known, key=lambda option: -values[option])

    def _choose(self, recipes: Sequence[Recipe], scope: Scope, budget: Budget) -> Recipe:
        """Of those that were fitted, the shortest recipe that the best one does not beat by over a standard error."""
        recipes = [recipe for recipe in recipes if self._evaluator.knows(recipe, budget, scope.splits)]
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
