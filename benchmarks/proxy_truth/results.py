"""The results' file: a JSON line a run. A run that is in it is not made again."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from babelshelf.calibrate.thresholds import best_threshold
from babelshelf.evaluate.bootstrap import resample
from babelshelf.evaluate.metric_names import RESAMPLED
from babelshelf.evaluate.metrics import point_metrics
from babelshelf.tables.calibration import Calibration
from babelshelf.tables.predictions import all_yes_f1, arrays

RESULTS = Path("benchmarks/results/proxy_truth.jsonl")
KEY = ("data", "model", "recipe", "seed")
RESAMPLES = 200
DIGITS = 5
AVERAGE_PRECISION = "average_precision"
HALF = 0.5  # the threshold of who tunes none


@dataclass(frozen=True)
class Scored:
    """Dev and test with `p_yes`, and the languages of train."""

    dev: pl.DataFrame
    test: pl.DataFrame
    known: list[str]


def finished(file: Path) -> set[tuple[Any, ...]]:
    """The runs that a file has, as values of `KEY`."""
    return {tuple(line[key] for key in KEY) for line in read_results(file)}


def read_results(file: Path) -> list[dict[str, Any]]:
    """All lines of a file, none where there is no file."""
    if not file.is_file():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def append(file: Path, result: dict[str, Any]) -> None:
    """Add a run, in one write."""
    append_all(file, [result])


def append_all(file: Path, results: Iterable[dict[str, Any]]) -> None:
    """Add lines, in one write."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as stream:
        stream.write("".join(json.dumps(result, ensure_ascii=False) + "\n" for result in results))


def measured(scored: Scored, seed: int) -> dict[str, Any]:
    """Metrics on test with the threshold of dev, and F1 with 0.5; AP and both F1 in draws of test's query groups, too.

    All runs on a test set draw the same groups, so that differences of their draws are paired. What is of absent
    languages is left out where test has none.
    """
    calibration = Calibration(best_threshold(*arrays(scored.dev)))
    test = calibration.answer(scored.test)
    at_half = Calibration(HALF).answer(scored.test)
    found = {"threshold": calibration.threshold, "mcc": round(point_metrics(test)["mcc"], DIGITS)}
    found |= _with_draws(test, {"f1": "f1", "ap": AVERAGE_PRECISION}, seed)
    found |= _with_draws(at_half, {"f1_at_half": "f1"}, seed)
    absent = test.filter(~pl.col("language").is_in(scored.known))
    if not absent.is_empty():
        found |= _with_draws(absent, {"ap_absent": AVERAGE_PRECISION}, seed)
        found["f1_absent"] = round(point_metrics(absent)["f1"], DIGITS)
    return found | {"all_yes_f1": round(all_yes_f1(test["label"].to_numpy() == 1), DIGITS)}


def _with_draws(answered: pl.DataFrame, metrics: dict[str, str], seed: int) -> dict[str, Any]:
    """Metrics by a name of their own, and their draws by that name and `_draws`."""
    point, sample = point_metrics(answered), resample([answered], resamples=RESAMPLES, seed=seed)[0]
    found: dict[str, Any] = {}
    for name, metric in metrics.items():
        found[name] = round(point[metric], DIGITS)
        found[f"{name}_draws"] = np.round(sample.draws[RESAMPLED.index(metric)], DIGITS).tolist()
    return found
