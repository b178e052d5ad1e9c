"""Simulated runs for tests of the report: files as the stages write them, in memory, of any number of rows."""

from __future__ import annotations

import json
from functools import cache
from io import BytesIO
from typing import Any

import numpy as np
import polars as pl

from babelshelf.calibrate.calibrating import calibrate, curve
from babelshelf.calibrate.params import CalibrateParams
from babelshelf.commands.ladder.rows import LadderRow
from babelshelf.commands.ladder.runs import Run
from babelshelf.commands.report.build import Ladder
from babelshelf.core.params import section
from babelshelf.core.rows import ROW_SCHEMA, positive_share
from babelshelf.evaluate.metrics import evaluate
from babelshelf.evaluate.params import EvaluateParams
from babelshelf.prepare.statistics import split_statistics
from babelshelf.runtime.stage_log import RESOURCES_SCHEMA
from babelshelf.tables.calibration import Calibration
from babelshelf.tables.predictions import PREDICTION_SCHEMA, source

LANGUAGES = ("en", "fr", "es", "ko", "pt", "ja", "th", "de", "it", "pl", "ar", "vi", "id")
ABSENT = LANGUAGES[7:]
HOSTILE = '<script>alert("1")</script> | **x** `y` <img src=x>'
CALIBRATE = {"folds": 3, "per_language": {"shrinkage": 100}, "logistic": {"penalties": [10]}}
EVALUATE = {"resamples": 10, "confidence": 0.95, "reliability_bins": 10, "in_train_rows": 20}


