"""A model that is tried: its scorer, its threshold, and its predictions of test, where it has any."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from babelshelf.core.errors import InputError
from babelshelf.core.files import read_json
from babelshelf.score.params import ScoreParams
from babelshelf.score.scorer import Scorer, load_scorer, read_record
from babelshelf.tables.calibration import Calibration
from babelshelf.tables.predictions import read_predictions

UNCALIBRATED = Calibration(0.5)


@dataclass(frozen=True)
class ModelPaths:
    """Where a model and what was measured of it are.

    Attributes:
        model: its folder.
        calibrated: the metrics of `calibrate`; None: its threshold is not known.
        predictions: its predictions of test; None: there are none.
    """

    model: Path
    calibrated: Path | None
    predictions: Path | None

    @classmethod
    def of(cls, model: Path, calibrated: Path | None, task: str, final: Path) -> ModelPaths:
        """What the pipeline has of a model.

        Args:
            model: its folder.
            calibrated: what the user says of it, or None.
            task: `qc` or `qi`.
            final: the final model of the recipe, which alone has a threshold and predictions in the pipeline.

        Raises:
            InputError: there is no such model, or the metrics are of another variant's.
        """
        if not model.is_dir():
            raise InputError(f"{model}: no such folder: run the stage that writes it, or give another --model")
        variant = read_record(model).get("variant")
        is_final = model.resolve() == final.resolve()
        usual, test = Path("metrics/calibrate", f"{task}.json"), Path("data/predictions/held_out", task, "test.parquet")
        metrics = calibrated or (usual if is_final and usual.is_file() else None)
        if metrics is not None:
            if not metrics.is_file():
                raise InputError(f"{metrics}: no such file: give the metrics that the stage calibrate wrote")
            of_threshold = read_json(metrics).get("variant")
            if of_threshold and variant and of_threshold != variant:
                raise InputError(
                    f"{metrics}: its threshold is of the variant {of_threshold!r}, {model} is of {variant!r}"
                )
        return cls(model, metrics, test if is_final and test.is_file() else None)


@dataclass(frozen=True)
class TriedModel:
    """A loaded model.

    Attributes:
        name: what the page calls it.
        variant: the training set that it was trained on; None where its record names none.
        scorer: the model.
        calibration: its threshold, 0.5 where none was tuned.
        calibrated: whether one was.
        test: its answers to the labelled rows of test, with `is_relevant`; None: there are none.
    """

    name: str
    variant: str | None
    scorer: Scorer
    calibration: Calibration
    calibrated: bool
    test: pl.DataFrame | None

    def answer(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The columns `p` (p(yes), recalibrated where the model is), `threshold` and `is_relevant` of some rows.

        Args:
            rows: with `id`, `task`, `language`, `query` and `candidate`.
        """
        prompts = self.scorer.encode(rows)
        order = self.scorer.order(prompts)
        p_yes = np.empty(rows.height)
        p_yes[order] = self.scorer.score(prompts[order])
        answered = self.calibration.answer(rows.with_columns(p_yes=pl.Series(p_yes, dtype=pl.Float64)))
        judged = "p_yes" if self.calibration.recalibration is None else "p_calibrated"
        threshold = pl.col("language").replace_strict(
            dict(self.calibration.thresholds), default=self.calibration.threshold, return_dtype=pl.Float64
        )
        return answered.select(p=judged, threshold=threshold, is_relevant="is_relevant")


@contextmanager
def loaded(paths: ModelPaths, base: Path, settings: ScoreParams, vectors: Path) -> Iterator[TriedModel]:
    """Load a model.

    Args:
        paths: of the model.
        base: `models/base`.
        settings: the section `score`.
        vectors: folder for the vectors of what is asked, see `load_scorer`.
    """
    calibration = UNCALIBRATED if paths.calibrated is None else Calibration.of(read_json(paths.calibrated))
    variant = read_record(paths.model).get("variant")
    with load_scorer(base, paths.model, settings, vectors) as scorer:
        test = None if paths.predictions is None else _test(paths.predictions, calibration, variant)
        yield TriedModel(str(paths.model), variant, scorer, calibration, paths.calibrated is not None, test)


def _test(file: Path, calibration: Calibration, variant: str | None) -> pl.DataFrame | None:
    """The labelled rows of test with `is_relevant`; None where another variant's model made them."""
    rows = read_predictions(file, "test").filter(pl.col("label").is_not_null())
    same = variant is None or (rows["variant"] == variant).all()
    return calibration.answer(rows) if same else None
