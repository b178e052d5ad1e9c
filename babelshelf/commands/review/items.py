"""The pairs that people may decide on: rows that the filter flagged, rows without a label, pairs in dispute.

Rows without a label are those that `prepare` keeps apart, to be predicted; a training set has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from babelshelf.core.errors import InputError
from babelshelf.core.rows import ROW_SCHEMA, concat, read_rows, read_table
from babelshelf.tables.prediction_sets import ANSWER_SCHEMA, SCORABLE, read_answers, read_unlabelled
from babelshelf.tables.reviews import PAIR, read_reviewed_dev

FLAGGED, UNLABELLED, DISPUTED = "flagged", "unlabelled", "disputed"
QUEUES = (FLAGGED, UNLABELLED, DISPUTED)
FOLLOWS_PARENT = "parent_dropped"  # a translation of a dropped row: the decision on that row holds for it
JUDGES = {"judges_yes": "yes", "judges_no": "no", "judges_none": "no answer"}  # columns of judged.parquet


@dataclass(frozen=True)
class ReviewItem:
    """A pair to decide on, and what is known about it.

    Attributes:
        queue: why it is here, one of `QUEUES`.
        task, language, query, candidate, label, origin: of its row; `label` None without one.
        id, parent_id: of its row in this run of the pipeline.
        p_yes: of the filter's model; None where it is unknown.
        judges: names of judges by what they said: yes, no, no answer.
        translations: number of training rows that were translated from this one: a decision holds for them too.
    """

    queue: str
    task: str
    language: str
    query: str
    candidate: str
    label: int | None
    origin: str
    id: str
    parent_id: str | None
    p_yes: float | None
    judges: dict[str, list[str]]
    translations: int

    @property
    def pair(self) -> tuple[str, str, str]:
        """Key of the pair, as in `babelshelf.tables.reviews`."""
        return self.language, self.query, self.candidate

    @property
    def contradiction(self) -> float:
        """Probability of the other label; 0 without a label."""
        if self.label is None or self.p_yes is None:
            return 0.0
        return 1 - self.p_yes if self.label == 1 else self.p_yes


@dataclass(frozen=True)
class FilteredTask:
    """What the stages `score_train` and `filter` wrote of a task.

    Attributes:
        task: its name.
        rows: all rows that the filter read, and those without a label, `ROW_SCHEMA` with `p_yes`; labels as the filter
            left them where it kept the row.
        flagged: the rows that its rule flagged, worst first: `rows`' columns and the lists of `JUDGES`.
    """

    task: str
    rows: pl.DataFrame
    flagged: pl.DataFrame

    def items(self, queue: str, pairs: pl.DataFrame | None = None) -> list[ReviewItem]:
        """The items of a queue, each pair once.

        Args:
            queue: one of `QUEUES`.
            pairs: of the queue `disputed`, a table with the columns `PAIR`.
        """
        if queue == FLAGGED:
            return self._items(queue, self.flagged)
        if queue == UNLABELLED:
            return self._items(queue, self.rows.filter(pl.col("label").is_null()))
        wanted = pairs if pairs is not None else self.rows.clear()
        return self._items(queue, self.rows.join(wanted, on=list(PAIR), how="semi", maintain_order="left"))

    def _items(self, queue: str, rows: pl.DataFrame) -> list[ReviewItem]:
        translations = self.rows.filter(pl.col("origin") == "translated").group_by(id="parent_id").len("translations")
        counted = rows.unique(PAIR, keep="first", maintain_order=True).join(
            translations, on="id", how="left", maintain_order="left"
        )
        return [_item(queue, row) for row in counted.iter_rows(named=True)]


def read_filtered(task: str, data: Path) -> FilteredTask:
    """Read what `dvc repro filter@<task>` wrote under the folder of data.

    Raises:
        InputError: a file is missing or has other columns.
    """
    folder = data / "filtered" / task
    if not (folder / "dropped.parquet").is_file():
        raise InputError(f"{folder / 'dropped.parquet'}: no such file: run `dvc repro filter@{task}`")
    scores = read_table(data / "predictions" / "train" / task / "scores.parquet").select("id", "p_yes")
    unlabelled, predicted = _unlabelled(task, data)
    dropped = read_table(folder / "dropped.parquet")
    labelled = concat(
        read_rows(folder / "train.parquet"), dropped.select(ROW_SCHEMA.names()), read_reviewed_dev(folder)
    )
    rows = concat(labelled, unlabelled.join(labelled, on="id", how="anti", maintain_order="left"))
    scores = concat(scores, predicted.join(scores, on="id", how="anti"))
    asked = folder / "judged.parquet"
    judged = read_table(asked).select([*ROW_SCHEMA, "p_yes", *JUDGES]) if asked.is_file() else None
    return FilteredTask(task, rows.join(scores, on="id", how="left", maintain_order="left"), _flagged(dropped, judged))


def _unlabelled(task: str, data: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows without a label that have both texts, and p(yes) of them (`id`, `p_yes`) if the stage `predict` has run.

    A repository without `unlabelled.parquet` has none.
    """
    file = data / "original" / task / "unlabelled.parquet"
    rows = (
        read_unlabelled(file).filter(SCORABLE).select(ROW_SCHEMA.names()) if file.is_file() else ROW_SCHEMA.to_frame()
    )
    answers = data / "predictions" / "submission" / task / "predictions.parquet"
    found = read_answers(answers) if answers.is_file() else ANSWER_SCHEMA.to_frame()
    return rows, found.select("id", "p_yes").join(rows, on="id", how="semi", maintain_order="left")


def _flagged(dropped: pl.DataFrame, judged: pl.DataFrame | None) -> pl.DataFrame:
    """The flagged rows, those that judges saved included."""
    own = dropped.filter(pl.col("reason") != FOLLOWS_PARENT).select([*ROW_SCHEMA, "p_yes"])
    if judged is not None:
        own = pl.concat([judged, own.join(judged, on="id", how="anti")], how="diagonal")
    contradiction = pl.when(pl.col("label") == 1).then(1 - pl.col("p_yes")).otherwise("p_yes")
    return own.sort(-contradiction, "id", maintain_order=True)


def _item(queue: str, row: dict[str, Any]) -> ReviewItem:
    fields = {name: row[name] for name in ("task", *PAIR, "label", "origin", "id", "parent_id", "p_yes")}
    judges = {said: row[column] for column, said in JUDGES.items() if row.get(column)}
    return ReviewItem(queue=queue, judges=judges, translations=row["translations"] or 0, **fields)
