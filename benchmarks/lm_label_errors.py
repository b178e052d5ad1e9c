r"""How well an LM's scores find wrong labels, by how they are made, beside the classifier's out-of-fold scores.

\b
    dvc repro base_model@lm
    OMP_NUM_THREADS=1 python -m benchmarks.lm_label_errors qi --seeds 3
    python -m benchmarks.tables

Rows, flipped labels, rules and what a classifier gains are those of `benchmarks.label_errors`. The built-in LM is
fine-tuned on the rows as the profile nano does it, for `EPOCHS` epochs, and scores them: after each epoch, at last with
a prompt that lacks the language, and all that once more with another seed. Of each half of the query groups another LM
is trained, for as many steps, and scores the other half; that twice, too, with other halves. All other scores are means
of these logits.

The scores of a trained LM are kept in `--work`, so that a run which was stopped goes on from there.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import polars as pl
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from babelshelf.classifier.params import ClassifierParams
from babelshelf.classifier.training import Examples, Fit
from babelshelf.core.files import replacing
from babelshelf.core.params import load
from babelshelf.encoder.builtin_encoders import load_builtin
from babelshelf.llm.prompts import load_template
from babelshelf.score.params import ScoreParams
from babelshelf.score.scorer import load_scorer, score_pairs
from babelshelf.sft.fine_tuning import fine_tune
from babelshelf.sft.params import SftParams
from babelshelf.tables.predictions import Floats
from babelshelf.trainer.models import save
from babelshelf.trainer.params import gradient_steps
from babelshelf.trainer.trainers import AnswerTrainer
from benchmarks.label_errors import KEY, ORACLE, USUAL, Trial, Variant, detection, mean_of_logits, training
from benchmarks.label_noise import LabelledData, demo, halves
from benchmarks.proxy_truth.results import append_all, read_results

RESULTS = Path("benchmarks/results/lm_label_errors.jsonl")
PROFILE = Path("profiles/nano.yaml")
NOISE = "10 %"
EPOCHS = 3
PARAPHRASE = "{candidate} < {query} ? {answer}"  # of prompts/short, without the language
SAME_NUMBER = "loss_rank 0.1"  # flags as many rows as there are flipped labels, whatever the scores
FINALISTS = ("lm in_sample", "lm out_of_fold", "lm in_sample + out_of_fold", "lm + classifier")
VARIANTS = [
    Variant(),
    Variant(rule=USUAL),
    Variant(rule=SAME_NUMBER),
    *(Variant(score, SAME_NUMBER) for score in FINALISTS),
    Variant(rule=ORACLE),
]


class Snapshots(TrainerCallback):  # type: ignore[misc]  # transformers is not followed
    """Saves the model after some steps, in folders of their numbers."""

    def __init__(self, steps: Sequence[int], folder: Path, prompt: Mapping[str, Any]) -> None:
        self._steps, self._folder, self._prompt = frozenset(steps), folder, dict(prompt)

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        *,
        model: Any = None,  # noqa: ANN401 - of transformers
        **_: object,
    ) -> None:
        """Save it, if the step is one of them."""
        if state.global_step in self._steps:
            save(model, self._folder / str(state.global_step), self._prompt)


@dataclass(frozen=True)
class FineTunedLm:
    """Fine-tunes the base LM on rows and scores others.

    Attributes:
        task: of the rows.
        base: folder of the LM.
        rows: number of rows whose epochs give the number of steps, whatever the training set.
    """

    task: str
    base: Path
    rows: int

    def scores(self, train: pl.DataFrame, rows: pl.DataFrame, seed: int) -> Floats:
        """p(yes) of `rows` after each epoch, and at last with the paraphrase, shape (EPOCHS + 1, n_rows)."""
        own = load(SftParams, "sft", self.task, file=PROFILE)
        steps = gradient_steps(self.rows, own.batch_size, EPOCHS)
        settings = own.model_copy(update={"steps": steps})
        template = load_template(Path("prompts", own.template, f"{self.task}.txt"))
        saved = [round(steps * epoch / EPOCHS) for epoch in range(1, EPOCHS + 1)]
        prompt = {"template": template.source, "max_length": own.max_length}
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            callback = Snapshots(saved, folder, prompt)

            class SnapshotTrainer(AnswerTrainer):
                def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the base class's
                    super().__init__(*args, **kwargs)
                    self.add_callback(callback)

            fine_tune(
                train,
                self.base,
                template,
                settings=settings,
                seed=seed,
                checkpoints=folder / "checkpoints",
                trainer_class=SnapshotTrainer,
            )
            found = [self._scored(folder / str(step), rows) for step in saved]
            last = folder / str(steps)
            (last / "prompt.json").write_text(json.dumps(prompt | {"template": PARAPHRASE}), encoding="utf-8")
            return np.stack([*found, self._scored(last, rows)])

    def _scored(self, model: Path, rows: pl.DataFrame) -> Floats:
        scoring = load(ScoreParams, "score", file=PROFILE)
        with load_scorer(self.base, model, scoring) as scorer, tempfile.TemporaryDirectory() as done:
            return score_pairs(rows, scorer, Path(done))


def in_sample(lm: FineTunedLm, rows: pl.DataFrame, seed: int) -> Floats:
    """p(yes) of the rows by the LM that was trained on them, shape (EPOCHS + 1, n_rows)."""
    return lm.scores(rows, rows, seed)


def out_of_fold(lm: FineTunedLm, rows: pl.DataFrame, seed: int) -> Floats:
    """p(yes) of the rows by the LM of the half that they are not in, shape (EPOCHS + 1, n_rows)."""
    second = halves(rows["group"], seed)
    found = np.empty((EPOCHS + 1, rows.height))
    for half in (second, ~second):
        found[:, half] = lm.scores(rows.filter(pl.Series(~half)), rows.filter(pl.Series(half)), seed)
    return found


def kept_scores(lm: FineTunedLm, rows: pl.DataFrame, seed: int, work: Path) -> dict[str, Floats]:
    """The arrays of `FineTunedLm.scores`: `in_sample` and `out_of_fold`, each by two trainings, in files of `work`."""
    found = {}
    for name, way, training_seed in (
        ("in_sample", in_sample, seed),
        ("out_of_fold", out_of_fold, seed),
        ("in_sample 2", in_sample, seed + 1000),
        ("out_of_fold 2", out_of_fold, seed + 1000),
    ):
        file = work / f"{lm.task}-{rows.height}-{seed}-{name.replace(' ', '-')}.npy"
        if not file.is_file():
            values = way(lm, rows, training_seed)
            with replacing(file) as temporary, temporary.open("wb") as stream:
                np.save(stream, values)
        found[name] = np.load(file)
    return found


@dataclass(frozen=True)
class LmScores:
    """A `Scorer` of `benchmarks.label_errors`: the LM's scores, and the classifier's as `out_of_fold`.

    Attributes:
        lm: what is trained.
        data: whose training rows are scored.
        work: folder of what is kept.
    """

    lm: FineTunedLm
    data: LabelledData
    work: Path

    def __call__(self, examples: Examples, first: Fit, _: ClassifierParams, seed: int) -> dict[str, Floats]:
        """p(yes) of the training rows by each way of scoring them."""
        rows = self.data.train.with_columns(label=pl.Series(np.asarray(examples.labels)).cast(pl.Int8))
        return combined(kept_scores(self.lm, rows, seed, self.work), first.out_of_fold)


def combined(made: Mapping[str, Floats], classifier: Floats) -> dict[str, Floats]:
    """The scores that are compared, shape (n_rows,) each.

    Args:
        made: of `kept_scores`.
        classifier: its out-of-fold scores.
    """
    last = {name: values[EPOCHS - 1] for name, values in made.items()}
    own, folds = last["in_sample"], last["out_of_fold"]
    return {
        "out_of_fold": classifier,
        "lm in_sample": own,
        "lm in_sample, other prompt": made["in_sample"][EPOCHS],
        "lm in_sample, two prompts": mean_of_logits(*made["in_sample"][EPOCHS - 1 :]),
        "lm in_sample, each epoch": mean_of_logits(*made["in_sample"][:EPOCHS]),
        "lm in_sample, two seeds": mean_of_logits(own, last["in_sample 2"]),
        "lm out_of_fold": folds,
        "lm out_of_fold, each epoch": mean_of_logits(*made["out_of_fold"][:EPOCHS]),
        "lm out_of_fold, two seeds": mean_of_logits(folds, last["out_of_fold 2"]),
        "lm in_sample + out_of_fold": mean_of_logits(own, folds),
        "lm in_sample + out_of_fold, two seeds": mean_of_logits(*last.values()),
        "lm + classifier": mean_of_logits(folds, classifier),
    }


@click.command(help=__doc__)
@click.argument("task")
@click.option("--base", type=click.Path(path_type=Path, exists=True), default=Path("models/base/lm"))
@click.option("--rows", default=4000, help="of train")
@click.option("--seeds", default=3)
@click.option("--work", type=click.Path(path_type=Path), default=Path(".cache/lm_label_errors"))
@click.option("--cache", type=click.Path(path_type=Path), default=Path(".cache/encoder"))
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS)
def main(*, task: str, base: Path, rows: int, seeds: int, work: Path, cache: Path, out: Path) -> None:
    unit = dict(zip(KEY, (f"demo, {task}", NOISE, rows, seeds), strict=True))
    if tuple(unit.values()) in {tuple(line[key] for key in KEY) for line in read_results(out)}:
        return
    work.mkdir(parents=True, exist_ok=True)
    encoder, source, lm = load_builtin("use_multilingual"), demo(task, rows), FineTunedLm(task, base, rows)
    trials = []
    for seed in range(1, seeds + 1):
        data = source(seed)
        trials.append(Trial.of(data, NOISE, encoder, cache, seed, scorer=LmScores(lm, data, work)))
        click.echo(f"seed {seed}: scored")
    append_all(out, [unit | line for line in [*detection(trials), *training(trials, VARIANTS)]])


if __name__ == "__main__":
    main()
