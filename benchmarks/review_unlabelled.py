r"""What labels for rows without one gain, by the order in which a person looks at them.

\b
    OMP_NUM_THREADS=1 python -m benchmarks.review_unlabelled --shops pairs.csv
    python -m benchmarks.tables

The labels of half of the training queries are hidden. A classifier of the other half scores the rows without a label;
a person who is always right looks at some of them, and a classifier that is trained on both is measured on test, its
threshold from dev. Data are those of `benchmarks.label_errors` without flipped labels. A data set is a unit of work:
its lines are appended to the results at once, and a unit that the file has is not made again.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import polars as pl

from babelshelf.calibrate.thresholds import best_threshold
from babelshelf.classifier.features import pair_features, training_features
from babelshelf.classifier.params import ClassifierParams
from babelshelf.classifier.training import Examples, fit
from babelshelf.commands.review.items import UNLABELLED, ReviewItem
from babelshelf.commands.review.next_rows import expected_gain, next_rows
from babelshelf.commands.review.text_vectors import TextVectors
from babelshelf.core.params import load
from babelshelf.encoder.builtin_encoders import load_builtin
from babelshelf.encoder.encoder import Encoder
from babelshelf.evaluate.bootstrap import resample_sets
from babelshelf.evaluate.metric_names import RESAMPLED
from babelshelf.evaluate.seeds import Comparison, mean_gain
from babelshelf.tables.calibration import Calibration
from babelshelf.tables.predictions import arrays
from benchmarks.gain import CONFIDENCE
from benchmarks.label_errors import CHOICE_FOLDS, METRICS, RESAMPLES, rounded
from benchmarks.label_noise import LabelledData, Source, demo, halves, shops
from benchmarks.proxy_truth.results import append_all, read_results

RESULTS = Path("benchmarks/results/review_unlabelled.jsonl")
NONE, RANDOM, UNCERTAIN, NEXT, ALL = "none", "at random", "most uncertain", "as --next", "all"
ORDERS = (NONE, RANDOM, UNCERTAIN, NEXT, ALL)
COMPARED = {"gain": NONE, "over_random": RANDOM}
KEY = ("data", "rows", "reviewed", "seeds")


def ordered(
    order: str, items: Sequence[ReviewItem], count: int, seed: int, vectors: TextVectors | None
) -> list[ReviewItem]:
    """The rows that are labelled."""
    if order == RANDOM:
        return random.Random(seed).sample(list(items), count)
    if order == UNCERTAIN:
        return sorted(items, key=expected_gain, reverse=True)[:count]
    if order == NEXT:
        return next_rows([], items, count, absent=frozenset(), vectors=vectors)
    return list(items) if order == ALL else []


def answers(data: LabelledData, count: int, encoder: Encoder, cache: Path, seed: int) -> Iterator[pl.DataFrame]:
    """Test, answered by a classifier of the labelled rows and of those that each of `ORDERS` adds."""
    settings = load(ClassifierParams, "classifier", file=Path("profiles/nano.yaml"))
    settings = settings.model_copy(update={"folds": CHOICE_FOLDS})
    features, hidden = training_features(data.train, encoder, cache), halves(data.train["group"], seed)
    held_out = [pair_features(rows, encoder, cache, features.reference) for rows in (data.dev, data.test)]

    def fitted(rows: np.ndarray) -> Any:  # noqa: ANN401 - a classifier
        own = data.train[rows]
        return fit(Examples(features.take(rows), own["label"], own["group"]), settings, seed)

    known, unknown = np.flatnonzero(~hidden), np.flatnonzero(hidden)
    p_yes = fitted(known).predict(features.take(unknown))
    items = [
        ReviewItem(UNLABELLED, **row, label=None, p_yes=float(p), judges={}, translations=0)
        for row, p in zip(
            data.train[unknown]
            .select("task", "language", "query", "candidate", "origin", "id", "parent_id")
            .iter_rows(named=True),
            p_yes,
            strict=True,
        )
    ]
    places = {name: place for place, name in enumerate(data.train["id"])}
    vectors = TextVectors(data.train, encoder, cache)
    for order in ORDERS:
        added = [places[item.id] for item in ordered(order, items, count, seed, vectors)]
        classifier = fitted(np.sort(np.concatenate([known, np.array(added, np.int64)])))
        dev, test = (
            rows.with_columns(p_yes=pl.Series(classifier.predict(own)))
            for rows, own in zip((data.dev, data.test), held_out, strict=True)
        )
        yield Calibration(best_threshold(*arrays(dev))).answer(test)


def compared(by_seed: Sequence[Sequence[pl.DataFrame]]) -> Iterator[dict[str, Any]]:
    """Of each order, means over seeds of F1 and AP on test, and gains over no rows and over random ones."""
    samples = resample_sets(by_seed, resamples=RESAMPLES, seed=0)
    for number, order in enumerate(ORDERS):
        line: dict[str, Any] = {"order": order}
        for name, metric in METRICS.items():
            line[name] = rounded(np.mean([of[number].value[RESAMPLED.index(metric)] for of in samples]))
        for text, other in COMPARED.items():
            pair = Comparison([of[ORDERS.index(other)] for of in samples], [of[number] for of in samples])
            gains = mean_gain(pair, CONFIDENCE)
            for name, metric in METRICS.items():
                gain = gains[metric]
                line[f"{name}_{text}"] = [rounded(value) for value in (gain.value, gain.low, gain.high)]
        yield line


@click.command(help=__doc__)
@click.option("--shops", "pairs", type=click.Path(path_type=Path, exists=True), help="a CSV file of pairs")
@click.option("--rows", default=2000, help="of train")
@click.option("--reviewed", default=200, help="rows that a person has time for")
@click.option("--seeds", default=3)
@click.option("--cache", type=click.Path(path_type=Path), default=Path(".cache/encoder"))
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS)
def main(*, pairs: Path | None, rows: int, reviewed: int, seeds: int, cache: Path, out: Path) -> None:
    encoder = load_builtin("use_multilingual")
    sources: dict[str, Source] = {f"demo, {task}": demo(task, rows) for task in ("qi", "qc")}
    if pairs is not None:
        sources["shops"] = shops(pairs, rows)
    finished = {tuple(line[key] for key in KEY) for line in read_results(out)}
    for data, source in sources.items():
        unit = dict(zip(KEY, (data, rows, reviewed, seeds), strict=True))
        if tuple(unit.values()) in finished:
            continue
        by_seed = [list(answers(source(seed), reviewed, encoder, cache, seed)) for seed in range(1, seeds + 1)]
        append_all(out, [unit | line for line in compared(by_seed)])
        click.echo(f"{data}: done")


if __name__ == "__main__":
    main()
