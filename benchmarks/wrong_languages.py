"""How many of the demo's wrong language codes the data report finds: precision and recall on train.

    python -m benchmarks.wrong_languages
    python -m benchmarks.wrong_languages --rows 2000    # half a minute

The demo declares a share of its train queries as another language; the truth is the same demo without that.
"""

from __future__ import annotations

from pathlib import Path

import click
import polars as pl

from babelshelf.core.languages import LATIN, NAMES, scripts
from babelshelf.core.params import load, load_seed
from babelshelf.data_report.languages import judge
from babelshelf.data_report.params import DataReportParams
from babelshelf.prepare.params import PrepareParams
from babelshelf.prepare.sources import demo
from babelshelf.prepare.sources.demo import Params
from babelshelf.text.language_id import Tolerance


def judged(settings: Params, folder: Path, tolerance: Tolerance, seed: int) -> dict[str, pl.DataFrame]:
    """By task, each train query with its declared `language`, its `true` one, and `languages.JUDGED`."""
    inputs = {"qc": folder, "qi": folder}
    declared = demo.read(inputs, settings, seed).tasks
    clean = demo.read(inputs, settings.model_copy(update={"wrong_language": 0.0}), seed).tasks
    found = {}
    for task, data in declared.items():
        truth = clean[task].train.select("id", true="language")
        rows = data.train.join(truth, on="id", maintain_order="left")
        queries = rows.select("language", "query", "true").unique(maintain_order=True)
        found[task] = judge(queries, list(NAMES), tolerance, task)
    return found


def measured(queries: pl.DataFrame) -> dict[str, float]:
    """Precision and recall of `contradicted`, and of those found the share whose language is named right.

    Out of reach is what the tolerance never flags: a language in Latin letters, declared as one of another script.
    """
    wrong = queries.filter(pl.col("language") != pl.col("true"))
    flagged = queries.filter("contradicted")
    right = wrong.filter("contradicted")
    latin = [code for code in NAMES if scripts(code) == LATIN]
    out_of_reach = wrong.filter(pl.col("true").is_in(latin), ~pl.col("language").is_in(latin))
    return {
        "queries": queries.height,
        "wrong": wrong.height,
        "contradicted": flagged.height,
        "precision": right.height / flagged.height,
        "recall": right.height / wrong.height,
        "named right": right.filter(pl.col("identified") == pl.col("true")).height / right.height,
        "wrong, out of reach": out_of_reach.height,
    }


@click.command(help=__doc__)
@click.option("--rows", type=click.IntRange(min=200), help="of train, for each task; default: those of params.yaml")
def main(*, rows: int | None) -> None:
    settings, report = load(PrepareParams, "prepare"), load(DataReportParams, "data_report")
    demo_params = settings.own(Params)
    if rows:
        rows_train = demo_params.rows_train.model_copy(update={"qc": rows, "qi": rows})
        demo_params = demo_params.model_copy(update={"rows_train": rows_train})
    tolerance = Tolerance(**report.tolerance.model_dump())
    for task, queries in judged(demo_params, Path(settings.input.qc), tolerance, load_seed()).items():
        print(task, measured(queries))


if __name__ == "__main__":
    main()
