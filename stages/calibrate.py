"""Calibrate a task on dev: choose its threshold, or each language's, or recalibrate p(yes); or take a fixed threshold.

\b
    python -m stages.calibrate qc --predictions data/predictions/held_out/qc/dev.parquet ... (dvc.yaml has all of it)
"""

from __future__ import annotations

from pathlib import Path

import click

from babelshelf.calibrate.calibrating import calibrate, curve
from babelshelf.calibrate.params import CalibrateParams
from babelshelf.core.files import write_json
from babelshelf.core.params import load, load_seed
from babelshelf.core.rows import write_csv
from babelshelf.runtime.stage import stage
from babelshelf.tables.calibration import Calibration
from babelshelf.tables.predictions import read_predictions


@click.command(help=__doc__)
@click.argument("task")
@click.option("--predictions", type=click.Path(path_type=Path), required=True)
@click.option("--metrics", type=click.Path(path_type=Path), required=True)
@click.option("--curve", "curve_path", type=click.Path(path_type=Path), required=True)
@stage("calibrate", writes="metrics")
def main(*, task: str, predictions: Path, metrics: Path, curve_path: Path) -> str:
    settings, seed = load(CalibrateParams, "calibrate", task), load_seed()
    dev = read_predictions(predictions, "dev")
    calibrated = calibrate(dev, settings, seed) | {"variant": dev["variant"][0]}
    write_json(metrics, calibrated)
    write_csv(curve_path, curve(dev, Calibration.of(calibrated)))
    return f"threshold {calibrated['threshold']:.3f}, method {calibrated['method']}"


if __name__ == "__main__":
    main()
