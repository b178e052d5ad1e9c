"""Score a training set with the model that was trained on it: the self-validation that `filter` reads.

\b
    python -m stages.score_train qi --pairs data/translated/qi/train.parquet ... (dvc.yaml has all of it)

A classifier has scored its training rows itself, out of fold.
"""

from __future__ import annotations

from pathlib import Path

import click
import polars as pl

from babelshelf.classifier.model_folder import is_classifier, read_scores
from babelshelf.core.params import load
from babelshelf.core.rows import read_rows, write_table
from babelshelf.runtime.stage import stage
from babelshelf.score.params import ScoreParams
from babelshelf.score.scorer import read_record, score_tables
from babelshelf.tables.predictions import TRAIN_SCORE_SCHEMA, source


@click.command(help=__doc__)
@click.argument("task")
@click.option("--pairs", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--base", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--model", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@stage("score_train", writes="out")
def main(*, task: str, pairs: Path, base: Path, model: Path, out: Path) -> str:
    rows, variant = read_rows(pairs), read_record(model).get("variant")

    def write(_: Path, scored: pl.DataFrame) -> None:
        scores = scored.with_columns(**source("train", variant)).select(TRAIN_SCORE_SCHEMA.names())
        write_table(out / "scores.parquet", scores)

    if is_classifier(model):
        write(pairs, read_scores(model, rows))
        return f"{rows.height:,} pairs, out of fold"
    return score_tables(
        {pairs: rows},
        write,
        base=base,
        model=model,
        settings=load(ScoreParams, "score"),
        key=(task,),
    )


if __name__ == "__main__":
    main()
