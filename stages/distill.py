"""Train a small student on the scores that a teacher gives to labelled and unlabelled pairs.

\b
    python -m stages.distill qc --train data/negatives/qc/train.parquet ... (dvc.yaml has all of it)

Killed, it goes on from the pairs that the teacher has scored, and from the student's last checkpoint.
"""

from __future__ import annotations

from pathlib import Path

import click

from babelshelf.classifier.params import ClassifierParams
from babelshelf.core.files import replacing, work_dir, write_json
from babelshelf.core.params import load, load_seed
from babelshelf.core.partial_work import partial_work
from babelshelf.core.rows import path_share, read_rows, read_table
from babelshelf.distill.lesson_metrics import lesson_metrics
from babelshelf.distill.params import STUDENTS, DistillParams
from babelshelf.distill.student_inputs import StudentInputs
from babelshelf.distill.teaching import Lessons, Teacher, all_rows
from babelshelf.distill.unlabelled import choose_queries, neighbours, unlabelled_pairs
from babelshelf.encoder.embedder import load_embedder
from babelshelf.runtime.stage import stage
from babelshelf.score.params import ScoreParams
from babelshelf.tables.prediction_sets import read_unlabelled


@click.command(help=__doc__)
@click.argument("task")
@click.option("--variant", required=True)
@click.option("--train", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--queries", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--unlabelled", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--held-out", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--candidates", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--embedder", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--base", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--teacher", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--metrics", type=click.Path(path_type=Path), required=True)
@stage("distill", writes="out")
def main(
    *,
    task: str,
    variant: str,
    train: Path,
    queries: Path,
    unlabelled: Path,
    held_out: Path,
    candidates: Path,
    embedder: Path,
    base: Path,
    teacher: Path,
    out: Path,
    metrics: Path,
) -> str:
    settings, seed = load(DistillParams, "distill", task), load_seed()
    head, scoring = load(ClassifierParams, "classifier"), load(ScoreParams, "score")
    encoder, vectors = load_embedder(embedder, head), work_dir() / "encoder"
    rows, texts = read_rows(train), read_table(candidates).filter("in_train")["candidate"].to_list()
    tables = [rows, read_rows(queries), *([read_unlabelled(unlabelled)] if settings.prediction_queries else [])]
    chosen = choose_queries(tables, read_table(held_out)["key"], settings, seed)
    ranked = neighbours(chosen, texts, encoder, vectors, settings)
    pairs = unlabelled_pairs(chosen, texts, ranked, rows, settings=settings, task=task, seed=seed)
    student = STUDENTS.load(settings.student)
    if hasattr(student, "check"):
        student.check(all_rows(rows, pairs), settings)
    taught_by = Teacher(base, teacher, scoring, work_dir() / "teacher")
    scores = taught_by.scores(rows, pairs)
    lessons = Lessons.of(rows, pairs, scores, settings.label_weight)
    inputs = (train, queries, unlabelled, candidates, embedder, taught_by.identity, settings, head, seed)
    with partial_work("distill", *inputs) as checkpoints:
        record = {"variant": variant, "teacher": taught_by.record(), "path_share": path_share(rows)}
        inputs_of_student = StudentInputs(settings, head, encoder, embedder, vectors, checkpoints, record, seed)
        with replacing(out) as folder:
            measured = student.train(lessons, inputs_of_student, folder)
    write_json(metrics, lesson_metrics(rows, pairs, scores) | {"student": measured})
    return f"{settings.student} taught by {teacher} on {rows.height:,} rows and {pairs.height:,} unlabelled pairs"


if __name__ == "__main__":
    main()
