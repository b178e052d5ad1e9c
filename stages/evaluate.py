"""Measure a task's predictions on test, with the threshold that was chosen on dev.

python -m stages.evaluate qc --predictions data/predictions/test/qc/test.parquet ... (dvc.yaml has the whole command)
"""

from __future__ import annotations

from pathlib import Path

import click

from babelshelf.evaluation import (
    evaluate,
    labelled,
    language_f1,
    languages_in_train,
    precision_recall,
    read_predictions,
)
from babelshelf.files import read_json, replacing, write_json
from babelshelf.params.evaluate import EvaluateParams
from babelshelf.params.load import load, load_seed
from babelshelf.tables import read_rows


@click.command(help=__doc__)
@click.argument("task")
@click.option("--predictions", type=click.Path(path_type=Path), required=True)
@click.option("--train", type=click.Path(path_type=Path), required=True)
@click.option("--calibrated", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--metrics", type=click.Path(path_type=Path), required=True)
@click.option("--precision-recall", "curve", type=click.Path(path_type=Path), required=True)
@click.option("--languages", type=click.Path(path_type=Path), required=True)
def main(
    *, task: str, predictions: Path, train: Path, calibrated: Path, metrics: Path, curve: Path, languages: Path
) -> None:
    settings = load(EvaluateParams, "evaluate")
    test = read_predictions(predictions)
    in_train = languages_in_train(read_rows(train), settings.in_train_share)
    result = evaluate(test, in_train, read_json(calibrated)["threshold"], settings, load_seed())
    write_json(metrics, result)
    with replacing(curve) as temporary:
        precision_recall(labelled(test)).write_csv(temporary, float_precision=6)
    with replacing(languages) as temporary:
        language_f1(result).write_csv(temporary, float_precision=6)


if __name__ == "__main__":
    main()
