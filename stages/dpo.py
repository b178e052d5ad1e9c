"""Go on training the fine-tuned model of one variant and task, with direct preference optimization (DPO).

\b
    python -m stages.dpo qc --train data/negatives/qc/train.parquet ... (dvc.yaml has all of it)

With another configuration than `one`, it starts itself under `accelerate launch`, in as many processes as that says.
"""

from __future__ import annotations

from pathlib import Path

import click

from babelshelf.core.files import read_json
from babelshelf.core.params import load, load_seed
from babelshelf.core.rows import read_labelled
from babelshelf.dpo import preference
from babelshelf.dpo.params import DpoParams
from babelshelf.llm import base_model
from babelshelf.runtime.stage import stage
from babelshelf.trainer.outputs import Outputs, train_and_write
from babelshelf.trainer.params import load_tracker
from babelshelf.trainer.tracking import Tracking
from babelshelf.trainer.training import TrainedModel


@click.command(help=__doc__)
@click.argument("task")
@click.option("--train", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--base", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--model", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--metrics", type=click.Path(path_type=Path), required=True)
@click.option("--curve", type=click.Path(path_type=Path), required=True)
@click.option("--accelerate", type=click.Path(path_type=Path), required=True)
@stage("dpo", writes="out")
def main(
    *, task: str, train: Path, base: Path, model: Path, out: Path, metrics: Path, curve: Path, accelerate: Path
) -> str:
    settings, seed = load(DpoParams, "dpo", task), load_seed()
    tracking = Tracking.of(load_tracker(), out)
    base_model.check_base(base, model)

    def train_model(checkpoints: Path) -> TrainedModel:
        rows = read_labelled(train)
        return preference.optimize(
            rows, base, model, settings=settings, seed=seed, checkpoints=checkpoints, tracking=tracking
        )

    return train_and_write(
        "dpo",
        train_model,
        work=(train, base, model, settings, seed),
        prompt=read_json(model / "prompt.json"),
        settings=settings,
        accelerate=accelerate,
        outputs=Outputs(out, metrics, curve),
    )


if __name__ == "__main__":
    main()
