"""The real data sets of the comparison, cut to a size that an LM is trained on in minutes, or within half an hour."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from babelshelf.core.params import read, section
from babelshelf.prepare.leak_checks import check, held_out_keys
from babelshelf.prepare.marketplace import Marketplace
from babelshelf.prepare.params import SOURCES, PrepareParams

TASK = "qc"
SEED = 1  # of the data: the same rows for all recipes, models and seeds
HELD_OUT = ["de", "it", "pl", "ar"]

NONE = "none"  # the recipe of the rows as they are: what gains are measured against
RECIPES = (  # all recipes, as they are run
    NONE,
    "filtered",
    "flipped",
    "flipped-filtered",
    "flipped-confident",
    "half",
    "near",
    "far",
    "all",
    "negatives",
    "translated",
)


@dataclass(frozen=True)
class Size:
    """How much of a data set is used.

    Attributes:
        train, dev, test: rows at most, of whole query groups.
        steps: of the optimizer, 32 rows each, for every recipe: two epochs of up to 3,000 rows, one of more.
        recipes: training sets that are made.
    """

    train: int = 1500
    dev: int = 500
    test: int = 1500
    steps: int = 94
    recipes: tuple[str, ...] = RECIPES


SIZES = {
    "shops": Size(),
    "taxonomy": Size(),
    "all-shops": Size(train=9000, steps=281, recipes=(NONE,)),
    "all-shops-1500": Size(recipes=(NONE,)),
    "all-shops-3000": Size(train=3000, steps=188, recipes=(NONE,)),
    "all-shops-24000": Size(train=24_000, steps=750, recipes=(NONE,)),
}


@dataclass(frozen=True)
class DataSet:
    """A data set, cut.

    Attributes:
        train, dev, test: tables of `ROW_SCHEMA`; where languages are held out, half of dev and test are in them.
        candidates: unique texts that negatives may be mined from.
        held_out: keys of all queries of dev and test.
        glossary: see `Marketplace`; None where there is none.
        translated: languages that the glossary translates into.
    """

    train: pl.DataFrame
    dev: pl.DataFrame
    test: pl.DataFrame
    candidates: list[str]
    held_out: pl.Series
    glossary: pl.DataFrame | None
    translated: list[str]


def marketplace(name: str, path: Path) -> Marketplace:
    """A data set of `SIZES`, of a CSV of pairs or, `taxonomy`, a folder of locales, as the stage `prepare` reads it."""
    own = _taxonomy() if name == "taxonomy" else _shops(HELD_OUT if name == "shops" else [])
    source, values = next(iter(own.items()))
    defaults = SOURCES.defaults(source)
    params = read(Path("params.yaml")) | {
        "prepare": {"source": source, "input": {TASK: str(path), "qi": str(path)}, source: _merged(defaults, values)}
    }
    settings = section(PrepareParams, params, "prepare", None)
    found: Marketplace = SOURCES.load(source).read({TASK: path}, settings.chosen(), SEED)
    check(found)
    return found


def load(name: str, path: Path) -> DataSet:
    """The data set of that name, cut; see `marketplace`."""
    found, size = marketplace(name, path), SIZES[name]
    task = found.tasks[TASK]
    known = task.train["language"].unique().to_list()
    return DataSet(
        train=cut(task.train, size.train),
        dev=balanced(task.dev, known, size.dev),
        test=balanced(task.test, known, size.test),
        candidates=task.candidates.filter("in_train")["candidate"].to_list(),
        held_out=held_out_keys(found)["key"],
        glossary=found.glossary,
        translated=[] if found.glossary is None else ["de", "it", "pl"],
    )


def cut(rows: pl.DataFrame, most: int) -> pl.DataFrame:
    """At most that many rows, of whole query groups drawn at random; in the order of `rows`."""
    groups = rows["group"].unique(maintain_order=True)
    place = np.random.default_rng([SEED, *b"proxy"]).permutation(len(groups))
    order = rows.with_row_index("row").join(pl.DataFrame({"group": groups, "place": place}), on="group")
    sizes = order.group_by("place").len().sort("place").with_columns(total=pl.col("len").cum_sum())
    taken = sizes.filter(pl.col("total") <= most)["place"]
    return order.filter(pl.col("place").is_in(taken.implode())).sort("row").select(rows.columns)


def balanced(rows: pl.DataFrame, known: list[str], most: int) -> pl.DataFrame:
    """Half of the rows in the languages of train and half in others, as far as there are others."""
    is_known = pl.col("language").is_in(known)
    if rows.filter(~is_known).is_empty():
        return cut(rows, most)
    return pl.concat([cut(rows.filter(is_known), most // 2), cut(rows.filter(~is_known), most // 2)])


def _merged(defaults: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    both = defaults | values
    for key, value in values.items():
        if isinstance(value, dict) and isinstance(defaults.get(key), dict):
            both[key] = _merged(defaults[key], value)
    return both


def _shops(held_out: list[str]) -> dict[str, Any]:
    columns = {"query": "query", "candidate": "candidate", "label": "label", "language": "language", "split": "split"}
    split = {"holdout_languages": held_out, "leaks": "drop"}
    return {"files": {"tasks": [TASK], TASK: {"rows": "pairs.csv", "columns": columns | {"id": ""}}, "split": split}}


def _taxonomy() -> dict[str, Any]:
    return {"taxonomy": {"categories": 1000, "rows_train": SIZES["taxonomy"].train}}
