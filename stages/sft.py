"""Fine-tune the model of one variant and task to answer "yes" or "no".

\b
    python -m stages.sft qc --train data/negatives/qc/train.parquet ... (dvc.yaml has all of it)

With another configuration than `one`, it starts itself under `accelerate launch`, in as many processes as that says.
"""

from __future__ import annotations

from pathlib import Path

import click

from babelshelf.core.params import load, load_seed
from babelshelf.core.rows import path_share, read_labelled
from babelshelf.llm import base_model
from babelshelf.llm.prompts import load_template
from babelshelf.runtime.stage import stage
from babelshelf.sft.fine_tuning import fine_tune
from babelshelf.sft.params import SftParams
from babelshelf.trainer.outputs import Outputs, train_and_write
from babelshelf.trainer.params import load_tracker
from babelshelf.trainer.tracking import Tracking
from babelshelf.trainer.training import TrainedModel


@click.command(help=__doc__)
@click.argument("task")
@click.option("--variant", required=True)
@click.option("--train", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--prompt", type=click.Path(path_type=Path), required=True)
@click.option("--base", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--metrics", type=click.Path(path_type=Path), required=True)
@click.option("--curve", type=click.Path(path_type=Path), required=True)
@click.option("--accelerate", type=click.Path(path_type=Path), required=True)
@stage("sft", writes="out")
def main(
    *,
    task: str,
    variant: str,
    train: Path,
    prompt: Path,
    base: Path,
    out: Path,
    metrics: Path,
    curve: Path,
    accelerate: Path,
) -> str:
    settings, seed, template = load(SftParams, "sft", task), load_seed(), load_template(prompt)
    tracking = Tracking.of(load_tracker(), out)

    def train_model(checkpoints: Path) -> TrainedModel:
        rows = read_labelled(train)
        return fine_tune(rows, base, template, settings=settings, seed=seed, checkpoints=checkpoints, tracking=tracking)

    return train_and_write(
        "sft",
        train_model,
        work=(train, base, template, settings, seed),
        prompt={
            "variant": variant,
            "template": template.source,
            "max_length": settings.max_length,
            "base": base_model.identity(base),
            "path_share": path_share(read_labelled(train)),
        },
        settings=settings,
        accelerate=accelerate,
        outputs=Outputs(out, metrics, curve),
    )


if __name__ == "__main__":
    main()
