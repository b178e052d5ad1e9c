"""Mine semantic hard negatives: a candidate that is close to a positive, but not among the closest, gets label 0.

The method is that of "A Data-Centric Approach to Multilingual E-Commerce Product Search", section 3.2.2: embed the
positive candidate, rank all other unique candidates by similarity to it, and sample one from a window of ranks. The
closest candidates are often relevant too, and distant ones are too easy. Guards drop draws that may still be relevant.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from babelshelf.core.errors import InputError
from babelshelf.core.rows import ROW_SCHEMA
from babelshelf.encoder.encoder import FloatArray
from babelshelf.mine_negatives.guards import forbidden, known_pairs
from babelshelf.mine_negatives.vector_index import IntArray, check_index, nearest
from babelshelf.tables.truth import Truth, relevant

if TYPE_CHECKING:
    from babelshelf.mine_negatives.params import MineNegativesParams

EXAMPLES = 50  # dropped draws of each guard in dropped.parquet

STREAM = 4  # this module's own stream of random numbers among those of the pipeline's seed


@dataclass(frozen=True)
class MiningResult:
    """Mined negatives.

    Attributes:
        rows: the new rows, `ROW_SCHEMA`, with id `<parent>/neg` and origin `negative`, in the order of their parents.
        dropped: a random sample of up to `EXAMPLES` dropped draws of each guard: columns `reason` (the guard),
            `language`, `query`, `positive` (the anchor's candidate) and `candidate` (the dropped one).
        counts: numbers of negatives and of dropped draws, the metrics of the stage.
    """

    rows: pl.DataFrame
    dropped: pl.DataFrame
    counts: dict[str, Any]


def mine(
    rows: pl.DataFrame,
    candidates: Sequence[str],
    embed: Callable[[Sequence[str], str], FloatArray],
    settings: MineNegativesParams,
    seed: int,
) -> MiningResult:
    """Mine as many negatives for each language as bring its positive share down to the target.

    An anchor is a positive row. It gets at most one negative, with the anchor's query, language and group. If a
    language needs fewer negatives than it has anchors, the anchors are drawn uniformly.

    Args:
        rows: the training set, `ROW_SCHEMA`.
        candidates: unique texts to mine from, including the candidates of all anchors. Candidates that occur only in
            dev or test must not be included, as the model would learn label 0 for them.
        embed: maps texts and the prompt before each of them to unit vectors, shape (n, dimension). It is called once
            for the candidates, without a prompt, and, if there is a `query_prompt`, once for the anchors' candidates.
        settings: the window of ranks, the target share and the guards.
        seed: the pipeline's seed.

    Raises:
        InputError: an anchor's candidate is not among the candidates, or the window starts beyond the last candidate.
    """
    check_window(settings.rank_window, len(candidates))
    check_index(settings, len(candidates))
    pool = candidate_pool(candidates)
    anchors = find_anchors(rows, pool, settings.origins)
    windows = rank_windows(candidates, anchors["number"].to_numpy(), embed, settings, seed)
    return draw_negatives(rows, pool, anchors, windows, settings=settings, seed=seed)


def draw_negatives(
    rows: pl.DataFrame,
    pool: pl.DataFrame,
    anchors: pl.DataFrame,
    windows: IntArray,
    *,
    settings: MineNegativesParams,
    seed: int,
) -> MiningResult:
    """The second half of `mine`: draw from windows of ranks that are already there.

    Args:
        rows: the training set, `ROW_SCHEMA`.
        pool: of `candidate_pool`.
        anchors: of `find_anchors`.
        windows: numbers of candidates, shape (n_anchors, width); a random part of each window will do, as draws are
            uniform.
        settings: the target share and the guards.
        seed: the pipeline's seed.
    """
    rng = np.random.default_rng([seed, STREAM])
    guards = forbidden(settings.guards, rows, pool)
    drawn, dropped = _draw(windows, anchors, guards | {"known_pair": known_pairs(rows, pool)}, rng)
    examples = _examples(dropped, anchors, pool, np.random.default_rng([seed, STREAM, 1]))
    mined = anchors.with_columns(number=drawn).filter(drawn >= 0)
    distinct = mined.unique(["query", "number"], keep="first", maintain_order=True)
    target = target_negatives(rows, settings.positive_share)
    chosen = _choose(distinct, target, rng)
    counts = {
        "candidates": pool.height,
        "rank_window": [settings.rank_window[0], settings.rank_window[0] + windows.shape[1]],
        "anchors": anchors.height,
        "anchors_without_negative": anchors.height - mined.height,
        "dropped_draws": {guard: table.height for guard, table in dropped.items()},
        "same_pair_twice": mined.height - distinct.height,
        **_by_language(chosen, target),
    }
    return MiningResult(_negative_rows(chosen, pool), examples, counts)


def _by_language(negatives: pl.DataFrame, target: dict[str, int]) -> dict[str, dict[str, int]]:
    """Numbers of negatives by language: `target`, `mined` and `missing`."""
    mined = {language: negatives.filter(pl.col("language") == language).height for language in target}
    missing = {language: number - mined[language] for language, number in target.items()}
    return {"target": target, "mined": mined, "missing": missing}


def check_window(window: tuple[int, int], candidates: int) -> None:
    """Raise InputError if the window of ranks starts beyond the last candidate."""
    if window[0] >= candidates - 1:
        raise InputError(
            f"the rank window starts at {window[0]}, but there are only {max(candidates - 1, 0)} other candidates: "
            "lower tasks.<task>.mine_negatives.rank_window"
        )


def rank_windows(
    candidates: Sequence[str],
    positives: IntArray,
    embed: Callable[[Sequence[str], str], FloatArray],
    settings: MineNegativesParams,
    seed: int,
) -> IntArray:
    """Candidates in the window of ranks of each positive.

    Ranks count the unique candidates other than the positive, from 0; the window is [first, last).

    Args:
        candidates: unique texts.
        positives: number of each anchor's candidate, shape (n_anchors,).
        embed: see `mine`.
        settings: the window, and the index for the search.
        seed: seed of an approximate index.

    Returns:
        Numbers of candidates, nearest first, shape (n_anchors, width). The width is `last - first`, or less if there
        are too few candidates.
    """
    first, last = settings.rank_window
    unique, position = np.unique(positives, return_inverse=True)
    vectors = embed(candidates, "")
    queries, rows = vectors, unique
    if settings.query_prompt:
        queries = embed([candidates[number] for number in unique], settings.query_prompt)
        rows = np.arange(len(unique))
    neighbours = nearest(queries, rows, vectors, min(last + 1, len(vectors)), settings=settings, seed=seed)
    others = neighbours != unique[:, None]
    others[others.all(axis=1), -1] = False  # the positive is not among them: too many equal vectors, or missed
    ranked = neighbours[others].reshape(len(unique), neighbours.shape[1] - 1)
    windows: IntArray = ranked[position, first:last]
    return windows


def target_negatives(rows: pl.DataFrame, positive_share: float) -> dict[str, int]:
    """Number of negatives that bring each language's share of label 1 down to the target; 0 if it is already there."""
    counts = (
        rows.filter(pl.col("label").is_not_null())
        .group_by("language")
        .agg(pl.len().alias("rows"), pl.col("label").sum().cast(pl.Int64).alias("positive"))
        .sort("language")
    )
    return {  # rounded, as 21 / 0.7 is slightly more than 30 in floating point
        language: max(math.ceil(round(positive / positive_share, 6)) - total, 0)
        for language, total, positive in counts.iter_rows()
    }


def false_negatives(negatives: pl.DataFrame, truth: Truth) -> dict[str, float]:
    """Number and share of the negatives that are relevant by the ground truth; empty without ground truth."""
    judged = relevant(negatives, truth).drop_nulls()
    false = int(judged.sum())
    return {"judged": judged.len(), "false": false, "share": false / judged.len()} if judged.len() else {}


def candidate_pool(candidates: Sequence[str]) -> pl.DataFrame:
    """Columns `candidate` and `number`, its place."""
    schema = {"candidate": pl.String, "number": pl.Int64}
    return pl.DataFrame({"candidate": list(candidates), "number": list(range(len(candidates)))}, schema=schema)


def find_anchors(rows: pl.DataFrame, pool: pl.DataFrame, origins: Sequence[str]) -> pl.DataFrame:
    """The positive rows of the given origins, in order, with the `number` of their candidate.

    Raises:
        InputError: there is none, or a candidate is not in the pool.
    """
    positive = rows.filter(pl.col("label") == 1, pl.col("origin").is_in(origins))
    anchors = positive.join(pool, on="candidate", how="left", maintain_order="left")
    if anchors.is_empty():
        raise InputError(f"no positive row of the origins {', '.join(origins)}: correct mine_negatives.origins")
    unknown = anchors.filter(pl.col("number").is_null())
    if unknown.height:
        raise InputError(
            f"row {unknown['id'][0]!r}: its candidate {unknown['candidate'][0]!r} is not among the training candidates "
            f"of the catalogue ({unknown.height} such rows): run `dvc repro prepare`, so that both come from one input"
        )
    return anchors


def _draw(
    windows: IntArray, anchors: pl.DataFrame, forbidden_pairs: Mapping[str, pl.DataFrame], rng: np.random.Generator
) -> tuple[pl.Series, dict[str, pl.DataFrame]]:
    """Draw from each anchor's window until a candidate passes all guards.

    Args:
        windows: numbers of candidates, shape (n_anchors, width).
        anchors: the rows that the windows belong to.
        forbidden_pairs: by guard, columns `group` or `query`, and `number`.
        rng: shuffles each window, so that all allowed candidates are equally likely.

    Returns:
        Each anchor's candidate, -1 if its whole window is forbidden; and by guard the dropped draws, columns `anchor`
        (index of the row in `anchors`) and `number`. A draw counts for the first guard that forbids it.
    """
    draws = rng.permuted(windows, axis=1)
    hits = {guard: _in_pairs(draws, anchors, pairs) for guard, pairs in forbidden_pairs.items()}
    allowed = ~np.logical_or.reduce(list(hits.values()))
    has_allowed, first_allowed = allowed.any(axis=1), allowed.argmax(axis=1)
    drawn = np.where(has_allowed, draws[np.arange(len(draws)), first_allowed], -1)
    skipped = np.arange(draws.shape[1]) < np.where(has_allowed, first_allowed, draws.shape[1])[:, None]
    dropped = {}
    for guard, hit in hits.items():
        anchor, position = np.nonzero(hit & skipped)
        dropped[guard] = pl.DataFrame({"anchor": anchor, "number": draws[anchor, position]})
        skipped &= ~hit
    return pl.Series(drawn, dtype=pl.Int64), dropped


def _examples(
    dropped: Mapping[str, pl.DataFrame], anchors: pl.DataFrame, pool: pl.DataFrame, rng: np.random.Generator
) -> pl.DataFrame:
    """The table `MiningResult.dropped`."""
    queries = anchors.select("language", "query", positive="candidate").with_row_index("anchor")
    parts = []
    for guard, draws in dropped.items():
        sample = draws[np.sort(rng.permutation(draws.height)[:EXAMPLES])]
        parts.append(sample.cast({"anchor": pl.UInt32, "number": pl.Int64}).with_columns(reason=pl.lit(guard)))
    joined = (
        pl.concat(parts)
        .join(queries, on="anchor", maintain_order="left")
        .join(pool, on="number", maintain_order="left")
    )
    return joined.select("reason", "language", "query", "positive", "candidate")


def _in_pairs(draws: IntArray, anchors: pl.DataFrame, pairs: pl.DataFrame) -> npt.NDArray[np.bool_]:
    """Whether (an anchor's key, a draw) is one of the pairs, shape of `draws`; the key is the pairs' first column."""
    key = pairs.columns[0]
    codes = (
        anchors.select(pl.col(key).unique().sort()).with_row_index("code").with_columns(pl.col("code").cast(pl.Int64))
    )
    code_of_anchor = anchors.join(codes, on=key, how="left", maintain_order="left")["code"].to_numpy()
    coded = pairs.join(codes, on=key)
    size = 1 + max(draws.max(), coded["number"].to_numpy().max(initial=0))
    codes_of_draws = pl.Series((code_of_anchor[:, None] * size + draws).ravel())
    hits = codes_of_draws.is_in((coded["code"] * size + coded["number"]).implode())  # a hash join: np.isin sorts
    return hits.to_numpy().reshape(draws.shape)


def _choose(negatives: pl.DataFrame, target: Mapping[str, int], rng: np.random.Generator) -> pl.DataFrame:
    """The target number of negatives of each language, drawn uniformly, in their order."""
    turn = pl.col("turn").rank("ordinal").over("language")
    limit = pl.col("language").replace_strict(dict(target), return_dtype=pl.Int64)
    return negatives.with_columns(turn=rng.permutation(negatives.height)).filter(turn <= limit)


def _negative_rows(anchors: pl.DataFrame, pool: pl.DataFrame) -> pl.DataFrame:
    with_negative = anchors.drop("candidate").join(pool, on="number", how="left", maintain_order="left")
    return with_negative.with_columns(
        id=pl.col("id") + "/neg", parent_id=pl.col("id"), origin=pl.lit("negative"), label=pl.lit(0, dtype=pl.Int8)
    ).select(ROW_SCHEMA.names())
