"""What does a student gain from a teacher's scores, and how much faster is it?

    OMP_NUM_THREADS=1 python -m benchmarks.distill teacher --pairs pairs.csv --base models/gemma-3-270m --work WORK
    OMP_NUM_THREADS=1 python -m benchmarks.distill run --pairs pairs.csv --base models/gemma-3-270m --work WORK

The data are those of `benchmarks.proxy_truth`: `shops` has 1,500 labelled rows for training, and half of dev and test
is in languages without labels; `--data all-shops` has 9,000 in all languages. `teacher` fine-tunes the LM in `--base`
on them with LoRA, as `benchmarks.proxy_truth` does. `run` scores these rows and unlabelled pairs with it, trains each
student on the labels alone and on the teacher's scores, and appends a line a run to the results' file; runs that are in
it are skipped. WORK is of one data set. Unlabelled pairs are made of the other training queries of the data set; logged
pairs are other training rows as they are; their labels nothing reads. The students are the classifier on
`use_multilingual` and a cross-encoder from the weights of `benchmarks.e5_weights`, whose trainings take the same number
of steps. Seconds are CPU time of one thread. `benchmarks.distill_speed` measures the speed of these models,
`benchmarks.cross_encoders` trains the cross-encoder longer, and `benchmarks.distill_trials` teaches the classifier in
other ways.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import click
import numpy as np
import polars as pl

from babelshelf.classifier.params import ClassifierParams
from babelshelf.core.errors import InputError
from babelshelf.core.files import read_json, replacing, write_json
from babelshelf.core.params import load, read, section
from babelshelf.distill.params import STUDENTS, DistillParams
from babelshelf.distill.student_inputs import StudentInputs
from babelshelf.distill.students import classifier, cross_encoder
from babelshelf.distill.teaching import Lessons, Teacher, cached_scores
from babelshelf.distill.unlabelled import choose_queries, neighbours, unlabelled_pairs
from babelshelf.encoder import builtin_encoders
from babelshelf.encoder.builtin_encoders import load_builtin
from babelshelf.llm import base_model
from babelshelf.llm.prompts import load_template
from babelshelf.score.cross_encoder_scorer import RECORD
from babelshelf.score.params import ScoreParams
from babelshelf.score.scorer import load_scorer, score_pairs
from babelshelf.sft.fine_tuning import fine_tune
from babelshelf.trainer.models import save
from benchmarks import e5_weights
from benchmarks.proxy_truth import data_sets, models
from benchmarks.proxy_truth.data_sets import TASK, DataSet
from benchmarks.proxy_truth.results import Scored, append, measured, read_results

ENCODER = "use_multilingual"
RESULTS = Path("benchmarks/results/distill.jsonl")
SEED = 1  # of the teacher and of the unlabelled pairs
QUERIES = 60  # of a language, with unlabelled pairs
LABELS, ROWS, TAUGHT = "labels", "rows", "teacher"  # the teacher's scores of labelled rows alone; of all pairs
LOGGED = "logged"  # labels, and the teacher's scores of other rows of the data set
UNTUNED = "untuned"  # a cross-encoder whose head is random
SETTINGS = {
    "shops": {"classifier": (LABELS, ROWS, TAUGHT, LOGGED), "cross_encoder": (UNTUNED, LABELS, TAUGHT, LOGGED)},
    "all-shops": {"classifier": (LABELS, LOGGED)},
}
SEEDS = {"classifier": (1, 2, 3), "cross_encoder": (1,)}
FEW_PAIRS = 1500  # unlabelled, that the cross-encoder is taught with: it is trained on a CPU
LOGGED_PAIRS = {"shops": 1500, "all-shops": 12_000}
EPOCHS = {LABELS: 1.0, TAUGHT: 0.5, LOGGED: 0.5}  # of 1,500 rows, and of these and as many pairs


@dataclass(frozen=True)
class Workplace:
    """The data set and the folders of a run.

    Attributes:
        data_name: of `benchmarks.proxy_truth.data_sets`.
        pairs: the file of shops.
        base: folder of the teacher's base LM.
        work: for models and caches.
    """

    data_name: str
    pairs: Path
    base: Path
    work: Path

    def __post_init__(self) -> None:
        """Refuse the folder of another data set, whose models would be taken for those of this one.

        Raises:
            InputError: it is that of another.
        """
        owner = self.work / "data_set.json"
        if not owner.is_file():
            write_json(owner, {"name": self.data_name})
        elif (name := read_json(owner)["name"]) != self.data_name:
            raise InputError(f"{self.work} has the models of {name}: give {self.data_name} a folder of its own")

    @cached_property
    def data(self) -> DataSet:
        """The rows, cut."""
        return data_sets.load(self.data_name, self.pairs)

    @cached_property
    def taught_by(self) -> Teacher:
        """The fine-tuned LM."""
        return Teacher(self.base, self.work / "teacher", load(ScoreParams, "score"), self.work / "scores")

    @cached_property
    def unlabelled(self) -> pl.DataFrame:
        """Pairs without labels."""
        settings, encoder = self.settings("classifier", TAUGHT), load_builtin(ENCODER)
        others = data_sets.marketplace(self.data_name, self.pairs).tasks[TASK].train
        queries = choose_queries([self.data.train, others], self.data.held_out, settings, SEED)
        ranked = neighbours(queries, self.data.candidates, encoder, self.work / "vectors", settings)
        return unlabelled_pairs(
            queries, self.data.candidates, ranked, self.data.train, settings=settings, task=TASK, seed=SEED
        )

    @cached_property
    def logged(self) -> pl.DataFrame:
        """Rows of other query groups than those of train, without their labels, as a search engine logs them."""
        others = data_sets.marketplace(self.data_name, self.pairs).tasks[TASK].train
        new = others.filter(~pl.col("group").is_in(self.data.train["group"].unique().implode()))
        drawn = np.sort(np.random.default_rng(SEED).permutation(new.height)[: LOGGED_PAIRS[self.data_name]])
        return new[drawn].with_columns(label=pl.lit(None, pl.Int8))

    def settings(self, student: str, setting: str) -> DistillParams:
        """Params of `distill`, as they are by default but for the number of queries."""
        values = read(Path("profiles/nano.yaml"))
        own = values["distill"] | {"student": student, "queries_per_language": QUERIES}
        own |= {"label_weight": 1.0} if setting in (LABELS, LOGGED) else {}
        if student == "cross_encoder":
            usual = STUDENTS.defaults("cross_encoder")
            own["cross_encoder"] = usual | {
                "model": str(self.work.absolute() / "e5"),
                "epochs": EPOCHS.get(setting, 1.0),
                "learning_rate": 0.0001,  # twice the usual one, for so few steps
                "max_length": 64,
            }
        return section(DistillParams, values | {"distill": own}, "distill", TASK)

    def lessons(self, student: str, setting: str) -> Lessons:
        """What a student is trained on."""
        if setting == LABELS:
            rows = self.data.train
            return Lessons(rows, rows.height, rows["label"].cast(pl.Float64).to_numpy())
        if setting == LOGGED:  # with the labels as they are, so that the teacher need not score their rows
            labels = self.data.train["label"].cast(pl.Float64).to_numpy()
            return Lessons.of(self.data.train, self.logged, (labels, by_teacher(self, self.logged)), label_weight=1.0)
        pairs = self.unlabelled
        scores = self.taught_by.scores(self.data.train, pairs)
        if setting == ROWS:
            pairs, scores = pairs.clear(), (scores[0], np.empty(0))
        if setting == TAUGHT and student == "cross_encoder":
            chosen = np.sort(np.random.default_rng(SEED).permutation(pairs.height)[:FEW_PAIRS])
            pairs, scores = pairs[chosen], (scores[0], scores[1][chosen])
        return Lessons.of(self.data.train, pairs, scores, self.settings(student, setting).label_weight)

    def student(self, student: str, setting: str, seed: int) -> Path:
        """The folder of a trained student; it is trained if it is not there."""
        folder = self.work / "students" / f"{student}-{setting}-{seed}"
        if folder.is_dir():
            return folder
        inputs = self.inputs(self.settings(student, setting), seed, folder.name)
        if setting == UNTUNED:
            return _untuned(inputs, folder)
        module = classifier if student == "classifier" else cross_encoder
        lessons, began = self.lessons(student, setting), time.process_time()
        with replacing(folder) as temporary:
            module.train(lessons, inputs, temporary)
            write_json(temporary / "seconds.json", {"cpu": time.process_time() - began, "rows": lessons.rows.height})
        return folder

    def inputs(self, settings: DistillParams, seed: int, name: str) -> StudentInputs:
        """What a student is trained with; `name` is that of its checkpoints."""
        return StudentInputs(
            settings=settings,
            head=load(ClassifierParams, "classifier"),
            encoder=load_builtin(ENCODER),
            embedder=self.base_folder / "embedder",
            vectors=self.work / "vectors",
            checkpoints=self.work / "checkpoints" / name,
            record={"variant": "original", "teacher": self.taught_by.record(), "path_share": 0.0},
            seed=seed,
        )

    @cached_property
    def base_folder(self) -> Path:
        """A folder like `models/base`, with the embedder's pointer."""
        folder = self.work / "base"
        if not (folder / "embedder").is_dir():
            base_model.write(folder / "embedder", builtin_encoders.pointer(ENCODER))
        return folder


