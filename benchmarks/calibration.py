r"""What the methods of `calibrate` gain on test over a shared threshold, with the classifier on pairs of one's own.

\b
    python -m benchmarks.calibration data/original/qc --name shops --out benchmarks/results/calibration.jsonl

The folder is one that the stage `prepare` writes, with train, dev and test. A seed draws the training queries and the
folds; the test set is the same for all. docs/results.md has results.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import click
import numpy as np
import polars as pl

from babelshelf.calibrate.cross_validation import cross_validated, f1, simplest
from babelshelf.calibrate.params import AUTO, METHODS, SHARED, CalibrateParams
from babelshelf.classifier.features import pair_features
from babelshelf.classifier.params import ClassifierParams
from babelshelf.classifier.training import Examples, fit
from babelshelf.core.params import PARAMS_FILE, load, read, section
from babelshelf.core.rows import read_rows
from babelshelf.encoder.builtin_encoders import load_builtin
from babelshelf.evaluate.bootstrap import Pair
from babelshelf.evaluate.metrics import languages_in_train
from babelshelf.evaluate.params import EvaluateParams
from babelshelf.evaluate.reliability import expected_calibration_error, reliability
from babelshelf.evaluate.seeds import mean_gain
from babelshelf.tables.predictions import all_yes_f1, arrays
from benchmarks.gain import CONFIDENCE, compared

RESAMPLES = 2000
DIGITS = 5


@click.command(help=__doc__)
@click.argument("data", type=click.Path(path_type=Path, exists=True))
@click.option("--name", required=True, help="of the data in the results")
@click.option("--rows", default=9000, help="of train, whole query groups")
@click.option("--dev-rows", default=0, help="of dev, whole query groups; 0: all")
@click.option("--seeds", default=3)
@click.option("--encoder", default="use_multilingual")
@click.option("--cache", type=click.Path(path_type=Path), default=Path(".cache/encoder"))
@click.option("--out", type=click.Path(path_type=Path), help="a file of JSON lines to add the results to")
def main(
    *, data: Path, name: str, rows: int, dev_rows: int, seeds: int, encoder: str, cache: Path, out: Path | None
) -> None:
    tables = {split: read_rows(data / f"{split}.parquet") for split in ("train", "dev", "test")}
    settings, params = load(EvaluateParams, "evaluate"), _params()
    in_train = languages_in_train(tables["train"], settings.in_train_rows)
    absent = sorted(set(tables["test"]["language"]) - set(in_train))
    answered: dict[str, list[pl.DataFrame]] = {}
    chosen = []
    for seed in range(1, seeds + 1):
        scored = _scored(tables, rows, encoder, cache, seed)
        dev = whole_groups(scored["dev"], dev_rows, seed) if dev_rows else scored["dev"]
        for method in params.methods:
            calibration = METHODS.load(method).fit(dev, params, seed)
            answered.setdefault(method, []).append(calibration.answer(scored["test"]))
        chosen.append(simplest(dev, cross_validated(dev, params, seed)))
    answered[AUTO] = [answered[method][seed] for seed, method in enumerate(chosen)]
    parts: dict[str, list[str] | None] = {"": None} | ({"_absent": absent} if absent else {})
    lines = [
        {"data": name, "method": method, "train_rows": rows, "dev_rows": dev.height, "seeds": seeds}
        | _means(tests, absent, settings.reliability_bins)
        | {f"gain{part}": _gain(answered, method, languages) for part, languages in parts.items()}
        | ({"chosen": chosen} if method == AUTO else {})
        for method, tests in answered.items()
    ]
    for line in lines:
        click.echo(json.dumps(line))
    if out is not None:
        with out.open("a", encoding="utf-8") as stream:
            stream.writelines(json.dumps(line) + "\n" for line in lines)


def _params() -> CalibrateParams:
    values = read(PARAMS_FILE)["calibrate"] | {"method": AUTO, "threshold": "tuned"}
    return section(CalibrateParams, {"calibrate": values}, "calibrate", None)


def _scored(
    tables: Mapping[str, pl.DataFrame], rows: int, encoder: str, cache: Path, seed: int
) -> dict[str, pl.DataFrame]:
    """Dev and test with p(yes) of a classifier that is fitted on some of train."""
    train = whole_groups(tables["train"].filter(pl.col("label").is_not_null()), rows, seed)
    both = pl.concat([train, tables["dev"], tables["test"]])
    features = pair_features(both, load_builtin(encoder), cache, reference_rows=slice(train.height))
    examples = Examples(features.take(np.arange(train.height)), train["label"], train["group"])
    p_yes = fit(examples, load(ClassifierParams, "classifier"), seed).predict(features)
    scored = both.with_columns(p_yes=pl.Series(p_yes, dtype=pl.Float64))
    return {
        "dev": scored.slice(train.height, tables["dev"].height),
        "test": scored.slice(train.height + tables["dev"].height),
    }


def whole_groups(rows: pl.DataFrame, most: int, seed: int) -> pl.DataFrame:
    """At most `most` rows, all of a query group or none."""
    drawn = rows["group"].unique().sort().sample(fraction=1, shuffle=True, seed=seed)
    place = pl.DataFrame({"group": drawn, "place": np.arange(len(drawn))})
    sizes = rows.join(place, on="group").group_by("place", "group").len().sort("place")
    taken = sizes.filter(pl.col("len").cum_sum() <= most)["group"]
    return rows.filter(pl.col("group").is_in(taken.implode()))


def _means(tests: list[pl.DataFrame], absent: list[str], bins: int) -> dict[str, float]:
    """Means over seeds, in absent languages where there are some; the calibration error is that after recalibration."""
    found: dict[str, list[float]] = {}
    for rows in tests:
        labels, _ = arrays(rows)
        yes = rows["is_relevant"].to_numpy()
        p = rows["p_calibrated" if "p_calibrated" in rows.columns else "p_yes"].to_numpy()
        found.setdefault("f1", []).append(f1(labels, yes))
        found.setdefault("calibration_error", []).append(expected_calibration_error(reliability(labels, p, bins)))
        found.setdefault("all_yes_f1", []).append(all_yes_f1(labels))
        if absent:
            own = rows["language"].is_in(absent).to_numpy()
            found.setdefault("f1_absent", []).append(f1(labels[own], yes[own]))
            found.setdefault("all_yes_f1_absent", []).append(all_yes_f1(labels[own]))
    return {name: round(float(np.mean(values)), DIGITS) for name, values in found.items()}


def _gain(answered: Mapping[str, list[pl.DataFrame]], method: str, only: list[str] | None) -> list[float]:
    """Gain in F1 over a shared threshold and the bounds of its interval, over all seeds."""
    pairs = [[Pair(a, b)] for a, b in zip(answered[SHARED], answered[method], strict=True)]
    found = mean_gain(compared(pairs, only, RESAMPLES), CONFIDENCE)["f1"]
    return [round(value, DIGITS) for value in (found.value, found.low, found.high)]


if __name__ == "__main__":
    main()
