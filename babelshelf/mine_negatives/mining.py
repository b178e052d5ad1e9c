"""Mine semantic hard negatives: a candidate that is close to a positive, but not the closest, gets label 0.

The method of "A Data-Centric Approach to Multilingual E-Commerce Product Search", section 3.2.2: embed the positive
candidate, rank all other unique candidates by similarity to it, and sample one of a window of ranks. The closest ones
are often right answers under another name, the far ones teach nothing. The guards refuse what the window lets through.
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
from babelshelf.mine_negatives.guards import forbidden, known_pairs
from babelshelf.mine_negatives.vector_index import FloatArray, IntArray, check_index, nearest
from babelshelf.tables.truth import Truth, relevant

if TYPE_CHECKING:
    from babelshelf.mine_negatives.params import MineNegativesParams

EXAMPLES = 50  # of each guard's refusals that are written, for a person to read

STREAM = 4  # this module's own stream of random numbers among those of the pipeline's seed


@dataclass(frozen=True)
class Mined:
    """What `mine` gives.

    Attributes:
        rows: the new rows, `tables.ROW_SCHEMA`.
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
) -> Mined:
    """Give each language as many negatives as bring its positive share down to the target.

    An anchor is a positive row; it gets at most one negative, which has its query, language and group. Where a
    language needs fewer negatives than it has anchors, the anchors are drawn evenly.

    Args:
        rows: the training set, `tables.ROW_SCHEMA`.
        candidates: unique texts that may be mined, the candidates of all anchors among them. A candidate of dev or
            test alone must not be here: the model would know it by label 0.
        embed: unit vectors, shape (n, dimension), of texts and the prompt that stands before each; called once for the
            candidates, with no prompt, and once for the anchors' candidates where there is a `query_prompt`.
        settings: the window, the target, the guards.
        seed: of all that is drawn.

    Returns:
        Rows with id `<parent>/neg` and origin `negative`, in the order of their parents.

    Raises:
        InputError: an anchor's candidate is not among the candidates, or the window starts beyond the last of them.
    """
    check_window(settings.rank_window, len(candidates))
    check_index(settings, len(candidates))
    pool = _pool(candidates)
    anchors = _anchors(rows, pool, settings.origins)
    windows = rank_windows(candidates, anchors["number"].to_numpy(), embed, settings, seed)
    rng = np.random.default_rng([seed, STREAM])
    guards = forbidden(settings.guards, rows, pool)
    drawn, dropped = _draw(windows, anchors, guards | {"known_pair": known_pairs(rows, pool)}, rng)
    examples = _examples(dropped, anchors, pool, np.random.default_rng([seed, STREAM, 1]))
    found = anchors.with_columns(number=drawn).filter(drawn >= 0)
    distinct = found.unique(["query", "number"], keep="first", maintain_order=True)
    wanted = wanted_negatives(rows, settings.positive_share)
    kept = _share_out(distinct, wanted, rng)
    counts = {
        "candidates": len(candidates),
        "rank_window": [settings.rank_window[0], settings.rank_window[0] + windows.shape[1]],
        "anchors": anchors.height,
        "anchors_without_negative": anchors.height - found.height,
        "dropped_draws": {guard: table.height for guard, table in dropped.items()},
        "same_pair_twice": found.height - distinct.height,
        **_by_language(kept, wanted),
    }
    return Mined(_negative_rows(kept, pool), examples, counts)


def _by_language(kept: pl.DataFrame, wanted: dict[str, int]) -> dict[str, dict[str, int]]:
    """Numbers of negatives by language: `target`, `mined` and `missing`."""
    made = {language: kept.filter(pl.col("language") == language).height for language in wanted}
    missing = {language: number - made[language] for language, number in wanted.items()}
    return {"target": wanted, "mined": made, "missing": missing}


def check_window(window: tuple[int, int], candidates: int) -> None:
    """Raise InputError if the window of ranks starts beyond the last of the other candidates."""
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
    """Candidates in the window of ranks around each positive.

    Ranks count unique candidates from 0, the positive itself left out; the window is [first, last).

    Args:
        candidates: unique texts.
        positives: number of each anchor's candidate, shape (n_anchors,).
        embed: see `mine`.
        settings: the window, and how neighbours are searched.
        seed: of an approximate index.

    Returns:
        Numbers of candidates, nearest first, shape (n_anchors, width); narrower than `last - first` where there are
        too few candidates.
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
    others[others.all(axis=1), -1] = False  # the positive itself is not among them: so many equals, or missed
    ranked = neighbours[others].reshape(len(unique), neighbours.shape[1] - 1)
    windows: IntArray = ranked[position, first:last]
    return windows


def wanted_negatives(rows: pl.DataFrame, positive_share: float) -> dict[str, int]:
    """How many negatives bring each language's share of label 1 down to the target; 0 where it is there already."""
    counts = (
        rows.filter(pl.col("label").is_not_null())
        .group_by("language")
        .agg(pl.len().alias("rows"), pl.col("label").sum().cast(pl.Int64).alias("positive"))
        .sort("language")
    )
    return {  # rounded: 21 / 0.7 is a little more than 30
        language: max(math.ceil(round(positive / positive_share, 6)) - total, 0)
        for language, total, positive in counts.iter_rows()
    }


