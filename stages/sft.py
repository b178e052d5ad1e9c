"""Fine-tune the model of one variant and task to answer "yes" or "no".

\b
    python -m stages.sft qc --train data/negatives/qc/train.parquet ... (dvc.yaml has all of it)

With another configuration than `one`, it starts itself under `accelerate launch`, in as many processes as that says.
"""

from __future__ import annotations

from pathlib import Path

import click
import polars as pl

from babelshelf.core.files import replacing, write_json
from babelshelf.core.params import load, load_seed
from babelshelf.core.rows import read_rows, write_csv
from babelshelf.llm import base_model
from babelshelf.llm.prompts import load_template
from babelshelf.preflight import requirements
from babelshelf.runtime.stage_log import recorded
from babelshelf.sft.fine_tuning import fine_tune
from babelshelf.sft.params import SftParams
from babelshelf.trainer import distributed
from babelshelf.trainer.fit import save


@click.command(help=__doc__)
@click.argument("task")
@click.option("--train", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--prompt", type=click.Path(path_type=Path), required=True)
@click.option("--base", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--metrics", type=click.Path(path_type=Path), required=True)
@click.option("--curve", type=click.Path(path_type=Path), required=True)
@click.option("--accelerate", type=click.Path(path_type=Path), required=True)
@recorded
def main(
    *, task: str, train: Path, prompt: Path, base: Path, out: Path, metrics: Path, curve: Path, accelerate: Path
) -> None:
    distributed.choose_gpu(accelerate)
    requirements.require("sft", task, accelerate)
    settings, seed = load(SftParams, "sft", task), load_seed()
    batch = {"batch_size": settings.batch_size, "micro_batch_size": settings.micro_batch_size}
    if distributed.launched(accelerate, "stages.sft", **batch):
        return
    rows = read_rows(train).filter(pl.col("label").is_not_null())
    template = load_template(prompt)
    with distributed.shared_work("sft", train, base, template, settings, seed) as checkpoints:
        tuned = fine_tune(rows, base, template, settings=settings, seed=seed, checkpoints=checkpoints)
        if distributed.is_main():
            with replacing(out) as folder:
                made_with = {
                    "template": template.source,
                    "max_length": settings.max_length,
                    "base": base_model.identity(base),
                }
                save(tuned.model, folder, made_with, tuned.trained.state)
    if distributed.is_main():
        write_json(metrics, tuned.counts)
        write_csv(curve, pl.DataFrame(tuned.trained.curve))


if __name__ == "__main__":
    main()
