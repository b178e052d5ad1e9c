"""Go on training the fine-tuned model of one variant and task, with direct preference optimization (DPO).

\b
    python -m stages.dpo qc --train data/negatives/qc/train.parquet ... (dvc.yaml has all of it)
"""

from __future__ import annotations

from pathlib import Path

import click
import polars as pl

from babelshelf import pointer, preference, tables, training
from babelshelf.files import read_json, replacing, write_json
from babelshelf.fingerprint import partial_work
from babelshelf.params.dpo import DpoParams
from babelshelf.params.load import load, load_seed
from babelshelf.resources import recorded


@click.command(help=__doc__)
@click.argument("task")
@click.option("--train", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--base", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--model", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--metrics", type=click.Path(path_type=Path), required=True)
@click.option("--curve", type=click.Path(path_type=Path), required=True)
@recorded
def main(*, task: str, train: Path, base: Path, model: Path, out: Path, metrics: Path, curve: Path) -> None:
    settings, seed = load(DpoParams, "dpo", task), load_seed()
    pointer.check_base(base, model)
    rows = tables.read_rows(train).filter(pl.col("label").is_not_null())
    with partial_work("dpo", train, base, model, settings, seed) as checkpoints:
        tuned = preference.optimize(rows, base, model, settings=settings, seed=seed, checkpoints=checkpoints)
        with replacing(out) as folder:
            training.save(tuned.model, folder, read_json(model / "prompt.json"))
    write_json(metrics, tuned.counts)
    tables.write_csv(curve, pl.DataFrame(tuned.curve))


if __name__ == "__main__":
    main()
