"""Answer the rows of the prediction sets, with the final model and the threshold that was chosen on dev.

\b
    python -m stages.predict qc --unlabelled data/original/qc/unlabelled.parquet ... (dvc.yaml has all of it)

Writes <out>/predictions.parquet, which `babelshelf submit` makes a submission of.
"""

from __future__ import annotations

from pathlib import Path

import click

from babelshelf.core.params import load
from babelshelf.runtime.stage import stage
from babelshelf.score.params import ScoreParams
from babelshelf.score.predicting import predict, prediction_options


@click.command(help=__doc__)
@prediction_options
@stage("predict", writes="out")
def main(*, task: str, out: Path, **inputs: Path) -> str:
    return predict(out=out, settings=load(ScoreParams, "score"), key=f"predict@{task}", **inputs)


if __name__ == "__main__":
    main()
