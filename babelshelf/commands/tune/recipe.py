"""Recipes: which data steps a training set is made with, and the choice of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from babelshelf.commands.tune.splits import Split
from babelshelf.commands.tune.task_data import Mask, SearchData
from babelshelf.commands.tune.texts import PairTexts

Scores = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Option:
    """One choice of a step.

    Attributes:
        step: name of the step.
        label: what a table calls it; unique in the step.
        values: what the step needs.
    """

    step: str
    label: str
    values: Mapping[str, Any] = field(hash=False, compare=False)


Recipe = tuple[Option, ...]  # in the order of the steps; (): the original rows as they are
ORIGINAL_ROWS: Recipe = ()


def key(recipe: Recipe) -> tuple[tuple[str, str, str], ...]:
    """What identifies a recipe, for a fingerprint."""
    return tuple((option.step, option.label, repr(sorted(option.values.items()))) for option in recipe)


def describe(recipe: Recipe) -> str:
    """The recipe in words."""
    return "; ".join(f"{option.step}: {option.label}" for option in recipe) or "the original rows"


@dataclass(frozen=True)
class TrainingSet:
    """The rows of a recipe, for all splits at once.

    Attributes:
        rows: `ROW_SCHEMA`.
        masks: whether a split trains on a row, shape (n_rows, n_splits). A derived row is in the splits of its parent,
            or in fewer.
    """

    rows: pl.DataFrame
    masks: Mask

    def with_derived(self, derived: pl.DataFrame, allowed: Mask) -> TrainingSet:
        """Add rows whose `parent_id` is in `rows`.

        Args:
            derived: `ROW_SCHEMA`.
            allowed: in which splits they may be, beside what their parents say; shape (n_derived, n_splits).
        """
        masks = self.masks_of_parents(derived) & allowed
        used = np.logical_or.reduce(masks, axis=1)
        return TrainingSet(
            pl.concat([self.rows, derived.filter(pl.Series(used))]), np.concatenate([self.masks, masks[used]])
        )

    def masks_of_parents(self, derived: pl.DataFrame) -> Mask:
        """Splits of the parents of derived rows, shape (n_derived, n_splits)."""
        places = pl.DataFrame({"parent_id": self.rows["id"], "place": np.arange(self.rows.height)})
        parents = derived.select("parent_id").join(places, on="parent_id", how="left", maintain_order="left")
        masks: Mask = self.masks[parents["place"].to_numpy()]
        return masks

    def with_masks(self, masks: Mask) -> TrainingSet:
        """The same rows in other splits; rows without a split go."""
        used = np.logical_or.reduce(masks, axis=1)
        return replace(self, rows=self.rows.filter(pl.Series(used)), masks=masks[used])


class Tools(Protocol):
    """What a step may use while it makes the rows of a recipe."""

    @property
    def texts(self) -> PairTexts:
        """All texts, with their vectors."""

    @property
    def data(self) -> SearchData:
        """The labelled rows."""

    @property
    def splits(self) -> Sequence[Split]:
        """The splits of the training set's masks."""

    def out_of_fold(self) -> Scores:
        """p(yes) of the rows of the step's training set, by models of the same split that have not seen their group.

        Returns:
            Shape (n_rows, n_splits).
        """


class DataStep(Protocol):
    """A data step; a module of `steps` gives one by `load(context)`, and `ORDER`, its place in the chain.

    `load` raises `StepUnavailableError` where the step can't be tried, with the reason.
    """

    name: str

    def texts(self) -> Sequence[str]:
        """Texts of rows that the step may add."""

    def options(self) -> list[Option]:
        """What to try first."""

    def refinements(self, best: Option) -> list[Option]:
        """What to try once the best of `options` is known."""

    def apply(self, training: TrainingSet, option: Option, tools: Tools) -> TrainingSet:
        """The training set with the step."""

    def params(self, option: Option) -> dict[tuple[str, ...], Any]:
        """The values of the option in params.yaml, by path."""


class StepUnavailableError(Exception):
    """A step can't be tried; the message says why."""
