"""Turn the source that the params name into train, dev and test of each task, and into the catalogue.

\b
    python -m stages.prepare --qc data/demo --qi data/demo --original data/original ... (dvc.yaml has all of it)

Nothing is written before all checks have passed, the train/test leak check among them. Writes, for each task,
<original>/<task>/{train,dev,test}.parquet, unlabelled.parquet (rows to predict; few sources have some) and
truth/{groups,candidates}.parquet (for measuring only), and <catalogue>/<task>.parquet (all candidates); for all tasks
<catalogue>/text.parquet (unlabelled text of the train side), held_out.parquet (keys of the queries that must not be
trained on) and, if the source has them, glossary.tsv and <original>/dropped.csv (bad rows of the input).
"""

from __future__ import annotations

from pathlib import Path

import click

from babelshelf.core.files import replacing, write_json
from babelshelf.core.params import load, load_seed
from babelshelf.core.rows import write_csv, write_table
from babelshelf.prepare.input_files import not_read
from babelshelf.prepare.leak_checks import check, held_out_keys
from babelshelf.prepare.marketplace import Marketplace, TaskData
from babelshelf.prepare.params import SOURCES, PrepareParams
from babelshelf.prepare.statistics import statistics
from babelshelf.runtime.screen import echo
from babelshelf.runtime.stage import stage
from babelshelf.tables.truth import write_truth


@click.command(help=__doc__)
@click.option("--qc", type=click.Path(path_type=Path), required=True)
@click.option("--qi", type=click.Path(path_type=Path), required=True)
@click.option("--original", type=click.Path(path_type=Path), required=True)
@click.option("--catalogue", type=click.Path(path_type=Path), required=True)
@click.option("--metrics", type=click.Path(path_type=Path), required=True)
@stage("prepare", writes="original")
def main(*, qc: Path, qi: Path, original: Path, catalogue: Path, metrics: Path) -> str:
    settings, seed = load(PrepareParams, "prepare"), load_seed()
    inputs = {"qc": qc, "qi": qi}
    marketplace: Marketplace = SOURCES.load(settings.source).read(inputs, settings.chosen(), seed)
    check(marketplace)
    for line in not_read(marketplace.counts):
        echo(line)
    for task, data in marketplace.tasks.items():
        write_task(original / task, data)
        write_table(catalogue / f"{task}.parquet", data.candidates)
    if marketplace.dropped is not None:
        write_csv(original / "dropped.csv", marketplace.dropped)
    write_catalogue(catalogue, marketplace)
    write_json(metrics, statistics(marketplace))
    return "; ".join(
        f"{task}: {data.train.height:,} rows in train, {data.dev.height:,} in dev, {data.test.height:,} in test"
        for task, data in marketplace.tasks.items()
    )


def write_task(folder: Path, data: TaskData) -> None:
    write_table(folder / "train.parquet", data.train)  # not write_rows: all rows have just been checked
    write_table(folder / "dev.parquet", data.dev)
    write_table(folder / "test.parquet", data.test)
    write_table(folder / "unlabelled.parquet", data.unlabelled)
    write_truth(folder / "truth", data.truth)


def write_catalogue(folder: Path, marketplace: Marketplace) -> None:
    write_table(folder / "text.parquet", marketplace.texts)
    write_table(folder / "held_out.parquet", held_out_keys(marketplace))
    if marketplace.glossary is not None:
        with replacing(folder / "glossary.tsv") as temporary:
            marketplace.glossary.write_csv(temporary, separator="\t", quote_style="never")


if __name__ == "__main__":
    main()
