r"""The classifier: what it learns from real pairs, the time and memory of many rows, and its speed beside others.

\b
    OMP_NUM_THREADS=1 python -m benchmarks.classifier quality --pairs pairs.csv --rows 9000
    OMP_NUM_THREADS=1 python -m benchmarks.classifier rows --pairs pairs.csv --rows 50000
    OMP_NUM_THREADS=1 python -m benchmarks.classifier memory --rows 10000000 --texts 100000

`--pairs` is a CSV file with the columns query, candidate, label, language and split (train, dev, test). The threshold
of F1 and of the Matthews correlation is tuned on dev; all else is of test. Seconds are CPU time. docs/benchmarks.md has
results.
"""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
import polars as pl
from sklearn.metrics import average_precision_score, f1_score, matthews_corrcoef

from babelshelf.classifier import logistic
from babelshelf.classifier.contrast import Reference
from babelshelf.classifier.features import PairFeatures, neighbourhoods, training_features
from babelshelf.classifier.lexical import NAMES
from babelshelf.classifier.params import ClassifierParams
from babelshelf.classifier.training import Examples, fit, fit_with_folds
from babelshelf.core.params import load
from babelshelf.encoder.builtin_encoders import load_builtin
from benchmarks.alone import alone

THRESHOLDS = 200  # quantiles of dev's scores that are tried


@click.group(help=__doc__)
def main() -> None:
    pass


