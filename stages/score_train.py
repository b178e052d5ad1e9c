"""Score a training set with the model that was trained on it: the self-validation that `filter` reads.

\b
    python -m stages.score_train qi --pairs data/translated/qi/train.parquet ... (dvc.yaml has all of it)
"""

from __future__ import annotations

from pathlib import Path

import click
import polars as pl

from babelshelf.core.params import load
from babelshelf.core.partial_work import partial_work
from babelshelf.core.rows import read_rows, write_table
from babelshelf.preflight import requirements
from babelshelf.runtime.stage_log import recorded
from babelshelf.score.params import ScoreParams
from babelshelf.score.scorer import load_scorer, score_pairs


@click.command(help=__doc__)
@click.argument("task")
@click.option("--pairs", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--base", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--model", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@recorded
def main(*, task: str, pairs: Path, base: Path, model: Path, out: Path) -> None:
    requirements.require("score")
    settings = load(ScoreParams, "score")
    rows = read_rows(pairs)
    with (
        load_scorer(base, model, settings) as scorer,
        partial_work("score", task, pairs, base, model, settings) as done,
    ):
        scores = score_pairs(rows, scorer, done)
        write_table(out / "scores.parquet", rows.select("id", p_yes=pl.Series(scores, dtype=pl.Float64)))


if __name__ == "__main__":
    main()
