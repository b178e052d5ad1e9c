"""Other ways to teach the classifier: the label's weight, the distance of unlabelled pairs, and two teachers.

    OMP_NUM_THREADS=1 python -m benchmarks.distill_trials --pairs pairs.csv --base models/gemma-3-270m --work WORK

Data, teacher, pairs and the folder WORK are those of `benchmarks.distill`, whose commands `teacher` and `run` come
first. The second teacher is the classifier on labels alone, out of fold on its own rows; two teachers are the mean of
their logits. Each trial has one seed: the classifier is the same with others. A line a trial is appended to the file of
results; trials that are in it are skipped.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
import polars as pl

from babelshelf.classifier.model import probabilities
from babelshelf.core.params import load
from babelshelf.distill.students import classifier
from babelshelf.distill.teaching import Lessons, Scores, Teacher
from babelshelf.distill.unlabelled import DISTANCES
from babelshelf.score.params import ScoreParams
from babelshelf.score.scorer import load_scorer
from benchmarks.distill import LABELS, SEED, TAUGHT, Workplace, by_teacher, measured_on
from benchmarks.proxy_truth import data_sets
from benchmarks.proxy_truth.data_sets import TASK
from benchmarks.proxy_truth.results import append, read_results

RESULTS = Path("benchmarks/results/distill_trials.jsonl")
DATA = "shops"
WEIGHTS = (0.5, 0)
Taught = Callable[[Workplace], Lessons]


@click.command(help=__doc__)
@click.option("--pairs", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--base", type=click.Path(path_type=Path, exists=True), required=True, help="folder of the LM")
@click.option("--work", type=click.Path(path_type=Path, exists=True), required=True, help="that of benchmarks.distill")
@click.option("--results", type=click.Path(path_type=Path), default=RESULTS)
def main(*, pairs: Path, base: Path, work: Path, results: Path) -> None:
    place = Workplace(DATA, pairs, base, work)
    done = {line["trial"] for line in read_results(results)}
    scored = {name: partial(student_scores, lessons=lessons) for name, lessons in trials()} | {
        "no student: Gemma": lambda place: by_teacher(place, held_out(place)),
        "no student: the mean of both teachers": scores_of_both,
    }
    for name, scores in scored.items():
        if name not in done:
            line: dict[str, Any] = {"data": DATA, "trial": name, "seed": SEED} | measured_on(place, scores(place))
            append(results, line)
            click.echo(f"{name}: AP {line['ap_dev']:.3f} on dev, {line['ap']:.3f} on test")


def trials() -> Iterator[tuple[str, Taught]]:
    """Names of trials, each with what it teaches."""
    yield LABELS, lambda place: place.lessons("classifier", LABELS)
    for weight in WEIGHTS:
        for count in range(len(DISTANCES) + 1):
            distances = DISTANCES[:count]
            pairs = f"{', '.join(distances)} pairs" if distances else "no pairs"
            yield f"Gemma, label_weight {weight}, {pairs}", partial(by_gemma, weight=weight, distances=distances)
    yield "both teachers, label_weight 0.5, no pairs", partial(by_both, weight=0.5, pairs=None)
    yield "both teachers, label_weight 0.5, near, middle, far pairs", partial(by_both, weight=0.5, pairs="unlabelled")
    yield "both teachers, labels, and logged pairs", partial(by_both, weight=1.0, pairs="logged")
    yield "Gemma, labels, and logged pairs", lambda place: place.lessons("classifier", "logged")
    yield "no teacher, labels, and the labels of logged pairs", by_their_labels


def by_gemma(place: Workplace, weight: float, distances: tuple[str, ...]) -> Lessons:
    """Gemma's scores of the labelled rows, and of unlabelled pairs of some distances."""
    of_train, of_pairs = place.taught_by.scores(place.data.train, place.unlabelled)
    taken = place.unlabelled["distance"].is_in(distances)
    pairs = place.unlabelled.filter(taken)
    return Lessons.of(place.data.train, pairs, (of_train, of_pairs[taken.to_numpy()]), weight)


def by_both(place: Workplace, weight: float, pairs: str | None) -> Lessons:
    """Scores of both teachers of the labelled rows, and of unlabelled or of logged pairs."""
    rows = place.unlabelled.clear() if pairs is None else getattr(place, pairs)
    both = [teacher.scores(place.data.train, rows) for teacher in (place.taught_by, second_teacher(place))]
    of_train, of_pairs = (mean_of_logits(*scores) for scores in zip(*both, strict=True))
    return Lessons.of(place.data.train, rows, (of_train, of_pairs), weight)


def by_their_labels(place: Workplace) -> Lessons:
    """The logged pairs with their own labels, as a bound of what any teacher could give."""
    others = data_sets.marketplace(place.data_name, place.pairs).tasks[TASK].train
    labels = place.logged.select("id").join(others.select("id", "label"), on="id", maintain_order="left")["label"]
    scores = (np.zeros(place.data.train.height), labels.cast(pl.Float64).to_numpy())
    return Lessons.of(place.data.train, place.logged, scores, label_weight=1.0)


def second_teacher(place: Workplace) -> Teacher:
    """The classifier on labels alone."""
    model = place.student("classifier", LABELS, SEED)
    return Teacher(place.base_folder, model, load(ScoreParams, "score"), place.work / "scores")


def mean_of_logits(one: Scores, other: Scores) -> Scores:
    """p(yes) of two teachers, shape (n_rows,)."""
    logits = [np.log(p_yes) - np.log1p(-p_yes) for p_yes in (one, other)]
    mean: Scores = probabilities(np.mean(logits, axis=0))
    return mean


def scores_of_both(place: Workplace) -> Scores:
    """p(yes) of dev and test by both teachers."""
    rows = held_out(place)
    return mean_of_logits(by_teacher(place, rows), second_teacher(place).scores(place.data.train, rows)[1])


def student_scores(place: Workplace, lessons: Taught) -> Scores:
    """p(yes) of dev and test by a classifier that is trained on `lessons`."""
    inputs = place.inputs(place.settings("classifier", TAUGHT), SEED, "trial")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "model")
        classifier.train(lessons(place), inputs, folder)
        with load_scorer(place.base_folder, folder, place.taught_by.settings, inputs.vectors) as scorer:
            return scorer.score(scorer.encode(held_out(place)))


def held_out(place: Workplace) -> pl.DataFrame:
    """Rows of dev, then of test."""
    return pl.concat([place.data.dev, place.data.test])


if __name__ == "__main__":
    main()
