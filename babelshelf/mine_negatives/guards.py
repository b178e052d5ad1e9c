"""Guards against false negatives: rules that forbid candidates that may be relevant to the query."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import polars as pl

from babelshelf.core.rows import LEVEL
from babelshelf.text.keys import keys

LEVEL_END = "\x1f"  # separates levels while paths are compared: no key contains it
NO_LEVEL_END = "\x1e"  # replaces ", " while levels are split at ",", as names of levels may contain ", "


def forbidden(guards: Sequence[str], rows: pl.DataFrame, pool: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Pairs that must not become negatives, by guard.

    The positives of a group are those of its queries in all languages, including positives of the same query in rows of
    other groups.

    Args:
        guards: `known_positive` forbids the positives of a group; `equal_text` forbids texts that differ from a
            positive only in case, width, punctuation or spaces; `related_category` forbids the ancestors and
            descendants of a positive in the category tree.
        rows: the training set.
        pool: columns `candidate` and `number`.

    Returns:
        Unique pairs by guard, in any order, columns `group` and `number`.
    """
    positives = _positives(rows)
    return {guard: _FORBIDDEN[guard](positives, pool).select("group", "number").unique() for guard in guards}


def known_pairs(rows: pl.DataFrame, pool: pl.DataFrame) -> pl.DataFrame:
    """Pairs that are already rows, columns `query` and `number`."""
    return rows.join(pool, on="candidate").select("query", "number").unique()


def _positives(rows: pl.DataFrame) -> pl.DataFrame:
    """Unique pairs of a group and a candidate that is relevant to one of its queries, in any row with that query."""
    queries = rows.select("group", "query").unique()
    positive = rows.filter(pl.col("label") == 1).select("query", "candidate").unique()
    return queries.join(positive, on="query").select("group", "candidate").unique()


def _known_positive(positives: pl.DataFrame, pool: pl.DataFrame) -> pl.DataFrame:
    return positives.join(pool, on="candidate")


def _equal_text(positives: pl.DataFrame, pool: pl.DataFrame) -> pl.DataFrame:
    texts = _unique_candidates(positives, pool)
    keyed = texts.with_columns(key=keys(texts["candidate"]))
    pairs = positives.join(keyed, on="candidate").join(pool.join(keyed, on="candidate"), on="key", suffix="_mined")
    return pairs.filter(pl.col("candidate") != pl.col("candidate_mined"))


def _related_category(positives: pl.DataFrame, pool: pl.DataFrame) -> pl.DataFrame:
    paths = _with_path(_unique_candidates(positives, pool))
    of_positives, of_pool = paths.join(positives, on="candidate", how="semi"), paths.join(pool, on="candidate")
    ancestors = _with_ancestors(of_positives).join(of_pool, left_on="ancestor", right_on="path")
    descendants = of_positives.join(_with_ancestors(of_pool), left_on="path", right_on="ancestor")
    related = pl.concat([ancestors.select("candidate", "number"), descendants.select("candidate", "number")])
    return positives.join(related, on="candidate")


def _unique_candidates(positives: pl.DataFrame, pool: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([positives.select("candidate"), pool.select("candidate")]).unique()


def _with_path(candidates: pl.DataFrame) -> pl.DataFrame:
    """Add each candidate's `levels` from the root, as keys for comparison, and the `path` of all levels."""
    split = candidates.select(category_levels(pl.col("candidate"))).to_series()
    names = split.explode().unique()
    levels = split.list.eval(pl.element().replace_strict(names, keys(names)))  # unique names, as many paths share them
    return candidates.with_columns(levels=levels, path=levels.list.join(LEVEL_END))


def category_levels(path: pl.Expr) -> pl.Expr:
    """The levels of a category path, separated by " > " or by a comma without a space after it."""
    ended = path.str.replace_all(LEVEL, f" {LEVEL_END}", literal=True)  # a comma before it keeps its space
    protected = ended.str.replace_all(", ", NO_LEVEL_END, literal=True)
    commas = protected.str.replace_all(",", LEVEL_END, literal=True)
    return commas.str.replace_all(NO_LEVEL_END, ", ", literal=True).str.split(LEVEL_END)


def _with_ancestors(pathed: pl.DataFrame) -> pl.DataFrame:
    """A row for each proper `ancestor` of each candidate."""
    each = pathed.with_columns(depth=pl.int_ranges(1, pl.col("levels").list.len())).explode("depth").drop_nulls("depth")
    return each.with_columns(ancestor=pl.col("levels").list.head(pl.col("depth")).list.join(LEVEL_END))


_FORBIDDEN: dict[str, Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame]] = {
    "known_positive": _known_positive,
    "equal_text": _equal_text,
    "related_category": _related_category,
}