def _untuned(inputs: StudentInputs, folder: Path) -> Path:
    """A cross-encoder as training begins with it."""
    from transformers import set_seed  # noqa: PLC0415

    settings = inputs.settings.own(cross_encoder.Params)
    set_seed(inputs.seed)
    with replacing(folder) as temporary:
        cross_encoder._load(Path(settings.model), settings).save_pretrained(str(temporary), create_model_card=False)
        write_json(temporary / RECORD, {**inputs.record, "encoder": {}, "max_length": settings.max_length})
        write_json(temporary / "seconds.json", {"cpu": 0.0, "rows": 0})
    return folder


def for_place(function: Callable[[Workplace, Path], None]) -> Callable[..., None]:
    """A function of a `Workplace` and a results' file as one of a command's options."""

    def with_place(*, data_name: str, pairs: Path, base: Path, work: Path, results: Path) -> None:
        function(Workplace(data_name, pairs, base, work), results)

    options = [
        click.option("--data", "data_name", type=click.Choice(list(LOGGED_PAIRS)), default="shops"),
        click.option("--pairs", type=click.Path(path_type=Path, exists=True), required=True),
        click.option("--base", type=click.Path(path_type=Path, exists=True), required=True, help="folder of the LM"),
        click.option("--work", type=click.Path(path_type=Path), required=True, help="for models and caches"),
        click.option("--results", type=click.Path(path_type=Path), default=RESULTS),
    ]
    for option in options:
        with_place = option(with_place)
    with_place.__name__, with_place.__doc__ = function.__name__, function.__doc__
    return with_place


