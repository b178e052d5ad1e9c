r"""Fine-tune the model of one variant and task to answer "yes" or "no".

\b
    python -m stages.train qc --train data/negatives/qc/train.parquet ... (dvc.yaml has the whole command)
"""

from __future__ import annotations

from pathlib import Path

import click
import polars as pl

from babelshelf import prompts, tables, training
from babelshelf.files import replacing, work_dir
from babelshelf.fingerprint import fingerprint
from babelshelf.params.load import load, load_seed
from babelshelf.params.train import TrainParams


@click.command(help=__doc__)
@click.argument("task")
@click.option("--train", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--base", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--curve", type=click.Path(path_type=Path), required=True)
def main(*, task: str, train: Path, base: Path, out: Path, curve: Path) -> None:
    settings, seed = load(TrainParams, "train", task), load_seed()
    rows = tables.read_rows(train).filter(pl.col("label").is_not_null())
    text = prompts.load_template(settings.template)
    model, losses = training.fine_tune(
        rows, base, text, settings, seed, work_dir() / "train" / fingerprint(train, base, text, settings, seed)
    )
    with replacing(out) as folder:
        training.save(model, folder, {"template": text, "max_length": settings.max_length})
    tables.write_csv(curve, pl.DataFrame(losses))


if __name__ == "__main__":
    main()
