"""Measure a task's predictions on test, with the threshold that was chosen on dev.

\b
    python -m stages.evaluate qc --predictions data/predictions/held_out/qc/test.parquet ... (dvc.yaml has all of it)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from babelshelf.core.files import read_json, write_json
from babelshelf.core.params import load, load_seed
from babelshelf.core.rows import read_rows, read_table, write_csv
from babelshelf.core.variants import FILTERED
from babelshelf.evaluate.metrics import evaluate, language_f1, languages_in_train, precision_recall
from babelshelf.evaluate.params import EvaluateParams
from babelshelf.evaluate.reliability import reliability
from babelshelf.evaluate.warnings import dev_rows, filtered_rows
from babelshelf.runtime.stage import stage
from babelshelf.tables.calibration import Calibration
from babelshelf.tables.predictions import arrays, labelled, read_predictions


@click.command(help=__doc__)
@click.argument("task")
@click.option("--predictions", type=click.Path(path_type=Path), required=True)
@click.option("--train", type=click.Path(path_type=Path), required=True)
@click.option("--trained-on", type=click.Path(path_type=Path), required=True, help="folder of the training set")
@click.option("--calibrated", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--metrics", type=click.Path(path_type=Path), required=True)
@click.option("--precision-recall", "curve", type=click.Path(path_type=Path), required=True)
@click.option("--reliability", "reliability_path", type=click.Path(path_type=Path), required=True)
@click.option("--languages", type=click.Path(path_type=Path), required=True)
@stage("evaluate", writes="metrics")
def main(
    *,
    task: str,
    predictions: Path,
    train: Path,
    trained_on: Path,
    calibrated: Path,
    metrics: Path,
    curve: Path,
    reliability_path: Path,
    languages: Path,
) -> str:
    settings = load(EvaluateParams, "evaluate")
    test = read_predictions(predictions, "test")
    in_train = languages_in_train(read_rows(train), settings.in_train_rows)
    chosen = read_json(calibrated)
    result = evaluate(test, in_train, Calibration.of(chosen), settings, load_seed())
    write_json(metrics, result | _for_warnings(result, trained_on, chosen))
    write_csv(curve, precision_recall(labelled(test)))
    write_csv(reliability_path, reliability(*arrays(labelled(test)), settings.reliability_bins))
    write_csv(languages, language_f1(result))
    return f"F1 {result['all']['f1']:.3f} on {result['all']['rows']:,} rows"


def _for_warnings(result: dict[str, Any], trained_on: Path, calibrated: dict[str, Any]) -> dict[str, Any]:
    """What `babelshelf.evaluate.warnings` reads beside the results: rows of dev, and what the filter dropped."""
    facts: dict[str, Any] = {"dev_rows": dev_rows(list(result["languages"]), calibrated)}
    if trained_on.parent.name == FILTERED:
        kept, dropped = (read_table(trained_on / name) for name in ("train.parquet", "dropped.parquet"))
        facts["filtered"] = filtered_rows(kept, dropped)
    return facts


if __name__ == "__main__":
    main()