def rows(n: int, seed: int, task: str = "qc", origin: str = "original") -> pl.DataFrame:
    """Rows of `ROW_SCHEMA`, three to a query group, all languages in turn."""
    generator = np.random.default_rng(seed)
    groups = [f"g{i // 3}" for i in range(n)]
    return pl.DataFrame(
        {
            "id": [f"{origin}{i}" for i in range(n)],
            "task": [task] * n,
            "language": [LANGUAGES[(i // 3) % len(LANGUAGES)] for i in range(n)],
            "query": [HOSTILE if i % 50 == 0 else f"query {group} حذاء" for i, group in enumerate(groups)],
            "candidate": [f"Shoes > {HOSTILE}" if i % 50 == 1 else f"Shoes > Sneakers {i % 200}" for i in range(n)],
            "label": (generator.random(n) < 0.65).astype(int),
            "origin": [origin] * n,
            "parent_id": [None if origin == "original" else f"original{i}" for i in range(n)],
            "group": groups,
        },
        schema=ROW_SCHEMA,
    )


@cache
def test_rows(n: int, seed: int, task: str) -> pl.DataFrame:
    """The same for all rows of a ladder with one seed."""
    return rows(n, 100 + seed, task)


def run(
    name: str,
    *,
    n: int,
    signal: float,
    seed: int = 1,
    threshold: float | str = "tuned",
    noise: int = 0,
    method: str = "shared",
    lock: str = "",
) -> Run:
    """A run of both tasks on `n` test rows; the higher `signal`, the better it is; `method`: of its calibration."""
    recipe = {"method": "sft", "train_on": "filtered", "filter_on": "negatives", "negatives_on": "translated"}
    tasks = {task: recipe | {"calibrate": {"threshold": threshold}} for task in ("qc", "qi")}
    params = {"seed": seed, "tasks": tasks, "calibrate": CALIBRATE | {"method": method}, "evaluate": EVALUATE}
    files: dict[str, bytes] = {"metrics/prepare.json": _json({task: _prepared(n, seed, task) for task in tasks})}
    for task in tasks:
        files |= _training_sets(task, n, seed)
        files |= _measured(task, n, signal, seed=seed, threshold=threshold, noise=noise, method=method)
    files |= {"dvc.lock": lock.encode()} if lock else {}
    return Run(name, params, files.get)


def nothing() -> Run:
    """A working tree without a result."""
    return Run("workspace", {"tasks": {}}, lambda _: None)


def ladder(rungs: int, *, n: int, seeds: tuple[int, ...] = (1,), note: str = "") -> Ladder:
    """A ladder of so many rows, each better than the one before, and one more that was not run."""
    names = [f"row{i}" for i in range(rungs + 1)]
    listed = [
        LadderRow(
            name=name,
            title=f"+ step {i} {HOSTILE if i == 1 else ''}",
            tasks=["qc", "qi"],
            after={} if i == 0 else dict.fromkeys(("qc", "qi"), names[i - 1]),
            set={},
            published={"qc": 87.0 + 0.25 * i, "qi": 85.0},
            seeds=list(seeds),
            note=note if i == 2 else "",
        )
        for i, name in enumerate(names)
    ]
    runs: dict[str, dict[int, Run]] = {
        name: {seed: run(name, n=n, signal=0.2 + 0.05 * i, seed=seed, noise=i) for seed in seeds}
        for i, name in enumerate(names[:-1])
    }
    return Ladder(listed, runs | {names[-1]: {}}, own_seed=seeds[0])


def records() -> pl.DataFrame:
    """Time and memory of some stages."""
    listed = [("sft@negatives-qc", None, "t", 134.2, 1800.0), ("sft@negatives-qc", "row1", "t", 12.0, 900.0)]
    return pl.DataFrame(listed, schema=RESOURCES_SCHEMA, orient="row")


def _measured(
    task: str, n: int, signal: float, *, seed: int, threshold: float | str, noise: int, method: str
) -> dict[str, bytes]:
    predictions = {}
    for split, size in (("dev", n // 2), ("test", n)):
        labelled = test_rows(size, seed, task)
        generator = np.random.default_rng([seed, noise, size])
        p_yes = 0.5 + signal * (labelled["label"].to_numpy() - 0.5) + 0.15 * generator.normal(size=size)
        predictions[split] = labelled.with_columns(
            p_yes=pl.Series(np.clip(p_yes, 0, 1)), **source(split, "filtered")
        ).select(list(PREDICTION_SCHEMA))
    values = CALIBRATE | {"method": method, "threshold": threshold}
    settings = section(CalibrateParams, {"calibrate": values}, "calibrate", None)
    calibrated = calibrate(predictions["dev"], settings, seed)
    in_train = [language for language in LANGUAGES if language not in ABSENT]
    evaluated = evaluate(predictions["test"], in_train, Calibration.of(calibrated), EvaluateParams(**EVALUATE), seed)
    steps = np.arange(1, 61)
    loss = 0.4 + np.exp(-steps / 20) + 0.02 * np.random.default_rng(noise).normal(size=60)
    return {
        **{
            f"data/predictions/held_out/{task}/{split}.parquet": _parquet(table) for split, table in predictions.items()
        },
        f"metrics/calibrate/{task}.json": _json(calibrated),
        f"metrics/calibrate/{task}.csv": curve(predictions["dev"], Calibration.of(calibrated)).write_csv().encode(),
        f"metrics/evaluate/{task}.json": _json(evaluated),
        f"metrics/sft/filtered/{task}.csv": pl.DataFrame({"step": steps, "epoch": steps / 30, "loss": loss})
        .write_csv()
        .encode(),
    }


@cache
def _prepared(n: int, seed: int, task: str) -> dict[str, Any]:
    return {split: split_statistics(test_rows(n, seed, task)) for split in ("train", "dev", "test")}


@cache
def _training_sets(task: str, n: int, seed: int) -> dict[str, bytes]:
    original = rows(n, seed, task)
    parts = {origin: rows(n, seed, task, origin) for origin in ("translated", "negative")}
    negatives = pl.concat([original, *parts.values()])
    scored = negatives.with_columns(p_yes=pl.lit(0.7), reason=pl.lit("contradicted"))
    sizes = {"de": {"queries": 5, "rows": 9}, "ar": {"queries": 4, "rows": 8}}
    counts = {"read": 9, "dropped": 2, "kept": 7}
    shared = {"positive_share": positive_share(original)}
    dropped = original.select(
        target=pl.lit("de"), language="language", query="query", translation="query", reason=pl.lit("script")
    )
    draws = original.select(
        "language", "query", reason=pl.lit("equal_text"), positive="candidate", candidate="candidate"
    )
    tables = {
        f"data/original/{task}/train": original,
        f"data/translated/{task}/train": pl.concat([original, parts["translated"]]),
        f"data/translated/{task}/dropped": dropped,
        f"data/negatives/{task}/train": negatives,
        f"data/negatives/{task}/dropped": draws,
        f"data/filtered/{task}/train": original,
        f"data/filtered/{task}/dropped": scored,
        f"data/predictions/train/{task}/scores": scored.select("id", "p_yes", **source("train", "negatives")),
    }
    metrics = {
        "translate": {"planned": sizes, "kept": sizes, "dropped": {"script": sizes}} | shared,
        "mine_negatives": {"mined": {"de": 5}, "target": {"de": 6}, "dropped_draws": {"equal_text": 7}} | shared,
        "filter": counts | {"by_origin": {"original": counts}, "by_label": {"1": counts}} | shared,
    }
    files = {f"{name}.parquet": _parquet(table) for name, table in tables.items()}
    return files | {f"metrics/{stage}/{task}.json": _json(values) for stage, values in metrics.items()}


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _parquet(table: pl.DataFrame) -> bytes:
    stream = BytesIO()
    table.write_parquet(stream)
    return stream.getvalue()
