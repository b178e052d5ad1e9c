"""Write the training set of the last fit before a submission: the recipe's, with the labelled rows of dev and test.

\b
    python -m stages.final qc --trained-on data/negatives/qc ... (dvc.yaml has all of it)

No part of `summarize`: `dvc repro predict_final@<task>` runs it, trains a model on the set, and predicts with that
model and the threshold that was chosen before.
"""

from __future__ import annotations

from pathlib import Path

import click

from babelshelf.core.files import write_json
from babelshelf.core.rows import concat, read_rows, write_rows
from babelshelf.final.training_set import with_held_out
from babelshelf.runtime.stage import stage
from babelshelf.tables.reviews import read_reviewed_dev


@click.command(help=__doc__)
@click.argument("task")
@click.option("--trained-on", type=click.Path(path_type=Path), required=True, help="folder of the training set")
@click.option("--dev", type=click.Path(path_type=Path), required=True)
@click.option("--test", type=click.Path(path_type=Path), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--metrics", type=click.Path(path_type=Path), required=True)
@stage("final", writes="out")
def main(*, task: str, trained_on: Path, dev: Path, test: Path, out: Path, metrics: Path) -> str:
    held_out = {"dev": concat(read_rows(dev), read_reviewed_dev(trained_on)), "test": read_rows(test)}
    made = with_held_out(read_rows(trained_on / "train.parquet"), held_out)
    write_rows(out / "train.parquet", made.rows)
    write_json(metrics, made.counts)
    return f"{made.counts['all']:,} rows, {made.counts['dev'] + made.counts['test']:,} of them from dev and test"


if __name__ == "__main__":
    main()
