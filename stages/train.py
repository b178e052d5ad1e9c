"""Fine-tune the model of one variant and task to answer "yes" or "no".

\b
    python -m stages.train qc --train data/negatives/qc/train.parquet ... (dvc.yaml has all of it)

With another configuration than `one`, it starts itself under `accelerate launch`, in as many processes as that says.
"""

from __future__ import annotations

from pathlib import Path

import click
import polars as pl

from babelshelf import distributed, pointer, preflight, prompts, tables, training
from babelshelf.files import replacing, write_json
from babelshelf.params.load import load, load_seed
from babelshelf.params.train import TrainParams
from babelshelf.resources import recorded


@click.command(help=__doc__)
@click.argument("task")
@click.option("--train", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--base", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--metrics", type=click.Path(path_type=Path), required=True)
@click.option("--curve", type=click.Path(path_type=Path), required=True)
@click.option("--accelerate", type=click.Path(path_type=Path), required=True)
@recorded
def main(*, task: str, train: Path, base: Path, out: Path, metrics: Path, curve: Path, accelerate: Path) -> None:
    distributed.choose_gpu(accelerate)
    preflight.require("train", task, accelerate)
    settings, seed = load(TrainParams, "train", task), load_seed()
    batch = {"batch_size": settings.batch_size, "micro_batch_size": settings.micro_batch_size}
    if distributed.launched(accelerate, "stages.train", **batch):
        return
    rows = tables.read_rows(train).filter(pl.col("label").is_not_null())
    text = prompts.load_template(settings.template)
    with distributed.shared_work("train", train, base, text, settings, seed) as checkpoints:
        tuned = training.fine_tune(rows, base, text, settings=settings, seed=seed, checkpoints=checkpoints)
        if distributed.is_main():
            with replacing(out) as folder:
                prompt = {"template": text, "max_length": settings.max_length, "base": pointer.identity(base)}
                training.save(tuned.model, folder, prompt, tuned.trained.state)
    if distributed.is_main():
        write_json(metrics, tuned.counts)
        tables.write_csv(curve, pl.DataFrame(tuned.trained.curve))


if __name__ == "__main__":
    main()
