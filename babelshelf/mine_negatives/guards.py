"""Guards of mined negatives: rules that refuse a candidate that may be relevant to the query."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import polars as pl

from babelshelf.text.keys import keys

LEVEL_END = "\x1f"  # between the levels of a path as it is compared: no key holds it


NO_LEVEL_END = "\x1e"  # stands for ", " while levels are split: a name may hold it where "," ends a level


def forbidden(guards: Sequence[str], rows: pl.DataFrame, pool: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Pairs that each guard keeps from becoming negatives.

    The positives of a group are those of its queries in all languages, also where a row of another group has the query.

    Args:
        guards: `known_positive` forbids the positives of a group; `equal_text` other texts that differ from one of them
            in case, width, punctuation or spaces alone; `related_category` its ancestors and descendants.
        rows: the training set.
        pool: columns `candidate` and `number`.

    Returns:
        Unique pairs of each guard in any order, columns `group` and `number`.
    """
    positives = _positives(rows)
    return {guard: _FORBIDDEN[guard](positives, pool).select("group", "number").unique() for guard in guards}


def known_pairs(rows: pl.DataFrame, pool: pl.DataFrame) -> pl.DataFrame:
    """Pairs that are rows already, columns `query` and `number`."""
    return rows.join(pool, on="candidate").select("query", "number").unique()


def _positives(rows: pl.DataFrame) -> pl.DataFrame:
    """Unique pairs of a group and a candidate that is relevant to one of its queries, by any row with that query."""
    asked = rows.select("group", "query").unique()
    positive = rows.filter(pl.col("label") == 1).select("query", "candidate").unique()
    return asked.join(positive, on="query").select("group", "candidate").unique()


def _known_positive(positives: pl.DataFrame, pool: pl.DataFrame) -> pl.DataFrame:
    return positives.join(pool, on="candidate")


def _equal_text(positives: pl.DataFrame, pool: pl.DataFrame) -> pl.DataFrame:
    texts = _unique_candidates(positives, pool)
    keyed = texts.with_columns(key=keys(texts["candidate"]))
    pairs = positives.join(keyed, on="candidate").join(pool.join(keyed, on="candidate"), on="key", suffix="_mined")
    return pairs.filter(pl.col("candidate") != pl.col("candidate_mined"))


def _related_category(positives: pl.DataFrame, pool: pl.DataFrame) -> pl.DataFrame:
    paths = _with_path(_unique_candidates(positives, pool))
    own, others = paths.join(positives, on="candidate", how="semi"), paths.join(pool, on="candidate")
    ancestors = _with_ancestors(own).join(others, left_on="ancestor", right_on="path")
    descendants = own.join(_with_ancestors(others), left_on="path", right_on="ancestor")
    related = pl.concat([ancestors.select("candidate", "number"), descendants.select("candidate", "number")])
    return positives.join(related, on="candidate")


def _unique_candidates(positives: pl.DataFrame, pool: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([positives.select("candidate"), pool.select("candidate")]).unique()


def _with_path(candidates: pl.DataFrame) -> pl.DataFrame:
    """The table with each candidate's `levels` from the root, as they are compared, and all in one: `path`."""
    split = candidates.select(category_levels(pl.col("candidate"))).to_series()
    names = split.explode().unique()
    levels = split.list.eval(pl.element().replace_strict(names, keys(names)))  # many paths share a level's name
    return candidates.with_columns(levels=levels, path=levels.list.join(LEVEL_END))


def category_levels(path: pl.Expr) -> pl.Expr:
    """The levels of a category path, which " > " ends, or a comma without a space after it; spaces may end a level."""
    ended = path.str.replace_all(" > ", f" {LEVEL_END}", literal=True)  # a comma before it keeps its space
    protected = ended.str.replace_all(", ", NO_LEVEL_END, literal=True)
    commas = protected.str.replace_all(",", LEVEL_END, literal=True)
    return commas.str.replace_all(NO_LEVEL_END, ", ", literal=True).str.split(LEVEL_END)


def _with_ancestors(pathed: pl.DataFrame) -> pl.DataFrame:
    """A row for each `ancestor` of a candidate, the candidate itself left out."""
    each = pathed.with_columns(depth=pl.int_ranges(1, pl.col("levels").list.len())).explode("depth").drop_nulls("depth")
    return each.with_columns(ancestor=pl.col("levels").list.head(pl.col("depth")).list.join(LEVEL_END))


_FORBIDDEN: dict[str, Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame]] = {
    "known_positive": _known_positive,
    "equal_text": _equal_text,
    "related_category": _related_category,
}
