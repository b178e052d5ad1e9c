"""Gather the tasks' results and the F1 average into one small file.

\b
    python -m stages.summarize --evaluated metrics/evaluate --metrics metrics/summarize.json
"""

from __future__ import annotations

from pathlib import Path

import click

from babelshelf.core.files import write_json
from babelshelf.core.params import PARAMS_FILE, read
from babelshelf.runtime.stage import stage
from babelshelf.summarize.summary import summarize


@click.command(help=__doc__)
@click.option("--evaluated", type=click.Path(path_type=Path), required=True)
@click.option("--metrics", type=click.Path(path_type=Path), required=True)
@stage("summarize", writes="metrics")
def main(*, evaluated: Path, metrics: Path) -> str:
    summary = summarize(evaluated, tasks=read(PARAMS_FILE)["tasks"])
    write_json(metrics, summary)
    return f"F1 average {summary['f1_average']:.3f}"


if __name__ == "__main__":
    main()
