"""The head finds a planted rule, like scikit-learn's; an out-of-fold score owes nothing to its own group's labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.linear_model import LogisticRegression

from babelshelf.classifier import features as features_module
from babelshelf.classifier import logistic
from babelshelf.classifier.model import load_classifier
from babelshelf.classifier.params import HeadParams
from babelshelf.classifier.training import Examples, fit, fit_with_folds
from babelshelf.core.errors import InputError

Array = npt.NDArray[Any]
ROWS, WIDTH = 600, 5


def settings(**changes: object) -> HeadParams:
    values: dict[str, object] = {"penalties": [0.01], "folds": 3, "penalty_rows": 100_000}
    return HeadParams.model_validate(values | changes)


def planted(seed: int = 1) -> tuple[Array, Array, Array]:
    """Features of different scales, labels by their first two with some noise, and groups of three rows."""
    random = np.random.default_rng(seed)
    features = (random.normal(size=(ROWS, WIDTH)) * [1, 20, 1, 0.1, 5] + 3).astype(np.float32)
    logits = 2 * (features[:, 0] - 3) - 0.1 * (features[:, 1] - 3) + 1
    labels = (random.random(ROWS) < 1 / (1 + np.exp(-logits))).astype(np.float32)
    return features, labels, np.array([f"g{row // 3}" for row in range(ROWS)])


def log_loss(p_yes: Array, labels: Array) -> float:
    return float(-np.mean(labels * np.log(p_yes) + (1 - labels) * np.log(1 - p_yes)))


def test_it_learns_a_planted_rule() -> None:
    features, labels, groups = planted()
    other, other_labels, _ = planted(2)
    p_yes = fit(Examples(features, labels, groups), settings(), 1).predict(other)
    assert log_loss(p_yes, other_labels) < log_loss(np.full(ROWS, labels.mean()), other_labels) - 0.15


@pytest.mark.parametrize("penalty", [1e-4, 0.01, 1])
def test_it_equals_scikit_learn(penalty: float) -> None:
    features, labels, groups = planted()
    weights = np.random.default_rng(3).random(ROWS)
    own = fit(Examples(features, labels, groups, weights), settings(penalties=[penalty]), 1)
    theirs = LogisticRegression(C=1 / (penalty * weights.sum()), tol=1e-8, max_iter=1000)
    theirs.fit((features - own.mean) / own.scale, labels, weights)
    assert np.allclose(own.weights, [*theirs.coef_[0], *theirs.intercept_], atol=5e-3)


def test_fits_that_do_not_converge_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logistic, "MAX_PASSES", 1)
    with pytest.warns(RuntimeWarning, match="fits of the classifier had not converged after 1 passes"):
        fit(Examples(*planted()), settings(), 1)


def test_all_problems_at_once_equal_each_alone() -> None:
    features, labels, groups = planted()
    together = fit_with_folds(Examples(features, labels, groups), settings(penalties=[0.1, 0.01, 0.001]), 1)
    alone = fit_with_folds(Examples(features, labels, groups), settings(penalties=[together.classifier.penalty]), 1)
    assert set(together.log_loss) == {0.1, 0.01, 0.001}
    assert together.log_loss[together.classifier.penalty] == min(together.log_loss.values())
    assert np.allclose(together.out_of_fold, alone.out_of_fold, atol=1e-4)
    assert together.log_loss[together.classifier.penalty] == pytest.approx(
        log_loss(alone.out_of_fold, labels), abs=1e-4
    )


def test_a_row_s_own_group_does_not_reach_its_out_of_fold_score() -> None:
    features, labels, groups = planted()
    before = fit_with_folds(Examples(features, labels, groups), settings(), 1).out_of_fold
    flipped = labels.copy()
    flipped[:3] = 1 - flipped[:3]  # the rows of one group
    after = fit_with_folds(Examples(features, flipped, groups), settings(), 1).out_of_fold
    assert np.abs(after[:3] - before[:3]).max() < 1e-6 < np.abs(after[3:] - before[3:]).max()


def test_labels_that_are_noise_are_not_learned_out_of_fold() -> None:
    _, labels, groups = planted()
    noise = np.random.default_rng(5).permutation(labels)
    wide = np.random.default_rng(6).normal(size=(ROWS, 300)).astype(np.float32)
    fitted = fit_with_folds(Examples(wide, noise, groups), settings(penalties=[1e-4]), 1)
    assert ((fitted.classifier.predict(wide) > 0.5) == noise).mean() > 0.9
    assert ((fitted.out_of_fold > 0.5) == noise).mean() < 0.6


def test_a_weight_counts_as_copies_of_the_row_and_zero_as_its_absence() -> None:
    features, labels, groups = planted()
    standardized = [(features - features.mean(axis=0)) / features.std(axis=0)]  # else copies move mean and scale
    rows = standardized[0].astype(np.float32)
    kept = np.arange(ROWS) % 5 > 0
    weights = np.where(kept, 2, 0)
    weighted = fit(Examples(rows, labels, groups, weights), settings(), 1)
    copied = fit(Examples(rows[kept], labels[kept], groups[kept]), settings(), 1)
    assert np.allclose(weighted.predict(rows), copied.predict(rows), atol=0.01)


def test_a_soft_label_counts_as_its_share_of_both_labels() -> None:
    features, _, groups = planted()
    soft = 1 / (1 + np.exp(-(features[:, 0] - 3)))
    twice = np.concatenate([features, features])
    both = np.repeat([1.0, 0.0], ROWS)
    hard = fit(Examples(twice, both, np.tile(groups, 2), np.concatenate([soft, 1 - soft])), settings(), 1)
    own = fit(Examples(features, soft, groups), settings(), 1)
    assert np.allclose(own.predict(features), hard.predict(features), atol=1e-4)


def test_blocks_give_the_same_as_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    features, labels, groups = planted()
    whole = fit_with_folds(Examples(features, labels, groups), settings(), 1)
    monkeypatch.setattr(features_module, "BLOCK", 64)
    monkeypatch.setattr(logistic, "IN_MEMORY", 0)
    in_blocks = fit_with_folds(Examples(features, labels, groups), settings(), 1)
    assert np.allclose(in_blocks.out_of_fold, whole.out_of_fold, atol=1e-4)
    assert np.allclose(in_blocks.classifier.predict(features), whole.classifier.predict(features), atol=1e-4)


def test_the_penalty_is_chosen_on_whole_groups_of_a_sample() -> None:
    features, labels, groups = planted()
    examples = Examples(np.tile(features, (4, 1)), np.tile(labels, 4), np.tile(groups, 4))
    chosen = fit_with_folds(examples, settings(penalties=[0.1, 1e-3], penalty_rows=1000), 1)
    assert set(chosen.log_loss) == {0.1, 1e-3}
    assert len(chosen.out_of_fold) == 4 * ROWS


def test_the_same_seed_gives_the_same_bytes_and_another_other_folds(tmp_path: Path) -> None:
    features, labels, groups = planted()
    for name, seed in (("a", 1), ("b", 1)):
        fit(Examples(features, labels, groups), settings(), seed).save(tmp_path / name)
    assert (tmp_path / "a/classifier.npz").read_bytes() == (tmp_path / "b/classifier.npz").read_bytes()
    scores = [fit_with_folds(Examples(features, labels, groups), settings(), seed).out_of_fold for seed in (1, 1, 2)]
    assert np.array_equal(scores[0], scores[1])
    assert not np.array_equal(scores[0], scores[2])


def test_a_saved_classifier_predicts_the_same(tmp_path: Path) -> None:
    features, labels, groups = planted()
    fitted = fit(Examples(features, labels, groups), settings(), 1)
    fitted.save(tmp_path)
    assert np.array_equal(load_classifier(tmp_path).predict(features), fitted.predict(features))
    with pytest.raises(InputError, match="5 features, not 4"):
        fitted.predict(features[:, :4])
    with pytest.raises(InputError, match="run the stage classifier"):
        load_classifier(tmp_path / "none")


def test_rows_that_nothing_can_be_learned_from_are_refused() -> None:
    features, labels, groups = planted()
    with pytest.raises(InputError, match="same label"):
        fit(Examples(features, np.ones(ROWS), groups), settings(), 1)
    with pytest.raises(InputError, match="one query group"):
        fit(Examples(features, labels, np.zeros(ROWS)), settings(), 1)
    with pytest.raises(InputError, match="from 0 to 1"):
        fit(Examples(features, labels * 2, groups), settings(), 1)
    with pytest.raises(InputError, match="weight"):
        fit(Examples(features, labels, groups, -labels), settings(), 1)
