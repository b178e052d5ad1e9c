"""The two models: an LM with LoRA by the functions of `sft` and `score`, and the classifier on a frozen encoder."""

from __future__ import annotations

import json
import resource
import tempfile
import time
from pathlib import Path
from typing import Protocol

import numpy as np
import polars as pl
import torch

from babelshelf.classifier.features import pair_features, training_features
from babelshelf.classifier.params import ClassifierParams
from babelshelf.classifier.training import Examples, fit
from babelshelf.core.params import load, read, section
from babelshelf.encoder.builtin_encoders import load_builtin
from babelshelf.llm.prompts import load_template
from babelshelf.score.params import ScoreParams
from babelshelf.score.scorer import load_scorer, score_pairs
from babelshelf.sft.fine_tuning import fine_tune
from babelshelf.sft.params import SftParams
from babelshelf.trainer.models import save
from benchmarks.proxy_truth.data_sets import TASK

BATCH = 32
MAX_LENGTH = 256
TEMPLATES = {"sft": "short", "zero-shot": "alpaca"}  # an instruction for a model that was not fine-tuned


class Model(Protocol):
    """A way to score rows after training on others.

    Attributes:
        name: in the results.
        facts: what else the results say of it: device, precision, schedule.
    """

    name: str
    facts: dict[str, object]

    def scores(self, train: pl.DataFrame | None, rows: pl.DataFrame, seed: int) -> np.ndarray:
        """p(yes) of `rows`, float64, shape (rows,), after training on `train`; None: without training."""
        ...


class FineTunedModel:
    """The LM in a folder, fine-tuned with LoRA, or with all weights as the built-in LM is by default."""

    def __init__(self, base: Path, work: Path, *, lora: bool, steps: int) -> None:
        self.name = base.name
        self._base, self._work = base, work
        self._settings = sft_params(lora=lora, steps=steps)
        self._scoring = load(ScoreParams, "score")
        device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
        self.facts: dict[str, object] = {"device": device, "precision": self._settings.precision, "steps": steps}

    def scores(self, train: pl.DataFrame | None, rows: pl.DataFrame, seed: int) -> np.ndarray:
        """See `Model`."""
        if train is None:
            return self._zero_shot(rows)
        template = load_template(Path("prompts", TEMPLATES["sft"], f"{TASK}.txt"))
        with tempfile.TemporaryDirectory(dir=self._work) as folder:
            trained = fine_tune(
                train,
                self._base,
                template,
                settings=self._settings,
                seed=seed,
                checkpoints=Path(folder, "checkpoints"),
            )
            save(trained.model, Path(folder, "model"), {"template": template.source, "max_length": MAX_LENGTH})
            del trained
            return self._scored(Path(folder, "model"), rows)

    def _zero_shot(self, rows: pl.DataFrame) -> np.ndarray:
        """p(yes) of the base itself, by a folder of links, as the base's own is not ours to write into."""
        source = load_template(Path("prompts", TEMPLATES["zero-shot"], f"{TASK}.txt")).source
        prompt = {"template": source, "max_length": MAX_LENGTH}
        with tempfile.TemporaryDirectory(dir=self._work) as folder:
            for file in self._base.iterdir():
                Path(folder, file.name).symlink_to(file.resolve())
            Path(folder, "prompt.json").unlink(missing_ok=True)
            Path(folder, "prompt.json").write_text(json.dumps(prompt), encoding="utf-8")
            return self._scored(Path(folder), rows)

    def _scored(self, model: Path, rows: pl.DataFrame) -> np.ndarray:
        with load_scorer(self._base, model, self._scoring) as scorer, tempfile.TemporaryDirectory() as done:
            return score_pairs(rows, scorer, Path(done))


class ClassifierModel:
    """The classifier on a built-in encoder."""

    def __init__(self, encoder: str, work: Path) -> None:
        self.name = "classifier"
        self._encoder, self._work = load_builtin(encoder), work
        self._settings = load(ClassifierParams, "classifier", TASK)
        self.facts: dict[str, object] = {"device": "cpu", "encoder": encoder}

    def scores(self, train: pl.DataFrame | None, rows: pl.DataFrame, seed: int) -> np.ndarray:
        """See `Model`."""
        if train is None:
            raise ValueError("a classifier has no answer before it is trained")
        cache = self._work / "vectors"
        features = training_features(train, self._encoder, cache)
        fitted = fit(Examples(features, train["label"], train["group"]), self._settings, seed)
        return fitted.predict(pair_features(rows, self._encoder, cache, features.reference))


def timed_scores(
    model: Model, train: pl.DataFrame | None, rows: pl.DataFrame, seed: int
) -> tuple[np.ndarray, dict[str, float]]:
    """Scores; what training and scoring took together: seconds by the clock and of CPU; the process's peak memory."""
    began, cpu_began = time.perf_counter(), time.process_time()
    p_yes = model.scores(train, rows, seed)
    cost = {
        "seconds": round(time.perf_counter() - began, 1),
        "cpu_seconds": round(time.process_time() - cpu_began, 1),
        "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    }
    return p_yes, cost


def sft_params(*, lora: bool, steps: int) -> SftParams:
    """Params of `sft`: those of params.yaml, but for the steps and what the comparison fixes."""
    values = read(Path("params.yaml"))
    values["sft"] |= {"template": TEMPLATES["sft"], "max_length": MAX_LENGTH, "micro_batch_size": BATCH}
    own = values["tasks"][TASK]["sft"] | {"batch_size": BATCH, "epochs": 1.0, "steps": steps}
    if lora:
        adapter = {"r": 32, "alpha": 64, "dropout": 0.1, "target_modules": "all-linear", "modules_to_save": []}
        values["sft"] |= {"adapter": "lora", "lora": adapter, "attention": "sdpa"}
        own |= {"learning_rate": 0.0003, "embedding_learning_rate": 0.0003}
    values["tasks"][TASK]["sft"] = own
    return section(SftParams, values, "sft", TASK)
