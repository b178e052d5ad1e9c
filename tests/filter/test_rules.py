"""Which labels the rules flag: on rows worked out by hand, and on labels that are flipped with a known truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from babelshelf.classifier.params import HeadParams
from babelshelf.classifier.training import Examples, fit_with_folds
from babelshelf.core.errors import InputError
from babelshelf.core.params import load
from babelshelf.filter.params import RULES, FilterParams
from tests.helpers.profiles import NANO


def flagged(rule: str, rows: pl.DataFrame) -> list[bool]:
    values = {
        "rule": rule,
        "derived": "judge",
        "max_dropped_share": 1.0,
        "dev_languages": [],
        rule: RULES.defaults(rule),
    }
    own = {key: value for key, value in values.items() if value != {}}
    flags = RULES.load(rule).flagged(rows, FilterParams.fitted(own).model_validate(own))
    assert flags.dtype == pl.Boolean
    assert flags.null_count() == 0
    return flags.to_list()


def scored(labels: list[int], p_yes: list[float]) -> pl.DataFrame:
    return pl.DataFrame({"label": pl.Series(labels, dtype=pl.Int8), "p_yes": p_yes})


def test_confidence_is_reached_from_its_value_on() -> None:
    rows = scored([1, 1, 1, 0, 0, 0], [0.25, 0.26, 0.75, 0.75, 0.74, 0.25])
    assert flagged("confidence", rows) == [True, False, False, True, False, False]


def test_confident_learning_takes_the_threshold_of_each_label() -> None:
    """Mean p(yes) of label 1 is 0.65, and mean p(no) of label 0 is 0.75: no less counts for "yes" and for "no"."""
    labels, p_yes = [1, 1, 1, 1, 0, 0, 0, 0], [0.9, 0.9, 0.6, 0.2, 0.7, 0.1, 0.1, 0.1]
    assert np.flatnonzero(flagged("confident_learning", scored(labels, p_yes))).tolist() == [3, 4]
    assert not any(flagged("confident_learning", scored(labels, [0.9, 0.9, 0.5, 0.26, 0.63, 0.1, 0.1, 0.1])))
    # thresholds 0.40 for "yes" and 0.425 for "no": rows 1 and 3 reach both, and the more probable label counts
    assert all(flagged("confident_learning", scored([1, 1, 0, 0], [0.45, 0.35, 0.55, 0.60])))


@pytest.mark.parametrize("label", [0, 1])
def test_confident_learning_flags_nothing_where_all_labels_are_the_same(label: int) -> None:
    assert flagged("confident_learning", scored([label] * 3, [0.9, 0.5, 0.1])) == [False] * 3


@pytest.mark.parametrize("rule", ["confidence", "confident_learning"])
@pytest.mark.parametrize("positives", [0.5, 0.2])
def test_flipped_labels_are_found(rule: str, positives: float) -> None:
    """10 % of the labels of 600 rows, by the classifier's out-of-fold scores; the classes overlap a little."""
    rng = np.random.default_rng(1)
    truth = rng.random(600) < positives
    features = rng.normal(size=(600, 5)).astype(np.float32)
    features[:, 0] += np.where(truth, 2.5, -2.5)
    wrong = rng.permutation(600) < 60
    labels = (truth ^ wrong).astype(np.int8)
    settings = HeadParams(penalties=[0.01, 0.1], folds=5, penalty_rows=1000)
    p_yes = fit_with_folds(Examples(features, labels, np.arange(600)), settings, 1).out_of_fold
    flags = np.array(flagged(rule, scored(labels.tolist(), p_yes.tolist())))
    assert (flags & wrong).sum() / wrong.sum() >= 0.6
    assert (flags & wrong).sum() / flags.sum() >= 0.8


def test_a_rule_without_its_section_is_told_with_the_section(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(
        "tasks: {qc: {filter: {rule: confidence, derived: drop, max_dropped_share: 0.3, dev_languages: []}}}"
    )
    with pytest.raises(InputError, match=r"tasks.qc.filter.confidence: missing section.*\n(.*\n)*.*at_least: 0.75"):
        load(FilterParams, "filter", "qc", file)
    file.write_text("tasks: {qc: {filter: {rule: guess, derived: drop, max_dropped_share: 0.3, dev_languages: []}}}")
    with pytest.raises(InputError, match=r"(?s)no rule 'guess'; there are.*confidence"):
        load(FilterParams, "filter", "qc", file)


def test_the_rule_of_the_profile_is_valid() -> None:
    for task in ("qc", "qi"):
        assert load(FilterParams, "filter", task, NANO).rule in RULES.names()
