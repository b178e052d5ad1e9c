"""What a classifier reaches on a user's own pairs, before any training: F1 and AP beside all-"yes", by language.

A logistic regression on the built-in encoder's vectors (`babelshelf.classifier`) is fitted on a sample of train, its
threshold is chosen on dev, and it is measured on test, as the pipeline does it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl

from babelshelf.calibrate.thresholds import best_threshold
from babelshelf.classifier.features import training_features
from babelshelf.classifier.params import HeadParams
from babelshelf.classifier.training import Examples, fit
from babelshelf.commands.init.expectations import duration
from babelshelf.core.errors import InputError
from babelshelf.core.files import work_dir
from babelshelf.encoder import builtin_encoders
from babelshelf.encoder.encoder import Encoder
from babelshelf.evaluate.metrics import point_metrics
from babelshelf.tables.calibration import Calibration
from babelshelf.tables.predictions import all_yes_f1, arrays

DEFAULT_ENCODER = "use_multilingual"
MOST_ROWS = 20_000
SHARES = {"train": 0.6, "dev": 0.15, "test": 0.25}  # of the sample
SECONDS = 40  # for the vectors of the texts
TIMED_TEXTS = 128
SECONDS_PER_ROW = 2e-3  # of the other stages, on one core: two minutes for 60,000 rows
FEW = 30  # rows of a language in test: with fewer it is not shown
MOST_LANGUAGES = 15


def first_result(rows: pl.DataFrame, params: Mapping[str, Any], encoder: Encoder | None = None) -> Iterator[str]:
    """Lines with the classifier's result for each task.

    Args:
        rows: those that are kept, with `task`, `language`, `split`, `label`, `key` (the query's group), `query` and
            `candidate`.
        params: all of params.yaml.
        encoder: of the texts; the one of `base_model.embedder` where that is built-in, else the default.
    """
    try:
        encoder = encoder or builtin_encoders.load_builtin(_model(params))
    except InputError as error:
        yield f"check: no first result: {error.message}"
        return
    rate = texts_per_second(rows, encoder)
    for task in rows["task"].unique(maintain_order=True):
        yield from _of_task(str(task), rows.filter(task=task), params, encoder, int(SECONDS * rate))
    texts = sum(rows[name].n_unique() for name in ("query", "candidate"))
    yield (
        f"  time of `make repro` here with method: classifier: about {duration(texts / rate)} for the vectors of "
        f"{texts:,} texts, once, at {rate:,.0f} a second, and {duration(rows.height * SECONDS_PER_ROW)} for the rest"
    )


def _model(params: Mapping[str, Any]) -> str:
    model = str(params["base_model"]["embedder"]["model"])
    return model if builtin_encoders.is_builtin(model) else DEFAULT_ENCODER


def _of_task(task: str, rows: pl.DataFrame, params: Mapping[str, Any], encoder: Encoder, texts: int) -> Iterator[str]:
    sampled = sample(rows, max(texts, 2 * TIMED_TEXTS), int(params["seed"]))
    train, dev, test = (sampled.filter(split=split) for split in SHARES)
    if any(part["label"].n_unique() < 2 for part in (train, dev, test)):
        yield f"  {task}: no first result: the rows are too few"
        return
    table = sampled.with_columns(p_yes=pl.Series(_p_yes(sampled, encoder, params)))
    calibration = Calibration(best_threshold(*arrays(table.filter(split="dev"))))
    measured = calibration.answer(table.filter(split="test"))
    yield f"  {task}: a classifier on the built-in encoder {encoder.name}, {train.height:,} rows of train, measured on"
    yield f"  {test.height:,} of test, threshold {calibration.threshold:.2f} from dev, in per cent:"
    yield f"      {'':<10} {'F1':>6} {'all-yes':>8} {'AP':>6} {'chance':>7} {'rows':>7}"
    yield _line("all", measured)
    counts = measured["language"].value_counts().sort(["count", "language"], descending=[True, False])
    learned, shown = set(train["language"]), set()
    for language, count in counts.head(MOST_LANGUAGES).iter_rows():
        part = measured.filter(language=language)
        if count >= FEW and part["label"].n_unique() == 2:
            absent = " absent from train" if language not in learned else ""
            unknown = " unknown to the encoder" if encoder.languages and language not in encoder.languages else ""
            yield _line(language, part) + ",".join([absent, unknown]).strip(",")
            shown.add(language)
    others = sorted(set(rows["language"].cast(pl.String)) - encoder.languages - shown) if encoder.languages else []
    if others:
        yield f"      languages with fewer rows that are unknown to the encoder: {', '.join(others)}"


def _p_yes(rows: pl.DataFrame, encoder: Encoder, params: Mapping[str, Any]) -> np.ndarray:
    """p(yes) of all rows, by a classifier that is fitted on those of train."""
    places = np.flatnonzero((rows["split"] == "train").to_numpy())
    features = training_features(rows, encoder, work_dir() / "encoder", training=places)
    own = {name: params["classifier"][name] for name in HeadParams.model_fields}
    train = rows[places]
    head = HeadParams.model_validate(own)
    examples = Examples(features.take(places), train["label"], train["group"])
    classifier = fit(examples, head, int(params["seed"]))
    return classifier.predict(features)


def _line(name: str, rows: pl.DataFrame) -> str:
    labels, _ = arrays(rows)
    found = point_metrics(rows)
    values = [found["f1"], all_yes_f1(labels), found["average_precision"], float(labels.mean())]
    f1, all_yes, precision, chance = (100 * value for value in values)
    return f"      {name:<10} {f1:>6.1f} {all_yes:>8.1f} {precision:>6.1f} {chance:>7.1f} {rows.height:>7,}"


def texts_per_second(rows: pl.DataFrame, encoder: Encoder) -> float:
    """How many texts of the rows the encoder embeds a second, by a short measurement."""
    texts = pl.concat([rows["query"].head(TIMED_TEXTS), rows["candidate"].head(TIMED_TEXTS)]).cast(pl.String)
    few = texts.unique().sort().to_list()
    encoder.encode(few[:8])  # the first time, it may prepare itself
    start = time.perf_counter()
    encoder.encode(few)
    return len(few) / (time.perf_counter() - start)


def sample(rows: pl.DataFrame, texts: int, seed: int, most: int = MOST_ROWS) -> pl.DataFrame:
    """Query groups at random, from each split by `SHARES`, with at most so many rows and different texts in all.

    Args:
        rows: as `first_result` takes them.
        texts: at most.
        seed: of the draw.
        most: rows at most.
    """
    shuffled = rows.select("key").unique(maintain_order=True).sample(fraction=1, shuffle=True, seed=seed)
    ranked = rows.join(shuffled.with_row_index("rank"), on="key", maintain_order="left")
    ranked = ranked.sort("rank", maintain_order=True)
    parts = []
    for split, share in SHARES.items():
        part = ranked.filter(split=split).head(int(share * most))
        is_new = pl.col("query").is_first_distinct().cast(pl.Int32) + pl.col("candidate").is_first_distinct()
        parts.append(part.filter(is_new.cum_sum() <= share * texts))
    named = pl.concat(parts).with_columns(group=pl.col("key").cast(pl.String))
    return named.with_columns(pl.col("query", "candidate", "language").cast(pl.String))
