"""Drop the training rows whose label the variant's own model confidently contradicts.

\b
    python -m stages.filter qi --train data/translated/qi/train.parquet ... (dvc.yaml has all of it)

Writes the complete training set that remains (train.parquet) and every dropped row with its score (dropped.parquet).
"""

from __future__ import annotations

from pathlib import Path

import click

from babelshelf.core.files import write_json
from babelshelf.core.params import load
from babelshelf.core.rows import read_rows, write_rows, write_table
from babelshelf.filter.params import FilterParams
from babelshelf.filter.self_validation import filter_rows
from babelshelf.runtime.screen import echo
from babelshelf.runtime.stage import stage
from babelshelf.tables.predictions import read_train_scores
from babelshelf.tables.truth import read_truth


@click.command(help=__doc__)
@click.argument("task")
@click.option("--variant", required=True, help="of --train")
@click.option("--train", type=click.Path(path_type=Path), required=True)
@click.option("--scores", type=click.Path(path_type=Path), required=True)
@click.option("--truth", type=click.Path(path_type=Path), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--metrics", type=click.Path(path_type=Path), required=True)
@stage("filter", writes="out")
def main(*, task: str, variant: str, train: Path, scores: Path, truth: Path, out: Path, metrics: Path) -> str:
    settings = load(FilterParams, "filter", task)
    own = read_train_scores(scores / "scores.parquet", variant)
    filtered = filter_rows(read_rows(train), own, read_truth(truth), settings)
    write_rows(out / "train.parquet", filtered.kept)
    write_table(out / "dropped.parquet", filtered.dropped)
    write_json(metrics, filtered.metrics)
    for warning in filtered.warnings:
        echo(warning)
    return f"{filtered.kept.height:,} rows kept, {filtered.dropped.height:,} dropped"


if __name__ == "__main__":
    main()