@click.group(help=__doc__)
def main() -> None:
    pass


@main.command()
@for_place
def teacher(place: Workplace, _: Path) -> None:
    """Fine-tune the teacher."""
    settings = models.sft_params(lora=True, steps=data_sets.SIZES[place.data_name].steps)
    template = load_template(Path("prompts", models.TEMPLATES["sft"], f"{TASK}.txt"))
    trained = fine_tune(
        place.data.train, place.base, template, settings=settings, seed=SEED, checkpoints=place.work / "checkpoints"
    )
    record = {"template": template.source, "max_length": models.MAX_LENGTH, "base": base_model.identity(place.base)}
    with replacing(place.work / "teacher") as folder:
        save(trained.model, folder, record | {"variant": "original"})


@main.command()
@for_place
def run(place: Workplace, results: Path) -> None:
    """Train and score the students, and append to the results."""
    held_out = pl.concat([place.data.dev, place.data.test])
    _save(place, results, ("teacher", LABELS, SEED), lambda: by_teacher(place, held_out), {})
    for student, settings in SETTINGS[place.data_name].items():
        if student == "cross_encoder" and not (place.work / "e5").is_dir():
            with replacing(place.work / "e5") as folder:
                e5_weights.write(folder, _texts(place))
        for seed in SEEDS[student]:
            for setting in settings:
                _save(place, results, (student, setting, seed), *_of_student(place, student, setting, seed, held_out))


def by_teacher(place: Workplace, rows: pl.DataFrame) -> np.ndarray:
    """The teacher's p(yes) of rows."""
    own = place.taught_by
    with load_scorer(own.base, own.model, own.settings) as scorer:
        return cached_scores(rows, scorer, own.identity, own.cache)


def _of_student(
    place: Workplace, student: str, setting: str, seed: int, rows: pl.DataFrame
) -> tuple[Callable[[], np.ndarray], dict[str, Any]]:
    """How to train it and score rows, and facts of its training that are known then."""
    facts: dict[str, Any] = {}

    def scores() -> np.ndarray:
        folder = place.student(student, setting, seed)
        facts.update(read_json(folder / "seconds.json"))
        with load_scorer(place.base_folder, folder, place.taught_by.settings, place.work / "vectors") as scorer:
            return score_pairs(rows, scorer, place.work / "scored" / folder.name)

    return scores, facts


def _save(
    place: Workplace,
    results: Path,
    key: tuple[str, str, int],
    scores: Callable[[], np.ndarray],
    facts: dict[str, Any],
) -> None:
    """Append a run, unless it is there."""
    model, setting, seed = key
    done = {
        (line["data"], line["model"], line["setting"], line["seed"])
        for line in read_results(results)
        if line["kind"] == "quality" and "steps" not in line  # which those of `benchmarks.cross_encoders` have
    }
    if (place.data_name, *key) in done:
        return
    found = measured_on(place, scores())
    named = {"kind": "quality", "data": place.data_name, "model": model, "setting": setting, "seed": seed}
    append(results, named | facts | found)
    click.echo(f"{model} {setting} {seed}: AP {found['ap']:.3f}, F1 {found['f1']:.3f}")


def measured_on(place: Workplace, p_yes: np.ndarray) -> dict[str, Any]:
    """Metrics of p(yes) of the rows of dev and test, with resamples."""
    dev = place.data.dev
    scored = pl.concat([dev, place.data.test]).with_columns(p_yes=pl.Series(p_yes))
    known = place.data.train["language"].unique().to_list()
    return measured(Scored(scored.head(dev.height), scored.tail(-dev.height), known), seed=data_sets.SEED)


def _texts(place: Workplace) -> list[str]:
    """All texts of the data set: the cross-encoder's vocabulary is cut to their tokens, which changes no score."""
    data = place.data
    others = data_sets.marketplace(place.data_name, place.pairs).tasks[TASK].train
    columns = [table[name] for table in (data.train, data.dev, data.test, others) for name in ("query", "candidate")]
    return pl.concat([*columns, pl.Series(data.candidates)]).unique().sort().to_list()


if __name__ == "__main__":
    main()
