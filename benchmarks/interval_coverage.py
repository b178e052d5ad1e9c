"""How often the 95 % interval of a gain over seeds contains the true gain, by simulation.

    python -m benchmarks.interval_coverage run      # writes benchmarks/results/interval_coverage.jsonl, a minute or two
    python -m benchmarks.interval_coverage table    # the tables of docs/method.md

Two recipes answer rows of query groups. A row's score is the mean of its class, plus what the query's group and the row
have in common for all models, plus what each model errs on its own; the mean depends on the recipe and, at random, on
the seed. So the true F1 of a recipe, over all queries and seeds, is known in closed form. The bootstrap is that of
`babelshelf.evaluate.bootstrap` for F1 alone, on counts by group, which is faster.

The interval takes each gain's own variance over seeds. The gains of a ladder could share one where a test of equal
variances does not reject, for more degrees of freedom: `pooled` simulates what comes of that.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
from scipy.stats import bartlett, levene, norm, t

from babelshelf.evaluate.bootstrap import Difference, Floats, Sample, difference, mean_sample
from babelshelf.evaluate.metric_names import RESAMPLED
from babelshelf.evaluate.seeds import Comparison, mean_gain

RESULTS = Path("benchmarks/results/interval_coverage.jsonl")
DRAWS = 2000
CONFIDENCE = 0.95
SEEDS = (2, 3, 5)
SEED_DEVIATIONS = (0.0, 0.05, 0.2)
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(60)


@dataclass(frozen=True)
class Population:
    """Where the rows, and the answers to them, come from; all but shares and sizes in units of the score.

    Attributes:
        seed_deviation: standard deviation of a model's quality over seeds.
        same_test: whether all seeds have one test set, or each its own.
        means: quality of the two recipes.
        groups, rows: query groups, and rows of each.
        positive_share: of the rows.
        resamples: of the bootstrap.
        of_group, of_row, of_model: standard deviations of the score: of a query group and of a row, the same for all
            models, and of a model's own errors.
    """

    seed_deviation: float
    same_test: bool
    means: tuple[float, float] = (0.8, 0.9)
    groups: int = 200
    rows: int = 3
    positive_share: float = 0.6
    resamples: int = 500
    of_group: float = 0.5
    of_row: float = 0.7
    of_model: float = 0.5

    def f1(self, quality: Floats) -> Floats:
        """The true F1 of models of these qualities."""
        spread = np.sqrt(self.of_group**2 + self.of_row**2 + self.of_model**2)
        right = norm.cdf(quality / spread)  # the share of right answers, in both classes
        positives = self.positive_share
        return 2 * positives * right / (positives + positives * right + (1 - positives) * (1 - right))

    def true_gain(self) -> float:
        """Mean over seeds of the F1 of the second recipe, minus that of the first."""
        means = [float(self.f1(m + self.seed_deviation * NODES) @ WEIGHTS / WEIGHTS.sum()) for m in self.means]
        return means[1] - means[0]

    def gain_deviation(self) -> float:
        """Standard deviation of the true gain over seeds."""
        weights = WEIGHTS / WEIGHTS.sum()
        values = [self.f1(mean + self.seed_deviation * NODES) for mean in self.means]
        return float(np.sqrt(sum(weights @ (f1 - weights @ f1) ** 2 for f1 in values)))

    def shared_scores(self, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Of a test set: labels, and the part of the scores that all models share; shape (groups, rows) each."""
        shape = (self.groups, self.rows)
        group, row = rng.standard_normal((self.groups, 1)), rng.standard_normal(shape)
        return (rng.random(shape) < self.positive_share) * 1.0, self.of_group * group + self.of_row * row

    def counts(self, rng: np.random.Generator, mean: float, labels: Floats, shared: Floats) -> Floats:
        """True positives, and the positives of truth and answers together, by group; shape (2, groups)."""
        quality = mean + self.seed_deviation * rng.standard_normal()
        scores = (2 * labels - 1) * quality + shared + self.of_model * rng.standard_normal(labels.shape)
        yes = scores > 0
        return np.stack([(labels * yes).sum(axis=1), (labels + yes).sum(axis=1)])


