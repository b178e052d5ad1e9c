"""Go on training the fine-tuned model of one variant and task, with direct preference optimization (DPO).

\b
    python -m stages.dpo qc --train data/negatives/qc/train.parquet ... (dvc.yaml has all of it)

With another configuration than `one`, it starts itself under `accelerate launch`, in as many processes as that says.
"""

from __future__ import annotations

from pathlib import Path

import click
import polars as pl

from babelshelf.core.files import read_json, replacing, write_json
from babelshelf.core.params import load, load_seed
from babelshelf.core.rows import read_rows, write_csv
from babelshelf.dpo import preference
from babelshelf.dpo.params import DpoParams
from babelshelf.llm import base_model
from babelshelf.preflight import requirements
from babelshelf.runtime.stage_log import recorded
from babelshelf.trainer import distributed
from babelshelf.trainer.fit import save


@click.command(help=__doc__)
@click.argument("task")
@click.option("--train", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--base", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--model", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--metrics", type=click.Path(path_type=Path), required=True)
@click.option("--curve", type=click.Path(path_type=Path), required=True)
@click.option("--accelerate", type=click.Path(path_type=Path), required=True)
@recorded
def main(
    *, task: str, train: Path, base: Path, model: Path, out: Path, metrics: Path, curve: Path, accelerate: Path
) -> None:
    distributed.choose_gpu(accelerate)
    requirements.require("dpo", task, accelerate)
    settings, seed = load(DpoParams, "dpo", task), load_seed()
    base_model.check_base(base, model)
    batch = {"batch_size": settings.batch_size, "micro_batch_size": settings.micro_batch_size}
    if distributed.launched(accelerate, "stages.dpo", **batch):
        return
    rows = read_rows(train).filter(pl.col("label").is_not_null())
    with distributed.shared_work("dpo", train, base, model, settings, seed) as checkpoints:
        tuned = preference.optimize(rows, base, model, settings=settings, seed=seed, checkpoints=checkpoints)
        if distributed.is_main():
            with replacing(out) as folder:
                save(tuned.model, folder, read_json(model / "prompt.json"), tuned.trained.state)
    if distributed.is_main():
        write_json(metrics, tuned.counts)
        write_csv(curve, pl.DataFrame(tuned.trained.curve))


if __name__ == "__main__":
    main()
