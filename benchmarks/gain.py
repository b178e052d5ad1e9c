"""Gain of one run over another on test, with its interval over test queries and seeds (`babelshelf.evaluate.seeds`).

    python -m benchmarks.gain BEFORE AFTER --languages de,it,pl,ar --seeds 2,3

BEFORE and AFTER are git revisions or names of DVC experiments of this repository, such as the ladder's rows, or
`workspace`. With `--seeds 2,3` the mean includes `BEFORE-seed2` and `AFTER-seed2` and so on, as the ladder names them,
and the standard deviation of the seeds' gains follows the interval. Without it the interval covers the choice of
queries alone, and the line says "one seed". Each run uses its own threshold, chosen on dev. With each seed both runs
must have the same test rows.
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

from babelshelf.evaluate.bootstrap import Pair, mean_sample, resample_sets
from babelshelf.evaluate.seeds import Comparison, mean_gain
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
    """Print the mean gain; `by_seed` has one list of pairs (of the tasks) a seed."""
    comparison = compared(by_seed, languages)
    parts = []
    for metric, d in mean_gain(comparison, CONFIDENCE).items():
        note = f"sd {statistics.stdev(comparison.by_seed(metric)):.4f}" if d.seeds > 1 else "one seed"
        parts.append(f"{metric} {d.value:+.4f} [{d.low:+.4f}, {d.high:+.4f}] {note}")
    click.echo(f"{name:5}" + "  ".join(parts))


def compared(
    by_seed: Sequence[Sequence[Pair]], languages: Sequence[str] | None = None, resamples: int = RESAMPLES
) -> Comparison:
    """Both runs with each seed, as means over tasks; the groups of different tasks are drawn independently."""
    of_tasks = [
        resample_sets(
            [[pair.a, pair.b] for pair in of_task], resamples=resamples, seed=0, data=task, languages=languages
        )
        for task, of_task in enumerate(zip(*by_seed, strict=True))
    ]
    a, b = ([mean_sample([both[run] for both in of_seed]) for of_seed in zip(*of_tasks, strict=True)] for run in (0, 1))
    return Comparison(a, b)


if __name__ == "__main__":
    main()