def simulated(population: Population, seeds: int, rng: np.random.Generator) -> Comparison:
    """Two recipes, trained and tested with so many seeds."""
    n = population.groups
    samples: list[list[Sample]] = [[], []]
    for seed in range(seeds):
        if seed == 0 or not population.same_test:
            test = population.shared_scores(rng)
            drawn = rng.multinomial(n, np.full(n, 1 / n), size=population.resamples).T
        for of_recipe, mean in zip(samples, population.means, strict=True):
            counts = population.counts(rng, mean, *test)
            of_recipe.append(f1_sample(f1(counts.sum(axis=1)), f1(counts @ drawn)))
    return Comparison(*samples)


def f1(counts: Floats) -> Floats:
    """F1 of counts as of `Population.counts`, summed over groups; shape (2, ...)."""
    return np.asarray(2 * counts[0] / counts[1])


def f1_sample(value: float | Floats, draws: Floats) -> Sample:
    """A sample in which no metric but F1 is defined."""
    others = np.full((len(RESAMPLED) - 1, len(draws)), np.nan)
    return Sample(np.append(value, others[:, 0]), np.vstack([draws, others]))


@dataclass
class Coverage:
    """Counts of intervals that contain the truth, and their widths in points."""

    within: int = 0
    draws: int = 0
    width: float = 0.0

    def add(self, interval: Difference, truth: float) -> None:
        """Count an interval."""
        self.within += interval.low <= truth <= interval.high
        self.draws += 1
        self.width += 100 * (interval.high - interval.low)

    def result(self) -> dict[str, float]:
        """Share of the intervals that contain the truth, and their mean width in points."""
        return {"coverage": self.within / self.draws, "mean_width": self.width / self.draws, "draws": self.draws}


def coverage(population: Population, seeds: int, draws: int, start: int = 0) -> dict[str, Any]:
    """How often the interval contains the true gain, beside the bootstrap over queries alone."""
    rng = np.random.default_rng([start, seeds])
    truth = population.true_gain()
    both, queries, gains = Coverage(), Coverage(), []
    for _ in range(draws):
        comparison = simulated(population, seeds, rng)
        both.add(mean_gain(comparison, CONFIDENCE)["f1"], truth)
        alone = difference(mean_sample(comparison.a), mean_sample(comparison.b), CONFIDENCE)["f1"]
        queries.add(alone, truth)
        gains.append(alone.value)
    return {"mean": float(np.mean(gains)), "truth": truth, "both": both.result(), "queries": queries.result()}


def pooled_coverage(deviations: Sequence[float], seeds: int, draws: int, start: int = 0) -> dict[str, Any]:
    """Coverage of Student's t intervals of gains over seeds, whose variance is pooled where a test does not reject.

    Args:
        deviations: of each gain over seeds.
        seeds: number of seeds.
        draws: number of simulated ladders.
        start: seed of the simulation.

    Returns:
        By test: the mean coverage over gains, that of the last gain, and the mean width over that without pooling.
    """
    rng = np.random.default_rng([start, seeds])
    gains = rng.standard_normal((draws, len(deviations), seeds)) * np.array(deviations)[:, None]
    own, common = gains.var(axis=2, ddof=1), gains.var(axis=2, ddof=1).mean(axis=1, keepdims=True)
    alone = t.isf((1 - CONFIDENCE) / 2, seeds - 1) * np.sqrt(own / seeds)
    together = t.isf((1 - CONFIDENCE) / 2, (seeds - 1) * len(deviations)) * np.sqrt(common / seeds)
    found: dict[str, Any] = {}
    for name, (test, level) in TESTS.items():
        with np.errstate(all="ignore"):  # Brown and Forsythe's is not defined with two seeds
            rejects = np.array([not test(*ladder).pvalue >= level for ladder in gains])
        half = np.where(rejects[:, None], alone, together)
        within = np.abs(gains.mean(axis=2)) <= half
        found[name] = {
            "coverage": float(within.mean()),
            "last": float(within[:, -1].mean()),
            "width_ratio": float(half.mean() / alone.mean()),
            "rejected": float(rejects.mean()),
        }
    return found


