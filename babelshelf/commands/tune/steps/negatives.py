"""Hard negatives: the window of ranks, from the nearest candidates to the whole catalogue, their share, and guards."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from babelshelf.commands.tune.context import Context
from babelshelf.commands.tune.recipe import Option, StepUnavailableError, Tools, TrainingSet
from babelshelf.commands.tune.task_data import Mask
from babelshelf.commands.tune.texts import PairTexts
from babelshelf.core.rows import path_share
from babelshelf.encoder.encoder import FloatArray
from babelshelf.mine_negatives.mining import candidate_pool, draw_negatives, find_anchors, target_negatives
from babelshelf.mine_negatives.params import MineNegativesParams

ORDER = 20
NAME = "negatives"
EDGES = (1, 5, 20, 50, 200, 1000)  # of windows of ranks, on a log scale; the last window ends with the catalogue
SHARES = (0.9, 0.75, 0.6)  # of the positive share of the rows: what negatives bring it down to
WIDTH = 48  # ranks of a window that are drawn from: a random part of a wide one, which leaves the draw uniform
SURPLUS = 1.6  # negatives that are mined for one that a split needs
STREAM = 21  # this module's own stream of random numbers among those of the pipeline's seed
NEAREST = 1000  # ranks that are sorted; all beyond are one window
SEARCH_BLOCK = 512  # candidates whose neighbours are ranked at once

Window = tuple[int, int]
IntArray = npt.NDArray[np.int64]


class Negatives:
    """Mined negatives, by the functions of the stage.

    Args:
        context: what the step is made from.
        settings: the params of the stage, for what is not searched.
    """

    name = NAME

    def __init__(self, context: Context, settings: MineNegativesParams) -> None:
        self._settings, self._seed, self._data = settings, context.seed, context.data
        self._pool = candidate_pool(context.data.candidates)
        self._others = round(context.data.rank_scale * (len(context.data.candidates) - 1))
        self._drawn: dict[Window, IntArray] = {}

    def texts(self) -> Sequence[str]:
        """The candidates."""
        return self._data.candidates

    def windows(self) -> list[Window]:
        """Windows of ranks, near to far, and the one of the params."""
        edges = [edge for edge in EDGES if edge < self._others]
        windows = {*pairwise([*edges, self._others]), self._settings.rank_window}
        return [
            (first, min(last, self._others))
            for first, last in sorted(windows)
            if first < self._others and self.sampled_ranks((first, last))[0] < self.sampled_ranks((first, last))[1]
        ]

    def sampled_ranks(self, window: Window) -> Window:
        """The ranks of a window among the step's candidates, which may be a sample of the catalogue."""
        first, last = (int(rank / self._data.rank_scale) for rank in window)
        return first, min(last, len(self._data.candidates) - 1)

    def options(self) -> list[Option]:
        """Each window with each share."""
        share = self._data.positive_share
        lowest = math.ceil(100 * share / (1 + share)) / 100  # a positive row has one negative at most
        shares = sorted({max(round(factor * share, 2), lowest) for factor in SHARES}, reverse=True)
        guards = list(self._settings.guards)
        return [_option(window, share, guards) for window in self.windows() for share in shares]

    def refinements(self, best: Option) -> list[Option]:
        """The best window and share with other guards."""
        guards = best.values["guards"]
        tried = [["known_positive"], ["known_positive", "equal_text"]]
        if path_share(self._data.rows) > 0.5:
            tried.append(["known_positive", "related_category", "equal_text"])
        return [
            _option(best.values["window"], best.values["share"], other) for other in tried if set(other) != set(guards)
        ]

    def apply(self, training: TrainingSet, option: Option, tools: Tools) -> TrainingSet:
        """Add negatives; no split gets a candidate that only rows out of its training set have."""
        window = option.values["window"]
        anchors = find_anchors(training.rows, self._pool, ["original", "translated"])
        drawn = self.neighbours(window, tools.texts)[anchors["number"].to_numpy()]
        share = option.values["share"]
        settings = self._settings.model_copy(
            update={
                "rank_window": window,
                "positive_share": _lower_share(training.rows, share),
                "guards": option.values["guards"],
            }
        )
        mined = draw_negatives(training.rows, self._pool, anchors, drawn, settings=settings, seed=self._seed).rows
        mined = mined.sample(fraction=1, shuffle=True, seed=self._seed)  # the first ones of a split are chosen
        possible = training.masks_of_parents(mined) & self._known(mined, tools)
        for number, mask in enumerate(training.masks.T):
            target = target_negatives(training.rows.filter(pl.Series(mask)), share)
            possible[:, number] &= _first(mined["language"], possible[:, number], target)
        return training.with_derived(mined, possible)

    def _known(self, mined: pl.DataFrame, tools: Tools) -> Mask:
        """Whether a candidate is one of a split's training rows, or of no labelled row; shape (n_mined, n_splits)."""
        rows = tools.data.rows
        unlabelled = ~mined["candidate"].is_in(rows["candidate"].unique().implode()).to_numpy()
        known = [
            unlabelled | mined["candidate"].is_in(rows.filter(pl.Series(split.train))["candidate"].implode()).to_numpy()
            for split in tools.splits
        ]
        return np.stack(known, axis=1)

    def neighbours(self, window: Window, texts: PairTexts) -> IntArray:
        """Numbers of candidates in a window of each positive candidate, shape (n_candidates, width)."""
        if not self._drawn:
            sampled = sorted({self.sampled_ranks(one) for one in self.windows()})
            positive = self._data.rows.filter(pl.Series(self._data.trainable), label=1)["candidate"].unique()
            anchors = self._pool.filter(pl.col("candidate").is_in(positive.implode()))["number"].to_numpy()
            vectors = texts.embedded.vectors[texts.embedded.numbers(self._pool["candidate"])]
            self._drawn = _neighbours(vectors, anchors, sampled, self._seed)
        return self._drawn[self.sampled_ranks(window)]

    def params(self, option: Option) -> dict[tuple[str, ...], Any]:
        """Window, share and guards."""
        section, values = ("tasks", self._data.task, "mine_negatives"), option.values
        return {
            (*section, "rank_window"): list(values["window"]),
            (*section, "positive_share"): values["share"],
            (*section, "guards"): list(values["guards"]),
        }


