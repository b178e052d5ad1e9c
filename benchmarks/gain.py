"""Gain of one run over another on test, with a paired bootstrap interval over query groups.

    python -m benchmarks.gain BEFORE AFTER --languages de,it,pl,ar --seeds 2,3

BEFORE and AFTER are git revisions or names of DVC experiments of this repository, such as the ladder's rows, or
`workspace`. With `--seeds 2,3` the mean includes `BEFORE-seed2` and `AFTER-seed2` and so on, as the ladder names them,
and the standard deviation of the seeds' gains follows the interval. Each run uses its own threshold, chosen on dev.
Both runs must have the same test rows.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path

import click
import polars as pl
from dvc.api import DVCFileSystem
from ruamel.yaml import YAML

from babelshelf.evaluate.bootstrap import Difference, Pair, difference, mean_sample, resample
from babelshelf.tables.calibration import Calibration

RESAMPLES = 10_000
CONFIDENCE = 0.95


@click.command(help=__doc__)
@click.argument("before")
@click.argument("after")
@click.option("--languages", help="comma-separated codes; default: all of test")
@click.option("--seeds", default="", help="comma-separated seeds of further runs to average over")
def main(*, before: str, after: str, languages: str | None, seeds: str) -> None:
    only = languages.split(",") if languages else None
    suffixes = ["", *(f"-seed{seed}" for seed in seeds.split(",") if seed)]
    runs = [(_open(before + suffix), _open(after + suffix)) for suffix in suffixes]
    tasks = YAML(typ="safe", pure=True).load(runs[0][1].read_text("params.yaml"))["tasks"]
    pairs = {task: [Pair(_answers(a, task), _answers(b, task)) for a, b in runs] for task in tasks}
    for task, of_task in pairs.items():
        _show(task, [[pair] for pair in of_task], only)
    if len(pairs) > 1:
        _show("mean", list(zip(*pairs.values(), strict=True)), only)


def _open(run: str) -> DVCFileSystem:
    return DVCFileSystem(".", rev=None if run == "workspace" else run)


def _answers(run: DVCFileSystem, task: str) -> pl.DataFrame:
    with run.open(str(Path("data/predictions/held_out") / task / "test.parquet"), "rb") as stream:
        rows = pl.read_parquet(stream.read())
    return Calibration.of(json.loads(run.read_text(f"metrics/calibrate/{task}.json"))).answer(rows)


def _show(name: str, by_seed: Sequence[Sequence[Pair]], languages: Sequence[str] | None) -> None:
    """Print the mean gain over all pairs; `by_seed` has one list of pairs (of the tasks) a seed."""
    gains = [mean_gain(pairs, languages) for pairs in by_seed]
    mean = mean_gain([pair for pairs in by_seed for pair in pairs], languages)
    parts = []
    for metric, d in mean.items():
        deviation = f" sd {statistics.stdev(gain[metric].value for gain in gains):.4f}" if len(gains) > 1 else ""
        parts.append(f"{metric} {d.value:+.4f} [{d.low:+.4f}, {d.high:+.4f}]{deviation}")
    click.echo(f"{name:5}" + "  ".join(parts))


def mean_gain(
    pairs: Sequence[Pair], languages: Sequence[str] | None = None, resamples: int = RESAMPLES
) -> dict[str, Difference]:
    """Mean gain over tasks and seeds; pairs with the same test rows (seeds of a task) share the drawn groups."""
    test_sets: list[pl.DataFrame] = []
    samples = []
    for pair in pairs:
        rows = pair.a.select("id", "group").sort("id")
        number = next((i for i, other in enumerate(test_sets) if other.equals(rows)), len(test_sets))
        if number == len(test_sets):
            test_sets.append(rows)
        samples.append(resample([pair.a, pair.b], resamples=resamples, seed=0, data=number, languages=languages))
    before, after = (mean_sample([both[run] for both in samples]) for run in (0, 1))
    return difference(before, after, CONFIDENCE)


if __name__ == "__main__":
    main()
