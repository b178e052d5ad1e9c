"""Answer the rows of the prediction sets, with the final model and the threshold that was chosen on dev.

\b
    python -m stages.predict qc --unlabelled data/original/qc/unlabelled.parquet ... (dvc.yaml has all of it)

Writes <out>/predictions.parquet, which `babelshelf submit` makes a submission of.
"""

from __future__ import annotations

from pathlib import Path

import click
import polars as pl

from babelshelf.core.files import read_json
from babelshelf.core.params import load
from babelshelf.core.rows import write_table
from babelshelf.runtime.stage import stage
from babelshelf.score.params import ScoreParams
from babelshelf.score.scorer import score_tables
from babelshelf.tables.prediction_sets import SCORABLE, answers, read_unlabelled
from babelshelf.tables.predictions import Thresholds


@click.command(help=__doc__)
@click.argument("task")
@click.option("--unlabelled", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--base", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--model", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--calibrated", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@stage("predict", writes="out")
def main(*, task: str, unlabelled: Path, base: Path, model: Path, calibrated: Path, out: Path) -> str:
    rows, thresholds = read_unlabelled(unlabelled), Thresholds.of(read_json(calibrated))

    def write(_: Path, scored: pl.DataFrame) -> None:
        answered = thresholds.answer(scored).select("id", "p_yes", "is_relevant")
        write_table(out / "predictions.parquet", answers(rows, answered))

    return score_tables(
        {unlabelled: rows.filter(SCORABLE)},
        write,
        base=base,
        model=model,
        settings=load(ScoreParams, "score"),
        key=("predict", task),
    )


if __name__ == "__main__":
    main()