TESTS = {
    "Brown-Forsythe, 0.05": (partial(levene, center="median"), 0.05),
    "Bartlett, 0.05": (bartlett, 0.05),
    "Bartlett, 0.25": (bartlett, 0.25),
}
LADDERS = {
    "equal": [1.0] * 8,
    "half of them twice as much": [1.0] * 4 + [2.0] * 4,
    "the last four times as much": [1.0] * 7 + [4.0],
}


@click.group(help=__doc__)
def main() -> None:
    pass


@main.command()
@click.option("--draws", type=click.IntRange(min=1), default=DRAWS, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS, show_default=True)
def run(*, draws: int, out: Path) -> None:
    """Simulate what the file of results does not have yet, and append it, a line each."""
    done = [{key: line[key] for key in ("kind", "of", "seeds")} for line in read_results(out)]
    for kind, of, seeds in cases():
        case = {"kind": kind, "of": of, "seeds": seeds}
        if case in done:
            continue
        if kind == "pooled":
            found = pooled_coverage(LADDERS[of], seeds, draws)
        else:
            found = coverage(Population(of, same_test=kind == "one test set"), seeds, draws)
        with out.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({**case, **found}) + "\n")


def cases() -> Iterator[tuple[str, Any, int]]:
    """All simulations: their kind, a ladder or a deviation over seeds, and the number of seeds."""
    for seeds in SEEDS:
        yield from (("pooled", name, seeds) for name in LADDERS)
        for deviation in SEED_DEVIATIONS:
            yield from ((kind, deviation, seeds) for kind in ("one test set", "a test set a seed"))


def read_results(file: Path) -> list[dict[str, Any]]:
    """All lines of the file, none where there is none."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.is_file() else []


@main.command()
@click.option("--file", type=click.Path(path_type=Path, exists=True), default=RESULTS, show_default=True)
def table(*, file: Path) -> None:
    """Print the tables of docs/method.md, from the file of results."""
    click.echo("\n".join(tables(read_results(file))))


def tables(results: Sequence[dict[str, Any]]) -> list[str]:
    """Coverage in per cent and mean widths in points, as Markdown."""
    of = {(line["kind"], line["of"], line["seeds"]): line for line in results}
    heads = ["test sets", "SD of the gain over seeds", *(f"{seeds} seeds" for seeds in SEEDS)]
    lines = [_line(heads), _line([":--", "--:", *["--:"] * len(SEEDS)])]
    for kind in ("one test set", "a test set a seed"):
        for deviation in SEED_DEVIATIONS:
            found = [of[kind, deviation, seeds] for seeds in SEEDS]
            size = Population(deviation, same_test=True).gain_deviation()
            cells = [f"{_percent(one['both'])} ({_percent(one['queries'])})" for one in found]
            lines.append(_line([kind, f"{100 * size:.1f}", *cells]))
    lines += [
        "",
        _line(["deviations over seeds", "test, level", *heads[2:]]),
        _line([":--", ":--", *["--:"] * len(SEEDS)]),
    ]
    for name in LADDERS:
        for test in TESTS:
            pooled = [of["pooled", name, seeds][test] for seeds in SEEDS]
            cells = [f"{100 * x['coverage']:.1f}, {100 * x['last']:.1f}, {x['width_ratio']:.2f}" for x in pooled]
            lines.append(_line([name, test, *cells]))
    return lines


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _percent(found: dict[str, float]) -> str:
    return f"{100 * found['coverage']:.1f}"


if __name__ == "__main__":
    main()
