"""Answer the rows of the prediction sets with a model that was also trained on dev and test.

\b
    python -m stages.predict_final qc --unlabelled data/original/qc/unlabelled.parquet ... (dvc.yaml has all of it)

The threshold is the one that was chosen on dev with the recipe's own model. Writes <out>/predictions.parquet, which
`babelshelf submit --final` makes a submission of.
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
@stage("predict_final", writes="out")
def main(*, task: str, out: Path, **inputs: Path) -> str:
    return predict(out=out, settings=load(ScoreParams, "score"), key=f"predict_final@{task}", **inputs)


if __name__ == "__main__":
    main()