@main.command()
@click.option("--pairs", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--rows", default=9000, help="of train, whole queries")
@click.option("--encoder", default="use_multilingual")
@click.option("--absent", default="de,it,pl,ar", help="languages that the second half of the table leaves out of train")
@click.option("--seeds", default=3)
@click.option("--cache", type=click.Path(path_type=Path), default=Path(".cache/encoder"))
def quality(*, pairs: Path, rows: int, encoder: str, absent: str, seeds: int, cache: Path) -> None:
    """AP, F1 and MCC with all languages in train, and with some left out; a seed draws the queries and the folds."""
    table = pl.read_csv(pairs)
    model, settings = load_builtin(encoder), load(ClassifierParams, "classifier")
    held = table["language"].is_in(absent.split(",")).to_numpy()
    split = {name: (table["split"] == name).to_numpy() for name in ("train", "dev", "test")}
    click.echo("| train | seed | penalty | AP | F1 | MCC | AP of absent languages | AP of others | fit, s |")
    click.echo("| :-- | --: | --: | --: | --: | --: | --: | --: | --: |")
    for name, train in (("all languages", split["train"]), (f"without {absent}", split["train"] & ~held)):
        for seed in range(1, seeds + 1):
            chosen = _whole_queries(table["query"], train, rows, seed)
            own = table[chosen]
            features = training_features(table, model, cache, training=chosen)
            start = time.process_time()
            classifier = fit(Examples(features.take(chosen), own["label"], own["query"]), settings, seed)
            seconds = time.process_time() - start
            p_yes = classifier.predict(features)
            figures = _figures(table["label"].to_numpy(), p_yes, split, held)
            click.echo(f"| {name} | {seed} | {classifier.penalty} | {figures} | {seconds:.1f} |")


def _whole_queries(queries: pl.Series, mask: np.ndarray, rows: int, seed: int) -> np.ndarray:
    """Numbers of at most `rows` rows of the mask, all rows of a query or none."""
    drawn = queries.filter(pl.Series(mask)).unique().sort().shuffle(seed)
    place = pl.DataFrame({"query": drawn, "place": np.arange(len(drawn))})
    own = pl.DataFrame({"query": queries, "row": np.arange(len(queries))}).filter(pl.Series(mask))
    ordered = own.join(place, on="query").sort("place", "row")
    return np.sort(ordered.head(rows)["row"].to_numpy())


def _figures(label: np.ndarray, p_yes: np.ndarray, split: dict[str, np.ndarray], held: np.ndarray) -> str:
    dev, test = split["dev"], split["test"]
    tried = np.unique(np.quantile(p_yes[dev], np.linspace(0, 1, THRESHOLDS)))
    threshold = max(tried, key=lambda value: f1_score(label[dev], p_yes[dev] >= value))
    answers = p_yes[test] >= threshold
    parts = [test, test & held, test & ~held]
    ap = [100 * average_precision_score(label[part], p_yes[part]) for part in parts]
    f1, mcc = 100 * f1_score(label[test], answers), 100 * matthews_corrcoef(label[test], answers)
    return f"{ap[0]:.1f} | {f1:.1f} | {mcc:.1f} | {ap[1]:.1f} | {ap[2]:.1f}"


@main.command()
@click.option("--pairs", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--rows", default=50_000, help="the file's, again and again with a number behind the query")
def rows(*, pairs: Path, rows: int) -> None:
    """Seconds and the peak of memory: embedding, fitting with all folds and penalties, scoring as many rows."""
    run = alone(fitted_and_scored, str(pairs), rows)
    click.echo(f"{rows:,} rows, {run.pop('texts'):,} distinct texts, {run.pop('features'):,} features")
    for name, value in run.items():
        click.echo(f"{name}: {value:,.1f}")


def fitted_and_scored(pairs: str, rows: int) -> dict[str, Any]:
    """What `rows` prints."""
    table, settings = _many(pl.read_csv(pairs), rows), load(ClassifierParams, "classifier")
    encoder = load_builtin("use_multilingual")
    with tempfile.TemporaryDirectory() as cache:
        start = time.process_time()
        features = training_features(table, encoder, Path(cache))
        embedded = time.process_time()
        again = training_features(table, encoder, Path(cache))
        made = time.process_time()
        classifier = fit_with_folds(Examples(features, table["label"], table["query"]), settings, 1).classifier
        trained = time.process_time()
        classifier.predict(again)
    return {
        "texts": len(features.vectors),
        "features": features.shape[1],
        "features with embedding, s": embedded - start,
        "features with vectors from the cache, s": made - embedded,
        "fit, s": trained - made,
        "predict, s": time.process_time() - trained,
        "peak, MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _many(table: pl.DataFrame, rows: int) -> pl.DataFrame:
    """The table's rows again and again, with a number behind the query from the second turn on."""
    repeated = pl.concat([table] * (rows // table.height + 1)).head(rows).with_row_index("row")
    turn = pl.col("row") // table.height
    return repeated.with_columns(
        query=pl.when(turn == 0).then("query").otherwise(pl.format("{} {}", "query", turn))
    ).drop("row")


@main.command()
@click.option("--rows", default=10_000_000)
@click.option("--texts", default=100_000)
@click.option("--dimension", default=512)
@click.option("--penalty", default=0.1, help="one, so that none has to be chosen")
@click.option("--passes", default=logistic.MAX_PASSES, help="of the fit at most; 1 for the memory alone")
def memory(*, rows: int, texts: int, dimension: int, penalty: float, passes: int) -> None:
    """Seconds and the peak of memory of a fit with folds and of scoring, on random vectors and a planted rule."""
    run = alone(fitted_at_random, rows, texts, dimension, penalty, passes)
    click.echo(f"{rows:,} rows, {texts:,} texts of {dimension} dimensions")
    for name, value in run.items():
        click.echo(f"{name}: {value:,.3f}")


def fitted_at_random(rows: int, texts: int, dimension: int, penalty: float, passes: int) -> dict[str, Any]:
    """What `memory` prints."""
    logistic.MAX_PASSES = passes
    random = np.random.default_rng(1)
    vectors = random.normal(size=(texts, dimension)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    query, candidate = random.integers(texts, size=(2, rows), dtype=np.int32)
    lexical = random.random((rows, len(NAMES)), dtype=np.float32)
    label = (lexical[:, 0] + 0.3 * random.standard_normal(rows, np.float32) > 0.5).astype(np.int8)
    reference = Reference.of(vectors, candidate, None)
    near = neighbourhoods(vectors, query, reference)
    features = PairFeatures(vectors, query, candidate, candidate, lexical, reference, near)
    settings = load(ClassifierParams, "classifier").model_copy(update={"penalties": [penalty]})
    start = time.process_time()
    found = fit_with_folds(Examples(features, label, query), settings, 1)
    fitted = time.process_time()
    p_yes = found.classifier.predict(features)
    return {
        "fit, s": fitted - start,
        "predict, s": time.process_time() - fitted,
        "peak, MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "AP": average_precision_score(label[:100_000], p_yes[:100_000]),
    }


if __name__ == "__main__":
    main()
