r"""How well wrong labels are found, and what a classifier gains that is trained without them.

\b
    OMP_NUM_THREADS=1 python -m benchmarks.label_errors --shops pairs.csv
    python -m benchmarks.tables

Labels of train rows are flipped on purpose, so that it is known which are wrong: those of the demo, whose truth is
known, and with `--shops` those of a CSV file of pairs (columns query, candidate, label, language, split), whose own
errors are not known and count as right. The classifier scores its own training rows in several ways, a rule flags rows
by the scores, and a flagged row is dropped, gets the other label, or gets its score as a soft label. A classifier that
is trained on the result is measured on test, whose labels are never flipped; its threshold comes from dev. A seed draws
the demo (of the pairs: the training queries), the flipped labels and the folds.

A set of rows with a kind of noise is a unit of work: its lines are appended to the results at once, and a unit that the
file has is not made again. docs/results.md has the tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import polars as pl
from sklearn.metrics import average_precision_score

from babelshelf.calibrate.thresholds import best_threshold
from babelshelf.classifier.features import PairFeatures, pair_features, training_features
from babelshelf.classifier.logistic import Standardized
from babelshelf.classifier.params import ClassifierParams
from babelshelf.classifier.training import Examples, Fit, fit, fit_with_folds
from babelshelf.core.params import load
from babelshelf.encoder.builtin_encoders import load_builtin
from babelshelf.encoder.encoder import Encoder
from babelshelf.evaluate.bootstrap import resample_sets
from babelshelf.evaluate.metric_names import RESAMPLED
from babelshelf.evaluate.seeds import Comparison, mean_gain
from babelshelf.filter.self_validation import capped
from babelshelf.runtime.screen import progress
from babelshelf.tables.calibration import Calibration
from babelshelf.tables.predictions import Floats, Labels, arrays
from benchmarks.gain import CONFIDENCE
from benchmarks.label_noise import KINDS, OF_PAIRS, LabelledData, Source, demo, shops
from benchmarks.label_rules import RULES, other_label
from benchmarks.proxy_truth.results import append_all, read_results

RESULTS = Path("benchmarks/results/label_errors.jsonl")
PASSES = 3  # of out-of-fold scoring, each with other folds
LEAST = 1e-6  # distance of a probability from 0 and 1
MOST_FLAGGED = 0.3  # of the rows of a class, language and origin
RESAMPLES = 300
CHOICE_FOLDS = 3  # that a classifier's penalty is chosen with
DIGITS = 5
METRICS = {"f1": "f1", "ap": "average_precision"}
KEY = ("data", "noise", "rows", "seeds")
NOTHING, ORACLE = "nothing", "oracle"


@dataclass(frozen=True)
class Variant:
    """A way to clean the labels.

    Attributes:
        score: a key of `scores_of`.
        rule: a key of `RULES`; or `NOTHING`, or `ORACLE`, which flags just what was flipped.
        action: a key of `ACTIONS`.
        rounds: how often the rows are scored and flagged; from the second time on by a classifier of the rows that the
            earlier rounds left.
    """

    score: str = "out_of_fold"
    rule: str = NOTHING
    action: str = "drop"
    rounds: int = 1


Scorer = Callable[[Examples, Fit, ClassifierParams, int], Mapping[str, Floats]]


def scores_of(examples: Examples, first: Fit, settings: ClassifierParams, seed: int) -> dict[str, Floats]:
    """p(yes) of the training rows by each way of scoring them, shape (n_rows,) each; `first` is a fit of them."""
    same_penalty = settings.model_copy(update={"penalties": [first.classifier.penalty]})
    further = [fit_with_folds(examples, same_penalty, seed + 1000 * turn).out_of_fold for turn in range(1, PASSES)]
    in_sample, passes = first.classifier.predict(examples.features), mean_of_logits(first.out_of_fold, *further)
    return {
        "in_sample": in_sample,
        "out_of_fold": first.out_of_fold,
        "passes": passes,
        "in_sample + out_of_fold": mean_of_logits(in_sample, first.out_of_fold),
        "in_sample + passes": mean_of_logits(in_sample, passes),
    }


def mean_of_logits(*scores: Floats) -> Floats:
    """The probability whose logit is the mean of theirs."""
    clipped = np.clip(np.stack(scores), LEAST, 1 - LEAST)
    mean: Floats = 1 / (1 + np.exp(-np.log(clipped / (1 - clipped)).mean(axis=0)))
    return mean


def near(settings: ClassifierParams, penalty: float) -> ClassifierParams:
    """The settings with that penalty and the next smaller and larger one alone, which saves most of the time."""
    penalties = sorted(settings.penalties)
    place = penalties.index(penalty)
    return settings.model_copy(update={"penalties": penalties[max(place - 1, 0) : place + 2]})


OTHER_SCORES = ("in_sample", "in_sample + passes")  # beside out_of_fold, that a classifier is trained for
USUAL = "confidence 0.75"  # that the other scores, actions and the second round are tried with


def variants(noise: str) -> list[Variant]:
    """Those that a classifier is trained for."""
    found = [Variant(), *(Variant(rule=rule) for rule in RULES)]
    found += [Variant(score, USUAL) for score in OTHER_SCORES]
    found += [Variant(rule=USUAL, action=action) for action in ("relabel", "soften")]
    found.append(Variant(rule=USUAL, rounds=2))
    return found if noise == "none" else [*found, Variant(rule=ORACLE)]


@dataclass(frozen=True)
class Trial:
    """Training rows with flipped labels, and how they are scored.

    Attributes:
        data: the rows.
        given: the training rows with the flipped labels, 0.0 or 1.0.
        held_out: features of dev and test.
        wrong: which labels of train are flipped.
        settings, seed: of the classifier; its penalties are the one that was chosen for these rows and those beside it.
        scores: see `scores_of`.
    """

    data: LabelledData
    given: Examples
    held_out: Sequence[PairFeatures]
    wrong: Labels
    settings: ClassifierParams
    seed: int
    scores: Mapping[str, Floats]

    @classmethod
    def of(
        cls, data: LabelledData, noise: str, encoder: Encoder, cache: Path, seed: int, *, scorer: Scorer | None = None
    ) -> Trial:
        """With labels that are flipped as `noise`, a key of `KINDS`, says; `scorer` is `scores_of` by default."""
        train = training_features(data.train, encoder, cache)
        held_out = [pair_features(rows, encoder, cache, train.reference) for rows in (data.dev, data.test)]
        wrong = KINDS[noise].flipped(data, seed)
        right = data.train["label"].to_numpy().astype(np.float64)
        labels = np.where(wrong, 1 - right, right)
        settings = load(ClassifierParams, "classifier", file=Path("profiles/nano.yaml"))
        examples = Examples(train, labels, data.train["group"], standardized=Standardized(train))
        first = fit_with_folds(examples, settings, seed)
        scores = (scorer or scores_of)(examples, first, settings, seed)
        return cls(data, examples, held_out, wrong, near(settings, first.classifier.penalty), seed, scores)

    @property
    def labels(self) -> Floats:
        """Of the training rows, flipped ones included."""
        return np.asarray(self.given.labels)

    def examples(self, labels: Floats, weights: Floats) -> Examples:
        """The training rows with other labels, and 0 as the weight of those that are dropped."""
        return replace(self.given, labels=labels, weights=weights)

    def flags(self, variant: Variant) -> Labels:
        """Which rows a variant drops or changes."""
        if variant.rule in {NOTHING, ORACLE}:
            return self.wrong & (variant.rule == ORACLE)
        flags = self.capped(RULES[variant.rule](self.labels, self.scores[variant.score]), self.scores[variant.score])
        for _ in range(1, variant.rounds):
            examples = self.examples(self.labels, 1.0 - flags)
            p_yes = fit_with_folds(examples, self.settings, self.seed).out_of_fold
            flags = self.capped(RULES[variant.rule](self.labels, p_yes), p_yes)
        return flags

    def capped(self, flags: Labels, p_yes: Floats) -> Labels:
        """At most `MOST_FLAGGED` of the rows of a class, language and origin, as in the pipeline."""
        rows = self.data.train.with_columns(
            label=pl.Series(self.labels).cast(pl.Int8),
            p_yes=pl.Series(p_yes),
            reason=pl.Series(flags).replace_strict({True: "contradicted"}, default=None, return_dtype=pl.String),
        )
        return capped(rows, MOST_FLAGGED)["reason"].is_not_null().to_numpy()

    def answers(self, variant: Variant) -> pl.DataFrame:
        """Test, with `p_yes` and `is_relevant` of a classifier that is trained on what a variant makes of the rows."""
        flags = self.flags(variant)
        changed = {"drop": self.labels, "relabel": 1 - self.labels, "soften": self.scores[variant.score]}
        labels = np.where(flags, changed[variant.action], self.labels)
        weights = 1.0 - flags if variant.action == "drop" else np.ones(len(labels))
        settings = self.settings.model_copy(update={"folds": CHOICE_FOLDS})
        classifier = fit(self.examples(labels, weights), settings, self.seed)
        dev, test = (
            rows.with_columns(p_yes=pl.Series(classifier.predict(features)))
            for rows, features in zip((self.data.dev, self.data.test), self.held_out, strict=True)
        )
        return Calibration(best_threshold(*arrays(dev))).answer(test)


def detection(trials: Sequence[Trial]) -> Iterator[dict[str, Any]]:
    """Of each score and rule, means over seeds: rows flagged, and precision, recall and AP of the flags as errors."""
    for score in trials[0].scores:
        for rule, flagged in RULES.items():
            figures = [
                detected(
                    trial.wrong,
                    flagged(trial.labels, trial.scores[score]),
                    other_label(trial.labels, trial.scores[score]),
                )
                for trial in trials
            ]
            means = {name: rounded(np.mean([of[name] for of in figures])) for name in figures[0]}
            yield {"kind": "detection", "score": score, "rule": rule, **means}


def detected(wrong: Labels, flags: Labels, confidence: Floats) -> dict[str, float]:
    """Share of flagged rows; with wrong labels precision (0 without flags), recall, and AP by confidence."""
    found: dict[str, float] = {"flagged": float(flags.mean())}
    if wrong.any():
        right = float((wrong & flags).sum())
        found |= {"precision": right / max(int(flags.sum()), 1), "recall": right / int(wrong.sum())}
        found["detection_ap"] = float(average_precision_score(wrong, confidence))
    return found


def training(trials: Sequence[Trial], tried: Sequence[Variant]) -> Iterator[dict[str, Any]]:
    """Of each variant, means over seeds of F1 and AP on test, and gains over the rows as they are and over `USUAL`.

    Args:
        trials: one a seed.
        tried: among them `Variant()` and that of `USUAL`, which the others are compared with.
    """
    answers = [
        [trial.answers(variant) for variant in progress(tried, desc=f"seed {trial.seed}", unit="variant")]
        for trial in trials
    ]
    samples = resample_sets(answers, resamples=RESAMPLES, seed=0)
    compared = {"gain": tried.index(Variant()), "over_usual": tried.index(Variant(rule=USUAL))}
    for number, variant in enumerate(tried):
        line: dict[str, Any] = {"kind": "training", **asdict(variant)}
        for name, metric in METRICS.items():
            line[name] = rounded(np.mean([of[number].value[RESAMPLED.index(metric)] for of in samples]))
        for text, other in compared.items():
            gains = mean_gain(Comparison([of[other] for of in samples], [of[number] for of in samples]), CONFIDENCE)
            for name, metric in METRICS.items():
                gain = gains[metric]
                line[f"{name}_{text}"] = [rounded(value) for value in (gain.value, gain.low, gain.high)]
        yield line


def rounded(value: float | np.floating[Any]) -> float:
    """To the digits of the results."""
    return round(float(value), DIGITS)


@click.command(help=__doc__)
@click.option("--shops", "pairs", type=click.Path(path_type=Path, exists=True), help="a CSV file of pairs")
@click.option("--rows", default=3000, help="of train")
@click.option("--seeds", default=3)
@click.option("--encoder", "encoder_name", default="use_multilingual")
@click.option("--cache", type=click.Path(path_type=Path), default=Path(".cache/encoder"))
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS)
def main(*, pairs: Path | None, rows: int, seeds: int, encoder_name: str, cache: Path, out: Path) -> None:
    encoder = load_builtin(encoder_name)
    sources: dict[str, Source] = {f"demo, {task}": demo(task, rows) for task in ("qc", "qi")}
    if pairs is not None:
        sources["shops"] = shops(pairs, rows)
    units = [(data, noise) for noise in KINDS for data in sources if data != "shops" or noise in OF_PAIRS]
    finished = {tuple(line[key] for key in KEY) for line in read_results(out)}
    for data, noise in units:
        unit = dict(zip(KEY, (data, noise, rows, seeds), strict=True))
        if tuple(unit.values()) in finished:
            continue
        trials = [Trial.of(sources[data](seed), noise, encoder, cache, seed) for seed in range(1, seeds + 1)]
        append_all(out, [unit | line for line in [*detection(trials), *training(trials, variants(noise))]])
        click.echo(f"{data}, {noise}: done")


if __name__ == "__main__":
    main()
