"""Score dev and test with the model of the variant that the recipe trains on.

\b
    python -m stages.score qc --dev data/original/qc/dev.parquet ... (dvc.yaml has all of it)

Rows that people have labelled for dev, which the stage `filter` keeps beside the training set, are rows of dev, too.
"""

from __future__ import annotations

from pathlib import Path

import click
import polars as pl

from babelshelf.core.params import load
from babelshelf.core.rows import concat, read_rows, write_table
from babelshelf.runtime.stage import stage
from babelshelf.score.params import ScoreParams
from babelshelf.score.scorer import read_record, refuse_final, score_tables
from babelshelf.tables.predictions import source
from babelshelf.tables.reviews import read_reviewed_dev


@click.command(help=__doc__)
@click.argument("task")
@click.option("--dev", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--test", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--trained-on", type=click.Path(path_type=Path), required=True, help="folder of the training set")
@click.option("--base", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--model", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@stage("score", writes="out")
def main(*, task: str, dev: Path, test: Path, trained_on: Path, base: Path, model: Path, out: Path) -> str:
    refuse_final(model)
    reviewed = read_reviewed_dev(trained_on)
    splits, variant = {dev: "dev", test: "test"}, read_record(model).get("variant")

    def write(file: Path, scored: pl.DataFrame) -> None:
        write_table(out / file.name, scored.with_columns(**source(splits[file], variant)))

    return score_tables(
        {dev: concat(read_rows(dev), reviewed), test: read_rows(test)},
        write,
        base=base,
        model=model,
        settings=load(ScoreParams, "score"),
        key=(task, reviewed["id"].to_list()),
    )


if __name__ == "__main__":
    main()
