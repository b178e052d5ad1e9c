"""Choose a task's threshold on dev, or take the fixed one.

python -m stages.calibrate qc --predictions data/predictions/test/qc/dev.parquet ... (dvc.yaml has the whole command)
"""

from __future__ import annotations

from pathlib import Path

import click

from babelshelf.calibration import calibrate, curve
from babelshelf.evaluation import read_predictions
from babelshelf.files import replacing, write_json
from babelshelf.params.calibrate import CalibrateParams
from babelshelf.params.load import load


@click.command(help=__doc__)
@click.argument("task")
@click.option("--predictions", type=click.Path(path_type=Path), required=True)
@click.option("--metrics", type=click.Path(path_type=Path), required=True)
@click.option("--curve", "curve_path", type=click.Path(path_type=Path), required=True)
def main(*, task: str, predictions: Path, metrics: Path, curve_path: Path) -> None:
    settings = load(CalibrateParams, "calibrate", task)
    dev = read_predictions(predictions)
    write_json(metrics, calibrate(dev, fixed=None if settings.threshold == "tuned" else settings.threshold))
    with replacing(curve_path) as temporary:
        curve(dev).write_csv(temporary, float_precision=6)


if __name__ == "__main__":
    main()
