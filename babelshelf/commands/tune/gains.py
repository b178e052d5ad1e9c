"""What each step gains by itself and all together, judged on outer folds that took no part in any choice.

In each outer fold a search of its own chooses the option of each step and the recipe (`splits`, `search`). They are
trained on the fold's training rows and compared with the original rows on its own rows, so the gain is that of the
whole procedure, the choice included. The interval is that of a paired bootstrap over query groups within the folds,
averaged over them. Where the gains of the folds differ more than the bootstrap explains, as other training rows and
other choices do, it is widened to their standard error. Intervals of the steps hold together at the given confidence
(Bonferroni). Folds share training rows, so even this is an approximation: no unbiased estimator of the variance of
cross-validation exists (Bengio and Grandvalet, JMLR 5:1089-1105, 2004).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.stats import norm

from babelshelf.calibrate.thresholds import best_threshold
from babelshelf.commands.tune.comparison import Paired, paired
from babelshelf.commands.tune.evaluation import Budget, Evaluator
from babelshelf.commands.tune.recipe import ORIGINAL_ROWS, Recipe, Scores
from babelshelf.commands.tune.search import Search
from babelshelf.commands.tune.splits import Split
from babelshelf.commands.tune.task_data import Mask
from babelshelf.evaluate.bootstrap import Difference
from babelshelf.evaluate.metric_names import RESAMPLED

TOGETHER = "together"
RESAMPLES = 2000
CONFIDENCE = 0.95
POWER = 0.8
GAIN, LOSS, UNCLEAR = "gain", "loss", "no evidence"


@dataclass(frozen=True)
class Estimate:
    """A difference of a metric with its interval.

    Attributes:
        value, low, high: the difference.
        smallest: the true difference that such an interval would exclude zero for with a power of 80 %.
        before, after: the metric itself.
    """

    value: float
    low: float
    high: float
    smallest: float
    before: float
    after: float

    @property
    def verdict(self) -> str:
        """See `verdict`."""
        return verdict(self)


@dataclass(frozen=True)
class StepGain:
    """What a step, or all chosen ones together, gain.

    Attributes:
        name: the step, or `TOGETHER`.
        overall, absent: estimates by metric (`RESAMPLED`), on all rows and on those in languages that the training rows
            of their fold lack; None without such languages.
        chosen: by how many of the outer folds the recipe with this step was chosen.
        folds: number of outer folds.
    """

    name: str
    overall: Mapping[str, Estimate]
    absent: Mapping[str, Estimate] | None
    chosen: int
    folds: int

    @property
    def is_evident(self) -> bool:
        """Whether average precision rises in one of the two places and falls in none."""
        verdicts = {part["average_precision"].verdict for part in (self.overall, self.absent) if part}
        return GAIN in verdicts and LOSS not in verdicts


def verdict(gain: Estimate | Difference) -> str:
    """`gain`, `loss`, or `no evidence` where the interval holds zero."""
    return GAIN if gain.low > 0 else LOSS if gain.high < 0 else UNCLEAR


def points(gain: Estimate | Difference) -> str:
    """A gain in points, with its interval."""
    return f"{100 * gain.value:+.2f} {interval(gain)}"


def interval(gain: Estimate | Difference) -> str:
    """The interval of a gain, in points."""
    return f"[{100 * gain.low:+.2f}, {100 * gain.high:+.2f}]"


class Judge:
    """Compares recipes on the outer folds.

    Args:
        evaluator: scores recipes.
        searches: those that an outer fold judges.
        budget: the rows to train on.
        seed: of the bootstrap.
    """

    def __init__(self, evaluator: Evaluator, searches: Sequence[Search], budget: Budget, seed: int) -> None:
        self._evaluator, self._budget, self._seed = evaluator, budget, seed
        self._searches = [search for search in searches if search.scope.judge is not None]
        self.splits = [search.scope.judge for search in self._searches if search.scope.judge is not None]

    def gains(self) -> list[StepGain]:
        """Of each step that was tried by itself, and of all together."""
        before = self.scores(lambda _: ORIGINAL_ROWS)
        steps = [name for name in self._evaluator.steps if all(name in search.best for search in self._searches)]
        comparisons = 2 * len(steps)  # two places each
        result = []
        for name in [*steps, TOGETHER]:
            after = self.scores(partial(_recipe, name))
            confidence = CONFIDENCE if name == TOGETHER else 1 - (1 - CONFIDENCE) / comparisons
            result.append(self._gain(name, before, after, confidence))
        return result

    def scores(self, recipe: Callable[[Search], Recipe]) -> dict[str, Scores]:
        """p(yes) on the outer folds, of each fold's own recipe."""
        by_recipe: dict[str, Scores] = {}
        for search, split in zip(self._searches, self.splits, strict=True):
            by_recipe |= self._evaluator.scores(recipe(search), self._budget, [split])
        return by_recipe

    def thresholds(self, scores: Mapping[str, Scores]) -> dict[str, float]:
        """The threshold of each fold with the best F1 on the other folds."""
        labels = self._evaluator.data.rows["label"].to_numpy() == 1
        result = {}
        for split in self.splits:
            others = [other for other in self.splits if other.name != split.name]
            p_yes = np.concatenate([scores[other.name] for other in others]).astype(np.float64)
            result[split.name] = best_threshold(np.concatenate([labels[other.test] for other in others]), p_yes)
        return result

    def _gain(
        self, name: str, before: Mapping[str, Scores], after: Mapping[str, Scores], confidence: float
    ) -> StepGain:
        cuts = self.thresholds(before), self.thresholds(after)
        rows = self._evaluator.data.rows

        def estimates(region: Callable[[Split], Mask] | None) -> dict[str, Estimate]:
            pair = paired(
                rows, self.splits, before, after, seed=self._seed, resamples=RESAMPLES, region=region, thresholds=cuts
            )
            return {metric: _estimate(pair, number, confidence) for number, metric in enumerate(RESAMPLED)}

        languages = rows["language"]

        def is_absent(split: Split) -> Mask:
            mask: Mask = languages.is_in(sorted(split.absent)).to_numpy()
            return mask

        has_absent = any((is_absent(split) & split.test).any() for split in self.splits)
        chosen = sum(any(option.step == name for option in search.chosen) for search in self._searches)
        if name == TOGETHER:
            chosen = sum(search.chosen != ORIGINAL_ROWS for search in self._searches)
        return StepGain(name, estimates(None), estimates(is_absent) if has_absent else None, chosen, len(self.splits))


def _recipe(name: str, search: Search) -> Recipe:
    """What a search chose for a step by itself, or for all together."""
    return search.chosen if name == TOGETHER else (search.best[name],)


def _estimate(pair: Paired, metric: int, confidence: float) -> Estimate:
    """The percentile interval, widened to the standard error of the folds' mean where that is larger."""
    draws, by_split = pair.draws[metric], pair.by_split[metric]
    value = float(by_split.mean())
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2])
    error = float(draws.std(ddof=1))
    between = float(by_split.std(ddof=1) / np.sqrt(len(by_split))) if len(by_split) > 1 else 0.0
    factor = max(1.0, between / error) if error > 0 else 1.0
    smallest = float(norm.ppf((1 + confidence) / 2) + norm.ppf(POWER)) * max(error, between)
    return Estimate(
        value,
        value + factor * (float(low) - value),
        value + factor * (float(high) - value),
        smallest,
        float(pair.before[metric]),
        float(pair.after[metric]),
    )
