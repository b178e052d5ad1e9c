"""How many rows a search can take in the time it is given."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import polars as pl

from babelshelf.commands.tune.evaluation import Budget
from babelshelf.commands.tune.recipe import DataStep
from babelshelf.commands.tune.search import DERIVED, KEPT_SHARE, LATER
from babelshelf.commands.tune.task_data import SearchData, TaskFiles
from babelshelf.core.rows import read_table
from babelshelf.core.work_cache import WorkCache
from babelshelf.encoder.encoder import Encoder

TIMED_TEXTS = 256
EMBED_SHARE, TRANSLATED_SHARE, SEARCH_SHARE = 0.3, 0.1, 0.6  # of the time
MOST_ROWS, MOST_TRANSLATED = 200_000, 20_000
FEWEST_ROWS = 1500  # of a rung
RUNGS = 3


@dataclass(frozen=True)
class TextBudget:
    """What may be embedded.

    Attributes:
        rows: labelled rows.
        translated: new texts of the translation.
    """

    rows: int
    translated: int


def text_budget(files: TaskFiles, encoder: Encoder, minutes: float, store: WorkCache[str], key: str) -> TextBudget:
    """Rows and translations that the encoder embeds in its share of the time; a killed run's plan is kept.

    Args:
        files: of the task.
        encoder: timed on some of the rows' texts.
        minutes: the whole time.
        store: keeps the plan, as another one would make its results useless.
        key: what the plan depends on.
    """
    known = store.get_many([key])
    if known:
        return TextBudget(**json.loads(known[key]))
    rows = pl.concat([read_table(file).select("query", "candidate") for file in (files.train, files.dev)])
    texts = pl.concat([rows["query"], rows["candidate"]]).unique(maintain_order=True)
    some = texts.gather_every(max(1, len(texts) // TIMED_TEXTS)).head(TIMED_TEXTS).to_list()
    encoder.encode(some[:1])
    started = time.monotonic()
    encoder.encode(some)
    seconds = max(time.monotonic() - started, 1e-6) / len(some)
    fitting = 60 * minutes * EMBED_SHARE / seconds * rows.height / len(texts)
    translated = 60 * minutes * TRANSLATED_SHARE / seconds
    budget = TextBudget(_halved(min(rows.height, MOST_ROWS), fitting), _halved(MOST_TRANSLATED, translated))
    store.put_many({key: json.dumps(asdict(budget))})
    return budget


def budgets(data: SearchData, top: int, seed: int) -> list[Budget]:
    """The rungs: up to `top` rows that may be trained on, a third of them, a ninth; each within the next."""
    groups = data.rows.filter(pl.Series(data.trainable)).group_by("group").len().sort("group")
    order = np.random.default_rng(seed).permutation(groups.height)
    shuffled = groups[order]
    sizes = [top // KEPT_SHARE**rung for rung in range(RUNGS)]
    result = []
    for size in sorted({max(size, min(FEWEST_ROWS, top)) for size in sizes}):
        chosen = shuffled.filter(pl.col("len").cum_sum() <= size)["group"]
        rows = data.trainable & data.rows["group"].is_in(chosen.implode()).to_numpy()
        result.append(Budget(f"{size} rows", rows))
    return result


def top_rows(
    data: SearchData, steps: Mapping[str, DataStep], seconds_per_fit: float, rows_of_fit: int, left: float
) -> int:
    """Rows of the top rung: all, or a half, a quarter, ... as the time allows; `FEWEST_ROWS` at least.

    Args:
        data: the rows.
        steps: whose options are tried.
        seconds_per_fit: measured, for all splits of one recipe.
        rows_of_fit: rows that it was measured with.
        left: seconds left.
    """
    top = int(data.trainable.sum())
    while top > FEWEST_ROWS and seconds_per_fit / rows_of_fit * fits(steps, top) > SEARCH_SHARE * left:
        top = max(top // 2, FEWEST_ROWS)
    return top


def fits(steps: Mapping[str, DataStep], top: int) -> float:
    """Fits of all splits that a search takes, times the rows of each."""
    sizes = sorted({max(top // KEPT_SHARE**rung, min(FEWEST_ROWS, top)) for rung in range(RUNGS)})
    alive = [len(step.options()) for step in steps.values()]
    total = 0.0
    for size in sizes:
        total += size * DERIVED * sum(alive)
        alive = [-(-count // KEPT_SHARE) for count in alive]
    return total + LATER * len(alive) * top * DERIVED


def _halved(most: int, limit: float) -> int:
    """`most`, or a half, a quarter, ... of it: the first that is within the limit."""
    while most > limit and most > FEWEST_ROWS:
        most //= 2
    return most
