"""Score dev and test with the model of the variant that the recipe trains on.

\b
    python -m stages.score qc --dev data/original/qc/dev.parquet ... (dvc.yaml has all of it)
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
@click.option("--dev", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--test", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--base", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--model", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@recorded
def main(*, task: str, dev: Path, test: Path, base: Path, model: Path, out: Path) -> None:
    requirements.require("score")
    settings = load(ScoreParams, "score")
    with load_scorer(base, model, settings) as scorer:
        for split, path in (("dev", dev), ("test", test)):
            rows = read_rows(path)
            with partial_work("score", task, path, base, model, settings) as done:
                scores = score_pairs(rows, scorer, done)
                p_yes = pl.Series(scores, dtype=pl.Float64)
                write_table(out / path.name, rows.with_columns(p_yes=p_yes, split=pl.lit(split)))


if __name__ == "__main__":
    main()
