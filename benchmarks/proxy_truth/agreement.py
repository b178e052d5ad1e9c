"""Whether two models agree on what a recipe gains, from the results' file, with its uncertainty.

A gain has two sources of variance. The query groups of test: AP in draws of them, the same for all runs. The seed: its
variance is pooled over a model's recipes on a data set, and a Student t of as many degrees of freedom, times the
standard error of the mean over seeds, is added to each draw. Intervals are percentiles of the draws. Where seeds differ
more under one recipe than under others, its interval is too narrow and those of the others are too wide.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import kendalltau, spearmanr

from benchmarks.proxy_truth.data_sets import NONE

Floats = npt.NDArray[np.float64]
Result = dict[str, Any]

METRICS = {"ap": "all languages", "ap_absent": "absent languages"}
CLASSIFIER = "classifier"
INTERVAL = (2.5, 97.5)
SEED = 1


@dataclass(frozen=True)
class Gains:
    """What recipes gain over `none`, in points.

    Attributes:
        recipes: their names, without `none`.
        value: shape (recipes,).
        draws: shape (draws, recipes).
        level: AP in per cent of `none`.
    """

    recipes: list[str]
    value: Floats
    draws: Floats
    level: float

    @property
    def bounds(self) -> Floats:
        """Ends of the intervals, shape (2, recipes)."""
        ends: Floats = np.percentile(self.draws, INTERVAL, axis=0)
        return ends

    def of(self, recipes: Sequence[str]) -> Gains:
        """Those of some recipes."""
        places = [self.recipes.index(recipe) for recipe in recipes]
        return Gains(list(recipes), self.value[places], self.draws[:, places], self.level)


def gains(results: Sequence[Result], metric: str) -> Gains:
    """Gains of one model on one data set, of the recipes that were run."""
    by_recipe: dict[str, list[Result]] = {}
    for result in results:
        by_recipe.setdefault(result["recipe"], []).append(result)
    recipes = [recipe for recipe in by_recipe if recipe != NONE]
    names = [NONE, *recipes]
    values = {name: np.array([run[metric] for run in by_recipe[name]]) for name in names}
    draws = {name: np.mean([run[f"{metric}_draws"] for run in by_recipe[name]], axis=0) for name in names}
    rng = np.random.default_rng([SEED, *metric.encode()])
    noise = _seed_noise(list(values.values()), len(draws[NONE]), rng)
    noisy = {name: draws[name] + one for name, one in zip(names, noise, strict=True)}
    return Gains(
        recipes,
        100 * np.array([values[recipe].mean() - values[NONE].mean() for recipe in recipes]),
        100 * np.stack([noisy[recipe] - noisy[NONE] for recipe in recipes], axis=1),
        100 * float(values[NONE].mean()),
    )


def _seed_noise(values: Sequence[Floats], draws: int, rng: np.random.Generator) -> list[Floats]:
    """For each recipe, draws of what its mean over seeds may be off by."""
    freedom = sum(len(one) - 1 for one in values)
    if not freedom:
        return [np.zeros(draws) for _ in values]
    pooled = np.sqrt(sum(((one - one.mean()) ** 2).sum() for one in values) / freedom)
    return [pooled / np.sqrt(len(one)) * rng.standard_t(freedom, draws) for one in values]


@dataclass(frozen=True)
class Agreement:
    """How far two models agree: each a value and the ends of its interval."""

    kendall: tuple[float, float, float]
    spearman: tuple[float, float, float]
    signs: tuple[float, float, float]


def agreement(lm: Gains, classifier: Gains) -> Agreement:
    """Over the same recipes; for the rank correlations `none`, whose gain is 0, is one of them."""
    return Agreement(
        _with_interval(_kendall, lm, classifier),
        _with_interval(_spearman, lm, classifier),
        _with_interval(_same_signs, lm, classifier),
    )


def _with_interval(statistic: Any, lm: Gains, classifier: Gains) -> tuple[float, float, float]:  # noqa: ANN401
    draws = [statistic(a, b) for a, b in zip(lm.draws, classifier.draws, strict=True)]
    low, high = np.percentile(draws, INTERVAL)
    return float(statistic(lm.value, classifier.value)), float(low), float(high)


def _kendall(a: Floats, b: Floats) -> float:
    return float(kendalltau(np.append(a, 0), np.append(b, 0)).statistic)


def _spearman(a: Floats, b: Floats) -> float:
    return float(spearmanr(np.append(a, 0), np.append(b, 0)).statistic)


def _same_signs(a: Floats, b: Floats) -> float:
    return float(np.mean(np.sign(a) == np.sign(b)))


# --- text ---


def lines(results: Sequence[Result]) -> Iterator[str]:
    """Markdown: levels and gains by recipe, then the agreement."""
    for data in sorted({result["data"] for result in results}):
        own = [result for result in results if result["data"] == data]
        yield from _levels(data, own)
        for metric, text in METRICS.items():
            yield from _gains(f"{data}, {text}", own, metric)


def _levels(data: str, results: Sequence[Result]) -> Iterator[str]:
    yield f"### {data}: levels"
    yield ""
    yield "| model | recipe | seeds | train rows | AP | AP, absent | F1 | all-yes F1 | MCC | s a run |"
    yield "| :-- | :-- | --: | --: | --: | --: | --: | --: | --: | --: |"
    for model, recipe in dict.fromkeys((result["model"], result["recipe"]) for result in results):
        runs = [run for run in results if (run["model"], run["recipe"]) == (model, recipe)]
        cells = [mean_and_deviation([run[key] for run in runs]) for key in ("ap", "ap_absent", "f1")]
        rows, seconds = (np.mean([run[key] for run in runs]) for key in ("rows", "seconds"))
        mcc = mean_and_deviation([run["mcc"] for run in runs])
        all_yes = 100 * runs[0]["all_yes_f1"]
        yield (
            f"| {model} | {recipe} | {len(runs)} | {rows:,.0f} | {' | '.join(cells)} | {all_yes:.1f} | {mcc} "
            f"| {seconds:.0f} |"
        )
    yield ""


def mean_and_deviation(values: Sequence[float]) -> str:
    """Of shares, in per cent; the deviation over seeds is that of a sample. Without a value, a dash."""
    if not values:
        return "–"
    mean = f"{100 * np.mean(values):.1f}"
    return mean if len(values) < 2 else f"{mean} ± {100 * np.std(values, ddof=1):.1f}"


def _gains(title: str, results: Sequence[Result], metric: str) -> Iterator[str]:
    models = sorted({run["model"] for run in results if run["recipe"] == NONE} - {CLASSIFIER})
    trained = [run for run in results if run["seed"] and run["rows"]]
    if not models or not any(run["model"] == CLASSIFIER for run in trained):
        return
    all_gains = {
        model: gains([run for run in trained if run["model"] == model], metric) for model in (*models, CLASSIFIER)
    }
    for model in models:
        shared = [recipe for recipe in all_gains[model].recipes if recipe in all_gains[CLASSIFIER].recipes]
        lm, classifier = all_gains[model].of(shared), all_gains[CLASSIFIER].of(shared)
        yield f"### {title}: gains in AP over `{NONE}`"
        yield ""
        yield f"| recipe | {model} ({lm.level:.1f}) | classifier ({classifier.level:.1f}) | same sign |"
        yield "| :-- | --: | --: | :-- |"
        for place, recipe in enumerate(shared):
            same = np.sign(lm.value[place]) == np.sign(classifier.value[place])
            yield f"| {recipe} | {_gain(lm, place)} | {_gain(classifier, place)} | {'yes' if same else 'no'} |"
        yield ""
        found = agreement(lm, classifier)
        yield (
            f"Kendall's tau {_interval(found.kendall)}, Spearman's rho {_interval(found.spearman)}, "
            f"same signs {_interval(found.signs)}; {_clear(lm, classifier)}"
        )
        yield ""


def _clear(lm: Gains, classifier: Gains) -> str:
    """Agreement where the LM's gain is clear."""
    low, high = lm.bounds
    clear = (low > 0) | (high < 0)
    same = np.sign(lm.value[clear]) == np.sign(classifier.value[clear])
    return f"of {clear.sum()} gains of the LM whose interval excludes zero, {same.sum()} have the classifier's sign."


def _gain(all_gains: Gains, place: int) -> str:
    low, high = all_gains.bounds[:, place]
    return f"{all_gains.value[place]:+.1f} [{low:+.1f}, {high:+.1f}]"


def _interval(statistic: tuple[float, float, float]) -> str:
    value, low, high = statistic
    return f"{value:.2f} [{low:.2f}, {high:.2f}]"
