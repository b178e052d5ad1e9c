r"""Built-in encoders side by side: the time and memory that texts take, and what a classifier on their vectors learns.

\b
    OMP_NUM_THREADS=1 python -m benchmarks.encoders speed --pairs pairs.csv --texts 24000
    OMP_NUM_THREADS=1 python -m benchmarks.encoders quality --pairs pairs.csv --rows 9000

`--pairs` is a CSV file with the columns query, candidate, label, language and split (train, dev, test). `quality` fits
a logistic regression on u*v, |u-v|, the cosine and v of unit vectors of query and candidate; its penalty is chosen on
dev, average precision is that of test: overall, in the languages of the encoder's list, and in all others.
docs/benchmarks.md has results.
"""

from __future__ import annotations

import resource
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
import polars as pl
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.preprocessing import StandardScaler

from babelshelf.encoder.builtin_encoders import load_builtin
from benchmarks.alone import alone

ENCODERS = ["use_multilingual", "e5_small", "use_multilingual+e5_small"]
PENALTIES = [1e-5, 1e-4, 1e-3, 1e-2]


@click.group(help=__doc__)
def main() -> None:
    pass


@main.command()
@click.option("--pairs", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--texts", default=24_000, help="the file's, again and again with a number behind")
@click.option("--encoder", "encoders", multiple=True, default=ENCODERS)
def speed(*, pairs: Path, texts: int, encoders: tuple[str, ...]) -> None:
    """CPU seconds and the peak of memory, each encoder in a process of its own."""
    rows = pl.read_csv(pairs)
    unique = pl.concat([rows["query"], rows["candidate"]]).drop_nulls().unique(maintain_order=True).to_list()
    some = [f"{unique[number % len(unique)]} {number // len(unique) or ''}".strip() for number in range(texts)]
    click.echo(f"{texts:,} texts, {sum(map(len, some)) / texts:.0f} characters on average\n")
    click.echo("| encoder | load s | embed s | texts/s | memory MB |\n|---|---|---|---|---|")
    for name in encoders:
        run = alone(embedded, name, some)
        click.echo(
            f"| {name} | {run['load']:.1f} | {run['embed']:.1f} | {texts / run['embed']:,.0f} | {run['memory']:,.0f} |"
        )


def embedded(name: str, texts: list[str]) -> dict[str, Any]:
    """Time and memory of one encoder."""
    start, before = time.process_time(), _peak()
    encoder = load_builtin(name)
    encoder.encode(["a first text loads what is loaded late"])
    loaded = time.process_time()
    encoder.encode(texts)
    return {"load": loaded - start, "embed": time.process_time() - loaded, "memory": _peak() - before}


def _peak() -> float:
    """The largest resident set of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@main.command()
@click.option("--pairs", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--rows", default=9000, help="of train")
@click.option("--encoder", "encoders", multiple=True, default=ENCODERS)
def quality(*, pairs: Path, rows: int, encoders: tuple[str, ...]) -> None:
    """Average precision of a logistic regression."""
    table = pl.read_csv(pairs).drop_nulls(["query", "candidate"])
    parts = {split: table.filter(split=split) for split in ("train", "dev", "test")}
    parts["train"] = parts["train"].sample(min(rows, parts["train"].height), seed=1)
    used = pl.concat(parts.values())
    texts = pl.concat([used["query"], used["candidate"]]).unique(maintain_order=True).to_list()
    click.echo("| encoder | AP | in its languages | in others | penalty C |\n|---|---|---|---|---|")
    for name in encoders:
        encoder = load_builtin(name)
        vectors = dict(zip(texts, encoder.encode(texts), strict=True))
        scores, penalty = _test_scores(parts, vectors)
        inside = parts["test"]["language"].is_in(sorted(encoder.languages or ())).to_numpy()
        label = parts["test"]["label"].to_numpy()
        shown = [_ap(label[chosen], scores[chosen]) for chosen in (inside | True, inside, ~inside)]
        click.echo(f"| {name} | {' | '.join(shown)} | {penalty} |")


def _ap(label: np.ndarray, scores: np.ndarray) -> str:
    return f"{100 * average_precision_score(label, scores):.1f} of {len(label):,} rows" if len(label) else "no rows"


def _test_scores(parts: dict[str, pl.DataFrame], vectors: dict[str, np.ndarray]) -> tuple[np.ndarray, float]:
    features = {split: _features(rows, vectors) for split, rows in parts.items()}
    scaler = StandardScaler().fit(features["train"])
    scaled = {split: scaler.transform(matrix) for split, matrix in features.items()}
    label = parts["dev"]["label"]
    fitted = [
        LogisticRegression(C=penalty, max_iter=300).fit(scaled["train"], parts["train"]["label"])
        for penalty in PENALTIES
    ]
    on_dev = [average_precision_score(label, model.predict_proba(scaled["dev"])[:, 1]) for model in fitted]
    best = int(np.argmax(on_dev))
    return fitted[best].predict_proba(scaled["test"])[:, 1], fitted[best].C


def _features(rows: pl.DataFrame, vectors: dict[str, np.ndarray]) -> np.ndarray:
    query, candidate = (np.stack([vectors[text] for text in rows[column]]) for column in ("query", "candidate"))
    cosine = (query * candidate).sum(axis=1, keepdims=True)
    return np.concatenate([query * candidate, np.abs(query - candidate), cosine, candidate], axis=1)


if __name__ == "__main__":
    main()
