"""The results as Markdown, as docs/results.md has them: levels, gains, and how far the models agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from babelshelf.evaluate.bootstrap import Difference
from babelshelf.evaluate.seeds import Comparison, mean_gain
from benchmarks.proxy_truth.agreement import CONFIDENCE, Gains, Result, agreement, gains, sample_of
from benchmarks.proxy_truth.data_sets import NONE, SIZES
from benchmarks.proxy_truth.results import AVERAGE_PRECISION, RATE

METRICS = {"ap": "all languages", "ap_absent": "absent languages"}
BESIDE = {"ap": AVERAGE_PRECISION, "ap_absent": AVERAGE_PRECISION, "f1": "f1"}  # of an LM, what it is above
CLASSIFIER = "classifier"
FLIPPED = "flipped"  # the recipe that `FLIPPED-*` filter
FEWEST_RECIPES = 4  # whose order two models can agree on


def lines(results: Sequence[Result]) -> Iterator[str]:
    """The models side by side, thresholds, what filters recover; then levels, gains and agreement by data set."""
    usual = [result for result in results if RATE not in result["model"]]
    yield from _models(usual)
    yield from _thresholds(usual)
    yield from _learning_rates(results)
    yield from _recovered(usual)
    for data in _data_sets(results):
        own = [result for result in results if result["data"] == data]
        yield from _levels(data, [result for result in own if RATE not in result["model"]])
        for metric, text in METRICS.items():
            yield from _gains(f"{data}, {text}", own, metric)


def _data_sets(results: Sequence[Result]) -> list[str]:
    """Those that have results, in the order of `SIZES`."""
    found = {result["data"] for result in results}
    return [*(data for data in SIZES if data in found), *sorted(found - SIZES.keys())]


def _models(results: Sequence[Result]) -> Iterator[str]:
    """What an LM is above the classifier, with the rows as they are and the same seeds, and what its runs cost."""
    runs = {(run["data"], run["model"], run["seed"]): run for run in results if run["recipe"] == NONE and run["rows"]}
    yield f"### LMs beside the classifier, with `{NONE}`"
    yield ""
    yield "| data | LM | train rows | seeds | AP | AP, absent | F1 | device | s a run | GiB |"
    yield "| :-- | :-- | --: | --: | --: | --: | --: | :-- | --: | --: |"
    keys = {key[:2] for key in runs if key[1] != CLASSIFIER and (key[0], CLASSIFIER, key[2]) in runs}
    order = _data_sets(results)
    for data, model in sorted(keys, key=lambda key: (order.index(key[0]), key[1])):
        seeds = [key[2] for key in runs if key[:2] == (data, model) and (data, CLASSIFIER, key[2]) in runs]
        pairs = [(runs[data, CLASSIFIER, seed], runs[data, model, seed]) for seed in seeds]
        cells = [_difference(pairs, name, metric) for name, metric in BESIDE.items()]
        own = [run for _, run in pairs]
        size = f"{own[0]['rows']:,} | {len(seeds)}"
        cost = f"{own[0]['device']} | {np.mean([run['seconds'] for run in own]):,.0f} | {_most(own, 'peak_gib')}"
        yield f"| {data} | {model} | {size} | {' | '.join(cells)} | {cost} |"
    yield ""


def _most(runs: Sequence[Result], key: str) -> str:
    found = [run[key] for run in runs if key in run]
    return f"{max(found):.1f}" if found else ""


def _difference(pairs: Sequence[tuple[Result, Result]], name: str, metric: str) -> str:
    """What the second runs are above the first ones, in points with its interval; nothing where they lack it."""
    if any(f"{name}_draws" not in run for pair in pairs for run in pair):
        return ""
    samples = [[sample_of(run, name, metric) for run in runs] for runs in zip(*pairs, strict=True)]
    return _points(mean_gain(Comparison(*samples), CONFIDENCE)[metric])


def _points(gain: Difference) -> str:
    return "{:+.1f} [{:+.1f}, {:+.1f}]".format(*(100 * end for end in (gain.value, gain.low, gain.high)))


def _thresholds(results: Sequence[Result]) -> Iterator[str]:
    """What the tuned threshold gains over 0.5 with the rows as they are, of the models whose runs have both."""
    runs = [run for run in results if run["recipe"] == NONE and "f1_at_half" in run]
    if not runs:
        return
    yield f"### The tuned threshold, with `{NONE}`"
    yield ""
    yield "| data | model | seeds | F1 at 0.5 | F1, tuned | gain |"
    yield "| :-- | :-- | --: | --: | --: | --: |"
    for data in _data_sets(runs):
        for model in dict.fromkeys(run["model"] for run in runs if run["data"] == data):
            own = [run for run in runs if (run["data"], run["model"]) == (data, model)]
            levels = " | ".join(mean_and_deviation([run[key] for run in own]) for key in ("f1_at_half", "f1"))
            samples = [[sample_of(run, key, "f1") for run in own] for key in ("f1_at_half", "f1")]
            gain = _points(mean_gain(Comparison(*samples), CONFIDENCE)["f1"])
            yield f"| {data} | {model} | {len(own)} | {levels} | {gain} |"
    yield ""


def _learning_rates(results: Sequence[Result]) -> Iterator[str]:
    """AP of an LM by its learning rate, which is chosen on dev, with the rows as they are."""
    runs = [run for run in results if RATE in run["model"] and run["recipe"] == NONE]
    if not runs:
        return
    yield f"### Learning rates, with `{NONE}`"
    yield ""
    yield "| data | model | learning rate | seeds | AP on dev | AP on test |"
    yield "| :-- | :-- | --: | --: | --: | --: |"
    for data in _data_sets(runs):
        names = {run["model"] for run in runs if run["data"] == data}
        for name in sorted(names, key=lambda name: float(name.partition(RATE)[2])):
            own = [run for run in runs if (run["data"], run["model"]) == (data, name)]
            model, _, rate = name.partition(RATE)
            cells = " | ".join(mean_and_deviation([run[key] for run in own]) for key in ("ap_dev", "ap"))
            yield f"| {data} | {model} | {rate} | {len(own)} | {cells} |"
    yield ""


def _recovered(results: Sequence[Result]) -> Iterator[str]:
    """What the recipes that filter wrong labels gain in AP over the one that keeps them."""
    runs = {(run["data"], run["model"], run["recipe"], run["seed"]): run for run in results}
    filtered = sorted({recipe for _, _, recipe, _ in runs if recipe.startswith(f"{FLIPPED}-")})
    if not filtered:
        return
    yield f"### Gains in AP over `{FLIPPED}`"
    yield ""
    yield f"| data | model | recipe | rows kept | {' | '.join(METRICS.values())} |"
    yield "| :-- | :-- | :-- | --: | --: | --: |"
    for data in _data_sets(results):
        for model in dict.fromkeys(key[1] for key in runs if key[0] == data):
            for recipe in filtered:
                seeds = [key[3] for key in runs if key[:3] == (data, model, recipe)]
                seeds = [seed for seed in seeds if (data, model, FLIPPED, seed) in runs]
                if not seeds:
                    continue
                pairs = [(runs[data, model, FLIPPED, seed], runs[data, model, recipe, seed]) for seed in seeds]
                cells = " | ".join(_difference(pairs, name, AVERAGE_PRECISION) for name in METRICS)
                kept = np.mean([run["rows"] / whole["rows"] for whole, run in pairs])
                yield f"| {data} | {model} | {recipe} | {kept:.0%} | {cells} |"
    yield ""


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


def mean_and_deviation(values: Sequence[float]) -> str:
    """Of shares, in per cent; the deviation is that of a sample, and left out where all seeds give the same.

    Without a value it is a dash.
    """
    if not values:
        return "–"
    mean = f"{100 * np.mean(values):.1f}"
    return mean if len(set(values)) < 2 else f"{mean} ± {100 * np.std(values, ddof=1):.1f}"


def _gains(title: str, results: Sequence[Result], metric: str) -> Iterator[str]:
    trained = [run for run in results if run["rows"] and f"{metric}_draws" in run]
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