def false_negatives(negatives: pl.DataFrame, truth: Truth) -> dict[str, float]:
    """How many negatives are relevant in truth, among those that it can judge; empty where it can judge none."""
    judged = relevant(negatives, truth).drop_nulls()
    false = int(judged.sum())
    return {"judged": judged.len(), "false": false, "share": false / judged.len()} if judged.len() else {}


def _pool(candidates: Sequence[str]) -> pl.DataFrame:
    schema = {"candidate": pl.String, "number": pl.Int64}
    return pl.DataFrame({"candidate": list(candidates), "number": list(range(len(candidates)))}, schema=schema)


def _anchors(rows: pl.DataFrame, pool: pl.DataFrame, origins: Sequence[str]) -> pl.DataFrame:
    """The positive rows of the origins, in their order, with the `number` of their candidate."""
    positive = rows.filter(pl.col("label") == 1, pl.col("origin").is_in(origins))
    anchors = positive.join(pool, on="candidate", how="left", maintain_order="left")
    if anchors.is_empty():
        raise InputError(f"no positive row of the origins {', '.join(origins)}: correct mine_negatives.origins")
    unknown = anchors.filter(pl.col("number").is_null())
    if unknown.height:
        raise InputError(
            f"row {unknown['id'][0]!r}: its candidate {unknown['candidate'][0]!r} is no training candidate of the "
            f"catalogue ({unknown.height} such rows): run `dvc repro prepare`, so that both are of one input"
        )
    return anchors


def _draw(
    windows: IntArray, anchors: pl.DataFrame, refusals: Mapping[str, pl.DataFrame], rng: np.random.Generator
) -> tuple[pl.Series, dict[str, pl.DataFrame]]:
    """Draw from each anchor's window until a candidate is not refused.

    Args:
        windows: numbers of candidates, shape (n_anchors, width).
        anchors: the rows that the windows belong to.
        refusals: tables of pairs, columns `group` or `query`, and `number`.
        rng: gives the order of the draws, so that all that is not refused is equally likely.

    Returns:
        An anchor's candidate, -1 where its whole window is refused; and the draws that each table refused, a draw
        belonging to the first that refuses it: columns `anchor` (index of the row in `anchors`) and `number`.
    """
    draws = rng.permuted(windows, axis=1)
    refused = {name: _in_pairs(draws, anchors, pairs) for name, pairs in refusals.items()}
    allowed = ~np.logical_or.reduce(list(refused.values()))
    some, turn = allowed.any(axis=1), allowed.argmax(axis=1)
    found = np.where(some, draws[np.arange(len(draws)), turn], -1)
    before = np.arange(draws.shape[1]) < np.where(some, turn, draws.shape[1])[:, None]
    first = {}
    for name, hit in refused.items():
        anchor, turn_of = np.nonzero(hit & before)
        first[name] = pl.DataFrame({"anchor": anchor, "number": draws[anchor, turn_of]})
        before &= ~hit
    return pl.Series(found, dtype=pl.Int64), first


def _examples(
    refused: Mapping[str, pl.DataFrame], anchors: pl.DataFrame, pool: pl.DataFrame, rng: np.random.Generator
) -> pl.DataFrame:
    """The table `Mined.dropped`."""
    queries = anchors.select("language", "query", positive="candidate").with_row_index("anchor")
    parts = []
    for guard, draws in refused.items():
        some = draws[np.sort(rng.permutation(draws.height)[:EXAMPLES])]
        parts.append(some.cast({"anchor": pl.UInt32, "number": pl.Int64}).with_columns(reason=pl.lit(guard)))
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
    own = anchors.join(codes, on=key, how="left", maintain_order="left")["code"].to_numpy()
    coded = pairs.join(codes, on=key)
    size = 1 + max(draws.max(), coded["number"].to_numpy().max(initial=0))
    codes_of_draws = pl.Series((own[:, None] * size + draws).ravel())
    hits = codes_of_draws.is_in((coded["code"] * size + coded["number"]).implode())  # a hash join: np.isin sorts
    return hits.to_numpy().reshape(draws.shape)


def _share_out(found: pl.DataFrame, wanted: Mapping[str, int], rng: np.random.Generator) -> pl.DataFrame:
    """Of each language's negatives as many as are wanted, drawn evenly, in their order."""
    turn = pl.col("turn").rank("ordinal").over("language")
    limit = pl.col("language").replace_strict(dict(wanted), return_dtype=pl.Int64)
    return found.with_columns(turn=rng.permutation(found.height)).filter(turn <= limit)


def _negative_rows(kept: pl.DataFrame, pool: pl.DataFrame) -> pl.DataFrame:
    renamed = kept.drop("candidate").join(pool, on="number", how="left", maintain_order="left")
    return renamed.with_columns(
        id=pl.col("id") + "/neg", parent_id=pl.col("id"), origin=pl.lit("negative"), label=pl.lit(0, dtype=pl.Int8)
    ).select(ROW_SCHEMA.names())