def load(context: Context) -> Negatives:
    """The step.

    Raises:
        StepUnavailableError: there are too few candidates.
    """
    settings = context.section(MineNegativesParams, "mine_negatives")
    if len(context.data.candidates) < 2 * EDGES[1]:
        raise StepUnavailableError(f"only {len(context.data.candidates)} different candidates")
    return Negatives(context, settings)


def _lower_share(rows: pl.DataFrame, share: float) -> float:
    """A share for which `SURPLUS` times as many negatives are mined, as no split can have all of them."""
    before = float(rows["label"].mean())  # type: ignore[arg-type]
    return min(share, 1 / (1 / before + SURPLUS * max(1 / share - 1 / before, 0)))


def _first(languages: pl.Series, possible: Mask, target: Mapping[str, int]) -> Mask:
    """The first possible rows of each language, up to its target, shape (n_rows,)."""
    limits = languages.replace_strict(dict(target), default=0, return_dtype=pl.Int64)
    table = pl.DataFrame({"language": languages, "possible": possible, "limit": limits})
    chosen = table.select(pl.col("possible").cum_sum().over("language") <= pl.col("limit")).to_series()
    mask: Mask = chosen.to_numpy()
    return mask


def _option(window: Window, share: float, guards: Sequence[str]) -> Option:
    label = f"ranks {window[0]} to {window[1]:,}, share {share:g}, guards {'+'.join(guards) or 'none'}"
    return Option(NAME, label, {"window": window, "share": share, "guards": list(guards)})


def _neighbours(
    vectors: FloatArray, anchors: IntArray, windows: Collection[Window], seed: int
) -> dict[Window, IntArray]:
    """Candidates of each window of some anchors: all of a narrow window, `WIDTH` random ones of a wide one.

    Ranks count the other candidates by cosine, as in `mine_negatives.mining.rank_windows`. Ranks from `NEAREST` on are
    not sorted, as only one window begins there.

    Args:
        vectors: of all candidates, shape (n_candidates, dimension).
        anchors: numbers of candidates.
        windows: of ranks.
        seed: of the random ranks.

    Returns:
        By window, shape (n_candidates, width); rows of other candidates than the anchors are 0.
    """
    rng = np.random.default_rng([seed, STREAM])
    others = len(vectors) - 1
    top = min(max(NEAREST, *(last for _, last in windows if last < others), 1), others)
    result = {(first, last): np.zeros((len(vectors), min(WIDTH, last - first)), np.int64) for first, last in windows}
    for start in range(0, len(anchors), SEARCH_BLOCK):
        own = anchors[start : start + SEARCH_BLOCK]
        ranked = _ranked(vectors[own] @ vectors.T, own, top)
        for (first, last), found in result.items():
            wide = last - first > WIDTH
            ranks = rng.integers(first, last, (len(own), WIDTH)) if wide else np.arange(first, last)[None]
            found[own] = np.take_along_axis(ranked, ranks, axis=1)
    return result


def _ranked(cosines: npt.NDArray[np.float32], own: IntArray, top: int) -> IntArray:
    """All other candidates of each row: the `top` nearest in order, then the others in any order."""
    cosines[np.arange(len(own)), own] = np.inf
    if top < cosines.shape[1] - 1:
        order = np.argpartition(-cosines, top, axis=1)
        nearest = np.take_along_axis(cosines, order[:, : top + 1], axis=1)
        by_cosine = np.argsort(-nearest, axis=1, kind="stable")
        order[:, : top + 1] = np.take_along_axis(order[:, : top + 1], by_cosine, axis=1)
    else:
        order = np.argsort(-cosines, axis=1, kind="stable")
    return order[:, 1:]
