"""Nested cross-validation by query group, with languages left out as if they had no labels.

The recipe is chosen on inner folds and judged on the outer fold, whose rows took no part in the choice (Varma and
Simon, "Bias in error estimation when using cross-validation for model selection", BMC Bioinformatics 7:91, 2006; Cawley
and Talbot, JMLR 11:2079-2107, 2010). Each split also leaves a set of languages out of its training rows: its rows in
these languages, and in those that train really lacks, show what a step does where there are no labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from sklearn.model_selection import GroupKFold

from babelshelf.commands.tune.task_data import Mask, SearchData

OUTER, INNER = 4, 3  # folds


@dataclass(frozen=True)
class Split:
    """A training set and rows to measure on.

    Attributes:
        name: unique.
        train: rows to train on, shape (n_rows,).
        test: rows to measure on, shape (n_rows,); no query group is in both.
        absent: languages that `train` lacks.
    """

    name: str
    train: Mask = field(compare=False)
    test: Mask = field(compare=False)
    absent: frozenset[str] = field(compare=False)


@dataclass(frozen=True)
class Scope:
    """Splits that one search chooses on.

    Attributes:
        name: `all`, or that of the outer split that judges the choice.
        splits: the folds of the search.
        judge: the outer split; None: the search on all rows, whose choice is written.
    """

    name: str
    splits: Sequence[Split]
    judge: Split | None


def nested(data: SearchData, sets: Sequence[frozenset[str]], seed: int, outer: int = OUTER) -> list[Scope]:
    """The search on all rows, then one for each outer fold, which sees neither its groups nor its absent languages."""
    everything = np.ones(data.rows.height, np.bool_)
    judges = folds(data, everything, sets, number=outer, seed=seed, name="outer")
    scopes = [Scope("all", judges, None)]
    for judge in judges:
        hidden = judge.absent - set(data.absent)
        rows = ~judge.test & ~data.rows["language"].is_in(list(hidden)).to_numpy()
        others = [one for one in sets if one != hidden]
        scopes.append(
            Scope(judge.name, folds(data, rows, others, number=INNER, seed=seed + 1, name=f"{judge.name} inner"), judge)
        )
    return scopes


def folds(
    data: SearchData, rows: Mask, sets: Sequence[frozenset[str]], *, number: int, seed: int, name: str
) -> list[Split]:
    """Folds over the query groups of some `rows`, each with one of the `sets` of languages left out, in turn."""
    places = np.flatnonzero(rows)
    groups, languages = data.rows["group"].to_numpy()[places], data.rows["language"].to_numpy()
    splits = []
    parts = GroupKFold(number, shuffle=True, random_state=seed).split(places, groups=groups)
    for fold, (_, held_out) in enumerate(parts):
        hidden = sets[fold % len(sets)] if sets else frozenset[str]()
        test = np.zeros(len(rows), np.bool_)
        test[places[held_out]] = True
        train = rows & data.trainable & ~test & ~np.isin(languages, sorted(hidden))
        splits.append(Split(f"{name} {fold}", train, test, hidden | set(data.absent)))
    return splits
