"""Fit a classifier on the frozen encoder's vectors of one variant and task, and score its own rows out of fold.

\b
    python -m stages.classifier qc --variant original ... (dvc.yaml has all of it)
"""

from __future__ import annotations

from pathlib import Path

import click

from babelshelf.classifier.features import training_features
from babelshelf.classifier.model_folder import encoder_record, write_model
from babelshelf.classifier.params import ClassifierParams
from babelshelf.classifier.training import fit_rows
from babelshelf.core.files import replacing, work_dir, write_json
from babelshelf.core.params import load, load_seed
from babelshelf.core.rows import path_share, read_rows
from babelshelf.encoder.embedder import load_embedder
from babelshelf.runtime.stage import stage


@click.command(help=__doc__)
@click.argument("task")
@click.option("--variant", required=True)
@click.option("--train", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--embedder", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--metrics", type=click.Path(path_type=Path), required=True)
@stage("classifier", writes="out")
def main(*, task: str, variant: str, train: Path, embedder: Path, out: Path, metrics: Path) -> str:
    settings, seed, rows = load(ClassifierParams, "classifier"), load_seed(), read_rows(train)
    encoder = load_embedder(embedder, settings)
    features = training_features(rows, encoder, work_dir() / "encoder")
    fitted = fit_rows(features, rows, settings, seed)
    record = {
        "variant": variant,
        "encoder": encoder_record(encoder, settings),
        "penalty": fitted.classifier.penalty,
        "path_share": path_share(rows),
    }
    with replacing(out) as folder:
        write_model(folder, fitted, record, embedder)
    write_json(metrics, fitted.metrics)
    return f"{fitted.metrics['rows']:,} rows, out-of-fold AP {fitted.metrics['average_precision']:.3f}"


if __name__ == "__main__":
    main()
