"""How often the 95 % interval of a gain over seeds contains the true gain, by simulation.

    python -m benchmarks.interval_coverage run      # writes benchmarks/results/interval_coverage.jsonl, some minutes
    python -m benchmarks.interval_coverage table    # the tables of docs/method.md

Two recipes answer rows of query groups. A row's score is the mean of its class, plus what the query's group and the row
have in common for all models, plus what each model errs on its own, and the mean depends on the recipe and, at random,
on the seed. So the true F1 of a recipe, over all queries and seeds, is known in closed form. `ladder` simulates rows of
a ladder, whose variances over seeds are equal or not, for the pooled variance.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import polars as pl
from scipy.stats import norm

from babelshelf.evaluate.bootstrap import Difference, Floats, Sample, difference, mean_sample, resample_sets
from babelshelf.evaluate.metric_names import RESAMPLED
from babelshelf.evaluate.seeds import Comparison, mean_gain, pooled_variances

RESULTS = Path("benchmarks/results/interval_coverage.jsonl")
DRAWS = 2000
RESAMPLES = 300
CONFIDENCE = 0.95
SEEDS = (2, 3, 5)
SEED_DEVIATIONS = (0.0, 0.05, 0.15)  # none; that of a gain about as large as its standard error over queries; thrice
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
        of_group, of_row, of_model: standard deviations of the score: of a query group and of a row, the same for all
            models, and of a model's own errors.
    """

    seed_deviation: float
    same_test: bool
    means: tuple[float, float] = (0.8, 0.9)
    groups: int = 100
    rows: int = 3
    positive_share: float = 0.6
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

    def test_set(self, rng: np.random.Generator, name: str) -> tuple[pl.DataFrame, Floats]:
        """Labelled rows, and the part of the score that all models share."""
        n = self.groups * self.rows
        group = np.repeat(np.arange(self.groups), self.rows)
        label = (rng.random(n) < self.positive_share).astype(np.int8)
        score = self.of_group * rng.standard_normal(self.groups)[group] + self.of_row * rng.standard_normal(n)
        ids = [f"{name}-{i}" for i in range(n)]
        groups = [f"{name}-{i}" for i in group]
        return pl.DataFrame({"id": ids, "language": "en", "group": groups, "query": groups, "label": label}), score

    def answers(self, rng: np.random.Generator, mean: float, rows: pl.DataFrame, shared: Floats) -> pl.DataFrame:
        """Predictions of one trained model."""
        quality = mean + self.seed_deviation * rng.standard_normal()
        signs = 2.0 * rows["label"].to_numpy() - 1
        score = signs * quality + shared + self.of_model * rng.standard_normal(rows.height)
        return rows.with_columns(p_yes=norm.cdf(score), is_relevant=score > 0)


def simulated(population: Population, seeds: int, rng: np.random.Generator) -> Comparison:
    """Two recipes, trained and tested with so many seeds."""
    one = population.test_set(rng, "test")
    tests = [one if population.same_test else population.test_set(rng, f"test{seed}") for seed in range(seeds)]
    sets = [[population.answers(rng, mean, *test) for mean in population.means] for test in tests]
    samples = resample_sets(sets, resamples=RESAMPLES, seed=int(rng.integers(2**31)))
    return Comparison("first", "second", [a for a, _ in samples], [b for _, b in samples])


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


def ladder_gains(deviations: Sequence[float], seeds: int, rng: np.random.Generator) -> list[Comparison]:
    """Rows of a ladder, each built on the one before, whose true gain is 0; `deviations` are the rows' over seeds."""
    runs = [deviation * rng.standard_normal(seeds) for deviation in deviations]

    def samples(values: Floats) -> list[Sample]:
        return [Sample(np.full(len(RESAMPLED), value), np.full((len(RESAMPLED), 2), value)) for value in values]

    return [Comparison(str(i), str(i + 1), samples(a), samples(b)) for i, (a, b) in enumerate(itertools.pairwise(runs))]


def ladder_coverage(deviations: Sequence[float], seeds: int, draws: int, start: int = 0) -> dict[str, Any]:
    """Coverage of the rows' intervals with a pooled variance where it is allowed: of all, and of the worst row."""
    rng = np.random.default_rng([start, seeds])
    pooled = [Coverage() for _ in deviations[1:]]
    own = [Coverage() for _ in deviations[1:]]
    used = 0
    for _ in range(draws):
        comparisons = ladder_gains(deviations, seeds, rng)
        variances = pooled_variances(comparisons, "f1")
        for row, (comparison, variance) in enumerate(zip(comparisons, variances, strict=True)):
            used += variance is not None
            pooled[row].add(mean_gain(comparison, CONFIDENCE, {"f1": variance} if variance else None)["f1"], 0)
            own[row].add(mean_gain(comparison, CONFIDENCE)["f1"], 0)
    rows = [row.result()["coverage"] for row in pooled]
    width, own_width = (sum(row.width for row in part) for part in (pooled, own))
    return {
        "coverage": float(np.mean(rows)),
        "worst_row": min(rows),
        "pooled_share": used / draws / len(rows),
        "width_ratio": width / own_width,
    }


LADDERS = {
    "equal": [1.0] * 9,
    "half of the rows twice as much": [1.0, 2.0] * 4 + [1.0],
    "one row four times as much": [1.0] * 8 + [4.0],
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
        if kind == "ladder":
            found = ladder_coverage(LADDERS[of], seeds, draws)
        else:
            found = coverage(Population(of, same_test=kind == "one test set"), seeds, draws)
        with out.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({**case, **found}) + "\n")


def cases() -> Iterator[tuple[str, Any, int]]:
    """All simulations: their kind, a ladder or a deviation over seeds, and the number of seeds."""
    for seeds in SEEDS:
        yield from (("ladder", name, seeds) for name in LADDERS)
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
    heads = ["variances over seeds", *(f"{seeds} seeds: mean, worst row, width" for seeds in SEEDS)]
    lines += ["", _line(heads), _line([":--", *["--:"] * len(SEEDS)])]
    for name in LADDERS:
        found = [of["ladder", name, seeds] for seeds in SEEDS]
        cells = [f"{100 * x['coverage']:.1f}, {100 * x['worst_row']:.1f}, {x['width_ratio']:.2f}" for x in found]
        lines.append(_line([name, *cells]))
    return lines


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _percent(found: dict[str, float]) -> str:
    return f"{100 * found['coverage']:.1f}"


if __name__ == "__main__":
    main()
