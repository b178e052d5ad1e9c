"""Whether two models agree on what a recipe gains, from the results' file, with its uncertainty.

A gain's interval is that of `babelshelf.evaluate.seeds`, for test queries and seeds. The agreement of two models has no
such interval: it is computed in draws, of test's query groups and, by Student's t with the degrees of freedom of the
seeds' variance, of what the mean over seeds may be off by. The classifier without added rows is the same for all seeds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import kendalltau, spearmanr

from babelshelf.evaluate.bootstrap import Difference, Sample, mean_sample
from babelshelf.evaluate.metric_names import RESAMPLED
from babelshelf.evaluate.seeds import Comparison, mean_gain
from benchmarks.proxy_truth.data_sets import NONE
from benchmarks.proxy_truth.results import AVERAGE_PRECISION, RATE

Floats = npt.NDArray[np.float64]
Result = dict[str, Any]

METRICS = {"ap": "all languages", "ap_absent": "absent languages"}
CLASSIFIER = "classifier"
PLACE = RESAMPLED.index(AVERAGE_PRECISION)
CONFIDENCE = 0.95
FEWEST_RECIPES = 4  # whose order two models can agree on
INTERVAL = (2.5, 97.5)
REPEATS = 10  # of each draw of query groups, with other draws of the seeds
SEED = 1


@dataclass(frozen=True)
class Gains:
    """What recipes gain over `none`, in points.

    Attributes:
        recipes: their names, without `none`.
        value: shape (recipes,).
        bounds: ends of the intervals, shape (2, recipes).
        draws: shape (draws, recipes).
        level: AP in per cent of `none`.
    """

    recipes: list[str]
    value: Floats
    bounds: Floats
    draws: Floats
    level: float

    def of(self, recipes: Sequence[str]) -> Gains:
        """Those of some recipes."""
        places = [self.recipes.index(recipe) for recipe in recipes]
        return Gains(list(recipes), self.value[places], self.bounds[:, places], self.draws[:, places], self.level)


def gains(results: Sequence[Result], metric: str) -> Gains:
    """Gains of one model on one data set, of the recipes that were run with the seeds of `none`."""
    by_recipe: dict[str, dict[int, Sample]] = {}
    for result in results:
        by_recipe.setdefault(result["recipe"], {})[result["seed"]] = _sample(result, metric, AVERAGE_PRECISION)
    base = by_recipe.pop(NONE)
    pairs = {
        recipe: Comparison([base[seed] for seed in sorted(base)], [runs[seed] for seed in sorted(base)])
        for recipe, runs in by_recipe.items()
        if runs.keys() >= base.keys()
    }
    found = [mean_gain(pair, CONFIDENCE)[AVERAGE_PRECISION] for pair in pairs.values()]
    rng = np.random.default_rng([SEED, *metric.encode()])
    draws = [_draws(pair, rng) for pair in pairs.values()]
    return Gains(
        list(pairs),
        100 * np.array([one.value for one in found]),
        100 * np.array([[one.low for one in found], [one.high for one in found]]),
        100 * np.stack(draws, axis=1),
        100 * float(mean_sample(list(base.values())).value[PLACE]),
    )


def _sample(result: Result, name: str, metric: str) -> Sample:
    """A run as `babelshelf.evaluate` has it, with one metric alone, which the result has under `name`."""
    place = RESAMPLED.index(metric)
    value = np.full(len(RESAMPLED), np.nan)
    draws = np.full((len(RESAMPLED), len(result[f"{name}_draws"])), np.nan)
    value[place], draws[place] = result[name], result[f"{name}_draws"]
    return Sample(value, draws)


def _draws(pair: Comparison, rng: np.random.Generator) -> Floats:
    """Draws of a mean gain: of query groups, `REPEATS` times each, and of what the seeds add."""
    seeds = len(pair.a)
    of_queries = np.tile(mean_sample(pair.b).draws[PLACE] - mean_sample(pair.a).draws[PLACE], REPEATS)
    if seeds == 1:
        return of_queries
    deviation = pair.by_seed(AVERAGE_PRECISION).std(ddof=1)
    noise: Floats = deviation / np.sqrt(seeds) * rng.standard_t(seeds - 1, len(of_queries))
    return of_queries + noise


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
    """Markdown: the models side by side; levels and gains by recipe, then the agreement."""
    yield from _models([result for result in results if RATE not in result["model"]])
    for data in sorted({result["data"] for result in results}):
        own = [result for result in results if result["data"] == data]
        at_usual_rate = [result for result in own if RATE not in result["model"]]
        yield from _levels(data, at_usual_rate)
        yield from _learning_rates(data, own)
        yield from _thresholds(data, at_usual_rate)
        for metric, text in METRICS.items():
            yield from _gains(f"{data}, {text}", own, metric)


def _models(results: Sequence[Result]) -> Iterator[str]:
    """What an LM's AP is above the classifier's, with the rows as they are and the same seeds."""
    runs = {(run["data"], run["model"], run["seed"]): run for run in results if run["recipe"] == NONE and run["rows"]}
    yield f"### LMs beside the classifier: AP with `{NONE}`"
    yield ""
    yield f"| data | LM | train rows | seeds | {' | '.join(METRICS.values())} |"
    yield "| :-- | :-- | --: | --: | --: | --: |"
    for data, model in sorted({key[:2] for key in runs if key[1] != CLASSIFIER}):
        seeds = [key[2] for key in runs if key[:2] == (data, model) and (data, CLASSIFIER, key[2]) in runs]
        cells = [
            _difference([(runs[data, CLASSIFIER, s], runs[data, model, s]) for s in seeds], name) for name in METRICS
        ]
        yield f"| {data} | {model} | {runs[data, model, seeds[0]]['rows']:,} | {len(seeds)} | {' | '.join(cells)} |"
    yield ""


def _difference(pairs: Sequence[tuple[Result, Result]], name: str) -> str:
    """What the second runs' AP is above the first ones', in points with its interval; nothing where they have none."""
    if any(name not in run for pair in pairs for run in pair):
        return ""
    samples = [[_sample(run, name, AVERAGE_PRECISION) for run in runs] for runs in zip(*pairs, strict=True)]
    return _points(mean_gain(Comparison(*samples), CONFIDENCE)[AVERAGE_PRECISION])


def _points(gain: Difference) -> str:
    return "{:+.1f} [{:+.1f}, {:+.1f}]".format(*(100 * end for end in (gain.value, gain.low, gain.high)))


def _levels(data: str, results: Sequence[Result]) -> Iterator[str]:
    yield f"### {data}: levels"
    yield ""
    yield "| model | recipe | seeds | train rows | AP | AP, absent | F1 | all-yes F1 | MCC | s a run |"
    yield "| :-- | :-- | --: | --: | --: | --: | --: | --: | --: | --: |"
    for model, recipe in dict.fromkeys((result["model"], result["recipe"]) for result in results):
        runs = [run for run in results if (run["model"], run["recipe"]) == (model, recipe)]
        metrics = ("ap", "ap_absent", "f1")
        cells = [mean_and_deviation([run[key] for run in runs if key in run]) for key in metrics]
        rows, seconds = (np.mean([run[key] for run in runs]) for key in ("rows", "seconds"))
        mcc = mean_and_deviation([run["mcc"] for run in runs])
        all_yes = 100 * runs[0]["all_yes_f1"]
        yield (
            f"| {model} | {recipe} | {len(runs)} | {rows:,.0f} | {' | '.join(cells)} | {all_yes:.1f} | {mcc} "
            f"| {seconds:.0f} |"
        )
    yield ""


def _learning_rates(data: str, results: Sequence[Result]) -> Iterator[str]:
    """AP of an LM by its learning rate, which is chosen on dev, with the rows as they are."""
    runs = [run for run in results if RATE in run["model"] and run["recipe"] == NONE]
    if not runs:
        return
    yield f"### {data}: learning rates"
    yield ""
    yield "| model | learning rate | seeds | AP on dev | AP on test |"
    yield "| :-- | --: | --: | --: | --: |"
    for name in sorted({run["model"] for run in runs}, key=lambda name: float(name.partition(RATE)[2])):
        own = [run for run in runs if run["model"] == name]
        model, _, rate = name.partition(RATE)
        cells = " | ".join(mean_and_deviation([run[key] for run in own]) for key in ("ap_dev", "ap"))
        yield f"| {model} | {rate} | {len(own)} | {cells} |"
    yield ""


def _thresholds(data: str, results: Sequence[Result]) -> Iterator[str]:
    """What the tuned threshold gains over 0.5, of the models whose runs have both, and what their runs cost."""
    trained = [run for run in results if run["rows"] and "f1_at_half" in run]
    if not trained:
        return
    yield f"### {data}: the tuned threshold"
    yield ""
    yield "| model | F1 at 0.5 | F1, tuned | gain | CPU seconds a run | peak memory, GiB |"
    yield "| :-- | --: | --: | --: | --: | --: |"
    for model in dict.fromkeys(run["model"] for run in trained):
        runs = [run for run in trained if run["model"] == model]
        levels = [mean_and_deviation([run[key] for run in runs]) for key in ("f1_at_half", "f1")]
        samples = [[_sample(run, key, "f1") for run in runs] for key in ("f1_at_half", "f1")]
        gain = mean_gain(Comparison(*samples), CONFIDENCE)["f1"]
        cost = np.mean([run["cpu_seconds"] for run in runs]), max(run["peak_gib"] for run in runs)
        yield f"| {model} | {' | '.join(levels)} | {_points(gain)} | {cost[0]:,.0f} | {cost[1]:.1f} |"
    yield ""


def mean_and_deviation(values: Sequence[float]) -> str:
    """Of shares, in per cent; the deviation is that of a sample, and left out where all seeds give the same.

    Without a value it is a dash.
    """
    if not values:
        return "–"
    mean = f"{100 * np.mean(values):.1f}"
    return mean if len(set(values)) < 2 else f"{mean} ± {100 * np.std(values, ddof=1):.1f}"


def _gains(title: str, results: Sequence[Result], metric: str) -> Iterator[str]:
    trained = [run for run in results if run["rows"]]
    recipes = {(run["model"], run["recipe"]) for run in trained}
    by_model = {
        model: gains([run for run in trained if run["model"] == model], metric)
        for model in sorted({model for model, recipe in recipes if recipe != NONE and (model, NONE) in recipes})
    }
    classifiers = by_model.pop(CLASSIFIER, None)
    for model, of_model in by_model.items() if classifiers else ():
        shared = [recipe for recipe in of_model.recipes if recipe in classifiers.recipes]
        if len(shared) < FEWEST_RECIPES:
            continue
        lm, classifier = of_model.of(shared), classifiers.of(shared)
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
