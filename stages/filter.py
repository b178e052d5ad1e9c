"""Drop or correct the training rows whose label a model, judges or people contradict.

\b
    python -m stages.filter qi --train data/translated/qi/train.parquet ... (dvc.yaml has all of it)

Writes the complete training set that remains (train.parquet) and every dropped row with its score (dropped.parquet);
where people or judges decided, also the rows with another label and who said so (relabelled.parquet), where there are
judges all rows that they were asked about (judged.parquet), and where people labelled rows for dev those
(reviewed_dev.parquet). Killed, it goes on from the replies of the judges.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click
import polars as pl

from babelshelf.core.files import work_dir, write_json
from babelshelf.core.params import load
from babelshelf.core.rows import concat, read_rows, read_table, write_rows, write_table
from babelshelf.core.work_cache import WorkCache
from babelshelf.filter.judges.panel import Votes, ask_panel
from babelshelf.filter.new_labels import newly_labelled
from babelshelf.filter.params import FilterParams, JudgesParams
from babelshelf.filter.self_validation import filter_rows
from babelshelf.llm.prompts import load_template
from babelshelf.runtime.screen import echo
from babelshelf.runtime.stage import stage
from babelshelf.tables.prediction_sets import read_unlabelled
from babelshelf.tables.predictions import read_train_scores
from babelshelf.tables.reviews import REVIEWED_DEV, agreed, read_reviews
from babelshelf.tables.truth import read_truth


@click.command(help=__doc__)
@click.argument("task")
@click.option("--variant", required=True, help="of --train")
@click.option("--train", type=click.Path(path_type=Path), required=True)
@click.option("--scores", type=click.Path(path_type=Path), required=True)
@click.option("--truth", type=click.Path(path_type=Path), required=True)
@click.option("--reviews", type=click.Path(path_type=Path), required=True, help="decisions of people")
@click.option("--unlabelled", type=click.Path(path_type=Path), required=True, help="rows that people may label")
@click.option("--held-out", type=click.Path(path_type=Path), required=True, help="keys of the queries of dev and test")
@click.option("--prompt", type=click.Path(path_type=Path), required=True, help="of the judges")
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--metrics", type=click.Path(path_type=Path), required=True)
@stage("filter", writes="out")
def main(
    *,
    task: str,
    variant: str,
    train: Path,
    scores: Path,
    truth: Path,
    reviews: Path,
    unlabelled: Path,
    held_out: Path,
    prompt: Path,
    out: Path,
    metrics: Path,
) -> str:
    settings = load(FilterParams, "filter", task)
    own = read_train_scores(scores / "scores.parquet", variant)
    judge = partial(_votes, settings=settings.judges, task=task, prompt=prompt) if settings.judges else None
    people, rows = agreed(read_reviews(reviews)), read_rows(train)
    filtered = filter_rows(rows, own, read_truth(truth), settings, agreed=people, judge=judge)
    new = newly_labelled(
        read_unlabelled(unlabelled), people, rows, read_table(held_out)["key"], dev_languages=settings.dev_languages
    )
    write_rows(out / "train.parquet", concat(filtered.kept, new.train))
    if new.dev.height:
        write_rows(out / REVIEWED_DEV, new.dev)
    write_table(out / "dropped.parquet", filtered.dropped)
    if filtered.relabelled is not None:
        write_table(out / "relabelled.parquet", filtered.relabelled)
    if filtered.judged is not None:
        write_table(out / "judged.parquet", filtered.judged)
    write_json(metrics, filtered.metrics | ({"newly_labelled": new.counts} if new.counts["labelled"] else {}))
    for warning in filtered.warnings:
        echo(warning)
    relabelled = "" if filtered.relabelled is None else f", {filtered.relabelled.height:,} of them with another label"
    counts = new.counts
    added = f"; newly labelled: {counts['train']:,} for train, {counts['dev']:,} for dev" if counts["labelled"] else ""
    return f"{filtered.kept.height:,} rows kept{relabelled}, {filtered.dropped.height:,} dropped{added}"


def _votes(rows: pl.DataFrame, *, settings: JudgesParams, task: str, prompt: Path) -> Votes:
    cache: WorkCache[str] = WorkCache(work_dir() / "judge")
    return ask_panel(rows, load_template(prompt), settings, f"tasks.{task}.filter.judges", cache)


if __name__ == "__main__":
    main()
