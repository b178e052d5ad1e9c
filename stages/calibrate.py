"""Choose a task's threshold on dev, or each language's, or take the fixed one.

\b
    python -m stages.calibrate qc --predictions data/predictions/test/qc/dev.parquet ... (dvc.yaml has all of it)
"""

from __future__ import annotations

from pathlib import Path

import click

from babelshelf.calibrate.params import CalibrateParams
from babelshelf.calibrate.thresholds import calibrate, curve
from babelshelf.core.files import write_json
from babelshelf.core.params import load, load_seed
from babelshelf.core.rows import write_csv
from babelshelf.runtime.stage_log import recorded
from babelshelf.tables.predictions import read_predictions


@click.command(help=__doc__)
@click.argument("task")
@click.option("--predictions", type=click.Path(path_type=Path), required=True)
@click.option("--metrics", type=click.Path(path_type=Path), required=True)
@click.option("--curve", "curve_path", type=click.Path(path_type=Path), required=True)
@recorded
def main(*, task: str, predictions: Path, metrics: Path, curve_path: Path) -> None:
    settings, seed = load(CalibrateParams, "calibrate", task), load_seed()
    dev = read_predictions(predictions, "dev")
    write_json(metrics, calibrate(dev, settings, seed))
    write_csv(curve_path, curve(dev))


if __name__ == "__main__":
    main()
