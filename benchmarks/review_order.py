r"""What a person's time gains by the order of rows: worst first, as `review --next` chooses them, or at random.

\b
    dvc repro filter@qi
    OMP_NUM_THREADS=1 python -m benchmarks.review_order qi --reviewed 500

Of the demo the truth is known, so a person who is always right can be simulated: the first rows of an order get their
true label, the others stay what the filter's rule says. A classifier that is fitted on the result is measured on test
(average precision, and F1 at the threshold that is best on dev).
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import numpy as np
import polars as pl
from sklearn.metrics import average_precision_score, f1_score

from babelshelf.calibrate.thresholds import best_threshold
from babelshelf.classifier.features import pair_features, training_features
from babelshelf.classifier.params import ClassifierParams
from babelshelf.classifier.training import fit_rows
from babelshelf.commands.review.items import FLAGGED, ReviewItem, read_filtered
from babelshelf.commands.review.next_rows import next_rows
from babelshelf.commands.review.text_vectors import TextVectors, load_vectors
from babelshelf.core.files import work_dir
from babelshelf.core.params import PARAMS_FILE, load, load_seed, read
from babelshelf.core.rows import read_rows
from babelshelf.encoder.embedder import load_embedder
from babelshelf.filter.params import FilterParams
from babelshelf.filter.self_validation import filter_rows
from babelshelf.tables.reviews import DECISION_SCHEMA, PAIR, agreed
from babelshelf.tables.truth import Truth, read_truth, relevant

ORDERS = ("nobody reviews", "at random", "worst first", "as --next", "all that is flagged")


def ordered(
    order: str, flagged: Sequence[ReviewItem], count: int, seed: int, vectors: TextVectors | None
) -> list[ReviewItem]:
    """The rows that are reviewed."""
    if order == "at random":
        return random.Random(seed).sample(flagged, min(count, len(flagged)))
    if order == "as --next":
        return next_rows(flagged, [], count, absent=frozenset(), vectors=vectors)
    return list(flagged[: {"nobody reviews": 0, "worst first": count}.get(order, len(flagged))])


def decisions(items: Sequence[ReviewItem], rows: pl.DataFrame, truth: Truth) -> pl.DataFrame:
    """What a person who is always right decides."""
    known = rows.with_columns(label=relevant(rows, truth).cast(pl.Int8))
    decided = known.filter(pl.col("id").is_in([item.id for item in items])).unique(PAIR, maintain_order=True)
    at = pl.lit("2026-01-01T00:00:00Z").str.to_datetime(time_unit="us", time_zone="UTC")
    line = {"reviewer": pl.lit("oracle"), "was": pl.lit(None, pl.Int8), "at": at}
    return agreed(decided.with_columns(**line).select(DECISION_SCHEMA.names()))


@click.command(help=__doc__)
@click.argument("task")
@click.option("--reviewed", type=int, default=500, help="rows that a person has time for")
@click.option("--seeds", type=int, default=3, help="of the random order, and of the folds")
def main(*, task: str, reviewed: int, seeds: int) -> None:
    data, recipe = Path("data"), read(PARAMS_FILE)["tasks"][task]
    filtered, truth = read_filtered(task, data), read_truth(data / "original" / task / "truth")
    rows = read_rows(data / recipe["filter_on"] / task / "train.parquet")
    scores = filtered.rows.select("id", "p_yes")
    settings, filters = load(ClassifierParams, "classifier"), load(FilterParams, "filter", task)
    encoder, cache = load_embedder(Path("models/base/embedder"), settings), work_dir() / "encoder"
    features = training_features(rows, encoder, cache)
    held_out = {split: read_rows(data / "original" / task / f"{split}.parquet") for split in ("dev", "test")}
    places = {name: place for place, name in enumerate(rows["id"])}
    flagged, vectors = filtered.items(FLAGGED), load_vectors(filtered.rows)
    click.echo(f"{len(flagged):,} flagged rows, of which {reviewed:,} are reviewed")
    for order in ORDERS:
        found = []
        for seed in range(load_seed(), load_seed() + seeds):
            people = decisions(ordered(order, flagged, reviewed, seed, vectors), rows, truth)
            kept = filter_rows(rows, scores, truth, filters, agreed=people).kept
            own = features.take(np.array([places[name] for name in kept["id"]]))
            fitted = fit_rows(own, kept, settings, seed)
            p_yes = {
                split: fitted.classifier.predict(pair_features(table, encoder, cache, fitted.reference))
                for split, table in held_out.items()
            }
            found.append(measured(held_out, p_yes))
        means = {
            name: (np.mean([one[name] for one in found]), np.std([one[name] for one in found])) for name in found[0]
        }
        click.echo(
            f"{order:20}" + "".join(f"  {name} {mean:.2f} ± {spread:.2f}" for name, (mean, spread) in means.items())
        )


def measured(held_out: Mapping[str, pl.DataFrame], p_yes: Mapping[str, np.ndarray]) -> dict[str, float]:
    """AP on test, and F1 there at the best threshold of dev, per cent."""
    labels = {split: table["label"].to_numpy() == 1 for split, table in held_out.items()}
    threshold = best_threshold(labels["dev"], p_yes["dev"])
    f1 = f1_score(labels["test"], p_yes["test"] >= threshold)
    return {"AP": 100 * average_precision_score(labels["test"], p_yes["test"]), "F1": 100 * float(f1)}


if __name__ == "__main__":
    main()
