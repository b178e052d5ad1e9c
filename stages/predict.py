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
from babelshelf.core.partial_work import partial_work
from babelshelf.core.rows import write_table
from babelshelf.preflight import requirements
from babelshelf.runtime.stage_log import recorded
from babelshelf.score.params import ScoreParams
from babelshelf.score.scorer import load_scorer, score_pairs
from babelshelf.tables.prediction_sets import SCORABLE, answers, read_unlabelled
from babelshelf.tables.predictions import Thresholds


@click.command(help=__doc__)
@click.argument("task")
@click.option("--unlabelled", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--base", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--model", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--calibrated", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@recorded
def main(*, task: str, unlabelled: Path, base: Path, model: Path, calibrated: Path, out: Path) -> None:
    requirements.require("score")
    settings = load(ScoreParams, "score")
    rows = read_unlabelled(unlabelled)
    known = rows.filter(SCORABLE)
    thresholds = Thresholds.of(read_json(calibrated))
    with (
        load_scorer(base, model, settings) as scorer,
        partial_work("predict", task, unlabelled, base, model, settings) as done,
    ):
        p_yes = pl.Series(score_pairs(known, scorer, done), dtype=pl.Float64)
        scored = thresholds.answer(known.with_columns(p_yes=p_yes))
        write_table(out / "predictions.parquet", answers(rows, scored.select("id", "p_yes", "is_relevant")))


if __name__ == "__main__":
    main()
