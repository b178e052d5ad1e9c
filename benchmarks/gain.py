"""What one run gains over another on test, with a paired bootstrap interval over query groups.

    python -m benchmarks.gain BEFORE AFTER --languages de,it,pl,ar

BEFORE and AFTER are git revisions or names of DVC experiments of this repository (`dvc exp run -n NAME ...`), or
`workspace`. Each run brings its own threshold, chosen on dev; both must have predicted the same test rows.
"""

from __future__ import annotations

import json
from pathlib import Path

import click
import polars as pl
from dvc.api import DVCFileSystem
from ruamel.yaml import YAML

from babelshelf.bootstrap import Difference, Pair, mean_difference, paired_difference
from babelshelf.predictions import Thresholds

RESAMPLES = 10_000
CONFIDENCE = 0.95


@click.command(help=__doc__)
@click.argument("before")
@click.argument("after")
@click.option("--languages", help="comma-separated codes; all of test where left out")
def main(*, before: str, after: str, languages: str | None) -> None:
    only = languages.split(",") if languages else None
    earlier, later = (DVCFileSystem(".", rev=None if run == "workspace" else run) for run in (before, after))
    tasks = YAML(typ="safe", pure=True).load(later.read_text("params.yaml"))["tasks"]
    pairs = {task: _pair(earlier, later, task) for task in tasks}
    for task, pair in pairs.items():
        _show(task, paired_difference(pair, resamples=RESAMPLES, confidence=CONFIDENCE, seed=0, languages=only))
    if len(pairs) > 1:
        mean = mean_difference(list(pairs.values()), resamples=RESAMPLES, confidence=CONFIDENCE, seed=0, languages=only)
        _show("mean", mean)


def _pair(before: DVCFileSystem, after: DVCFileSystem, task: str) -> Pair:
    return Pair(_answers(before, task), _answers(after, task))


def _answers(run: DVCFileSystem, task: str) -> pl.DataFrame:
    with run.open(str(Path("data/predictions/test") / task / "test.parquet"), "rb") as stream:
        rows = pl.read_parquet(stream.read())
    return Thresholds.of(json.loads(run.read_text(f"metrics/calibrate/{task}.json"))).answer(rows)


def _show(name: str, differences: dict[str, Difference]) -> None:
    parts = [f"{metric} {d.value:+.4f} [{d.low:+.4f}, {d.high:+.4f}]" for metric, d in differences.items()]
    click.echo(f"{name:5}" + "  ".join(parts))


if __name__ == "__main__":
    main()
