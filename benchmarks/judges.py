r"""What a panel of judges gains over the rule alone, by how often a judge is right. The judges are SIMULATED.

\b
    OMP_NUM_THREADS=1 python -m benchmarks.judges

Labels of the demo's train rows are flipped as in `benchmarks.label_errors`, and a rule flags rows. Three judges vote on
these, each right with a given probability, independently of the others and of the row: real models err together, on the
same hard rows, so their majority is worse than this one. Rows whose label the majority contradicts get the other label,
or are dropped; the others stay. Each unit (data and rule) is a line of results for each accuracy and action.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import polars as pl

from babelshelf.calibrate.thresholds import best_threshold
from babelshelf.classifier.training import fit
from babelshelf.encoder.builtin_encoders import load_builtin
from babelshelf.evaluate.bootstrap import resample_sets
from babelshelf.evaluate.metric_names import RESAMPLED
from babelshelf.evaluate.seeds import Comparison, mean_gain
from babelshelf.runtime.screen import progress
from babelshelf.tables.calibration import Calibration
from babelshelf.tables.predictions import Labels, arrays
from benchmarks.gain import CONFIDENCE
from benchmarks.label_errors import CHOICE_FOLDS, METRICS, RESAMPLES, Trial, rounded
from benchmarks.label_noise import demo
from benchmarks.label_rules import RULES
from benchmarks.proxy_truth.results import append_all, read_results

RESULTS = Path("benchmarks/results/judges.jsonl")
NOISE = "10 %"
JUDGES = 3
ACCURACIES = (0.6, 0.7, 0.8, 0.9, 1.0)
ACTIONS = ("drop", "relabel")
THRESHOLDS = ("confidence 0.75", "confidence 0.6")
SCORE = "out_of_fold"
KEY = ("data", "rule", "rows", "seeds")


def contradicted(trial: Trial, rule: str, accuracy: float | None) -> Labels:
    """The rows that lose their label: those that the rule flags, and of these with judges what a majority contradicts.

    Args:
        trial: rows with flipped labels.
        rule: a key of `RULES`; or `none`, which flags nothing.
        accuracy: of each judge; None: no judges.
    """
    if rule == "none":
        return np.zeros(len(trial.labels), np.bool_)
    flags = RULES[rule](trial.labels, trial.scores[SCORE])
    if accuracy is not None:
        generator = np.random.default_rng([trial.seed, round(100 * accuracy)])
        right = generator.random((JUDGES, len(flags))) < accuracy
        says_wrong = np.where(right, trial.wrong, ~trial.wrong)
        flags = flags & (says_wrong.sum(axis=0) * 2 > JUDGES)
    return trial.capped(flags, trial.scores[SCORE])


def answers(trial: Trial, flags: Labels, action: str) -> pl.DataFrame:
    """Test, with `p_yes` and `is_relevant` of a classifier of the rows without those flagged, or with other labels."""
    labels = np.where(flags, 1 - trial.labels, trial.labels) if action == "relabel" else trial.labels
    weights = 1.0 - flags if action == "drop" else np.ones(len(labels))
    settings = trial.settings.model_copy(update={"folds": CHOICE_FOLDS})
    classifier = fit(trial.examples(labels, weights), settings, trial.seed)
    dev, test = (
        rows.with_columns(p_yes=pl.Series(classifier.predict(features)))
        for rows, features in zip((trial.data.dev, trial.data.test), trial.held_out, strict=True)
    )
    return Calibration(best_threshold(*arrays(dev))).answer(test)


def lines(trials: Sequence[Trial], rule: str) -> Iterator[dict[str, Any]]:
    """Means over seeds of F1 and AP on test, and gains over all rows and over the rule alone, with intervals."""
    tried: list[tuple[str, float | None, str]] = [("none", None, "drop"), (rule, None, "drop")]
    tried += [(rule, accuracy, action) for accuracy in ACCURACIES for action in ACTIONS]
    flags = [[contradicted(trial, *variant[:2]) for variant in tried] for trial in trials]
    given = [
        [
            answers(trial, flagged, variant[2])
            for variant, flagged in zip(progress(tried, desc=f"seed {trial.seed}", unit="variant"), found, strict=True)
        ]
        for trial, found in zip(trials, flags, strict=True)
    ]
    samples = resample_sets(given, resamples=RESAMPLES, seed=0)
    for number, (_, accuracy, action) in enumerate(tried):
        line: dict[str, Any] = {"judges": accuracy, "action": action if number else "nothing"}
        right = [int((trial.wrong & found[number]).sum()) for trial, found in zip(trials, flags, strict=True)]
        line["precision"] = rounded(sum(right) / max(sum(int(found[number].sum()) for found in flags), 1))
        line["recall"] = rounded(sum(right) / sum(int(trial.wrong.sum()) for trial in trials))
        for name, metric in METRICS.items():
            line[name] = rounded(np.mean([of[number].value[RESAMPLED.index(metric)] for of in samples]))
        for text, other in {"gain": 0, "over_rule": 1}.items():
            gains = mean_gain(Comparison([of[other] for of in samples], [of[number] for of in samples]), CONFIDENCE)
            for name, metric in METRICS.items():
                found = gains[metric]
                line[f"{name}_{text}"] = [rounded(value) for value in (found.value, found.low, found.high)]
        yield line


@click.command(help=__doc__)
@click.option("--rows", default=3000, help="of train")
@click.option("--seeds", default=3)
@click.option("--cache", type=click.Path(path_type=Path), default=Path(".cache/encoder"))
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS)
def main(*, rows: int, seeds: int, cache: Path, out: Path) -> None:
    encoder = load_builtin("use_multilingual")
    finished = {tuple(line[key] for key in KEY) for line in read_results(out)}
    for task in ("qc", "qi"):
        units = [dict(zip(KEY, (f"demo, {task}", rule, rows, seeds), strict=True)) for rule in THRESHOLDS]
        units = [unit for unit in units if tuple(unit.values()) not in finished]
        if not units:
            continue
        source = demo(task, rows)
        trials = [Trial.of(source(seed), NOISE, encoder, cache, seed) for seed in range(1, seeds + 1)]
        for unit in units:
            append_all(out, [unit | line for line in lines(trials, unit["rule"])])
            click.echo(f"{unit['data']}, {unit['rule']}: done")


if __name__ == "__main__":
    main()
