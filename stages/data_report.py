"""Report what the data that `prepare` wrote is like, and what in it is worth a look.

\b
    python -m stages.data_report --original data/original --prepared metrics/prepare.json ... (dvc.yaml has all of it)

No other stage reads what it writes: `dvc repro data_report` makes it. The page needs no other file and no network.
"""

from __future__ import annotations

from pathlib import Path

import click

from babelshelf.core.files import read_json, replacing, write_json
from babelshelf.core.params import load, load_seed
from babelshelf.data_report import build
from babelshelf.data_report.params import DataReportParams
from babelshelf.data_report.tables import read
from babelshelf.page.document import html
from babelshelf.runtime.stage import stage


@click.command(help=__doc__)
@click.option("--original", type=click.Path(path_type=Path), required=True)
@click.option("--prepared", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--page", type=click.Path(path_type=Path), required=True)
@click.option("--metrics", type=click.Path(path_type=Path), required=True)
@stage("data_report", writes="page")
def main(*, original: Path, prepared: Path, page: Path, metrics: Path) -> str:
    settings, seed = load(DataReportParams, "data_report"), load_seed()
    tasks = read(original, read_json(prepared))
    findings = build.findings(tasks, settings, seed)
    with replacing(page) as temporary:
        temporary.write_text(html(build.document(tasks, findings)), encoding="utf-8")
    write_json(metrics, build.metrics(findings))
    return ", ".join(data.task for data in tasks)


if __name__ == "__main__":
    main()
