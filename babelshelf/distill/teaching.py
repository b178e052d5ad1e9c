"""The teacher's scores, kept across runs, and the targets that a student learns from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from babelshelf.classifier.model_folder import read_scores
from babelshelf.core.files import read_json
from babelshelf.core.partial_work import fingerprint
from babelshelf.core.rows import ROW_SCHEMA
from babelshelf.core.work_cache import WorkCache
from babelshelf.llm.base_model import POINTER, identity
from babelshelf.runtime.screen import progress
from babelshelf.score.scorer import Scorer, base_lm, kind_of, load_scorer

if TYPE_CHECKING:
    from babelshelf.score.params import ScoreParams

SCORED_COLUMNS = ("language", "query", "candidate")  # of a row, that its score depends on beside the task

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Lessons:
    """What a student learns from.

    Attributes:
        rows: of `ROW_SCHEMA`: the training rows, then the unlabelled pairs.
        training: number of training rows.
        targets: p(yes) that the student is to give, from 0 to 1, shape (n_rows,).
    """

    rows: pl.DataFrame
    training: int
    targets: Scores

    @classmethod
    def of(
        cls, train: pl.DataFrame, pairs: pl.DataFrame, scores: tuple[Scores, Scores], label_weight: float
    ) -> Lessons:
        """Targets: the teacher's p(yes); of a labelled row, mixed with its label.

        Args:
            train: the training rows; labels may be null.
            pairs: unlabelled pairs, of `unlabelled.PAIR_SCHEMA`.
            scores: the teacher's p(yes) of both.
            label_weight: from 0 (the teacher alone) to 1 (the label alone).
        """
        labels, of_train = train["label"].cast(pl.Float64).to_numpy(), scores[0]
        mixed = np.where(np.isnan(labels), of_train, label_weight * labels + (1 - label_weight) * of_train)
        return cls(all_rows(train, pairs), train.height, np.concatenate([mixed, scores[1]]))


def all_rows(train: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """The training rows, then the unlabelled pairs, of `ROW_SCHEMA`."""
    return pl.concat([train.select(ROW_SCHEMA.names()), pairs.select(ROW_SCHEMA.names())])


@dataclass(frozen=True)
class Teacher:
    """A trained model.

    Attributes:
        base: `models/base`.
        model: its folder: of `sft`, `dpo` or `classifier`.
        settings: how pairs are scored.
        cache: folder of the scores.
    """

    base: Path
    model: Path
    settings: ScoreParams
    cache: Path

    @cached_property
    def identity(self) -> str:
        """Digest of all that its scores depend on."""
        own_base = identity(base_lm(self.base)) if kind_of(self.model) == "lm" else ""  # a classifier names its encoder
        return fingerprint(self.model, own_base, self.settings)

    def record(self) -> dict[str, Any]:
        """What a student says of its teacher: its folder and, of an LM, the pointer to its base ({}: built-in)."""
        pointer = base_lm(self.base) / POINTER
        own_base = {"base": read_json(pointer) if pointer.is_file() else {}} if kind_of(self.model) == "lm" else {}
        return {"model": self.model.as_posix()} | own_base

    def scores(self, train: pl.DataFrame, pairs: pl.DataFrame) -> tuple[Scores, Scores]:
        """p(yes) of the training rows that it was trained on, and of other pairs; only what the cache lacks is scored.

        A classifier has scored its training rows out of fold. An LM scores them itself, so that its scores of them are
        closer to the labels than those of other pairs.

        Args:
            train: of `ROW_SCHEMA`.
            pairs: likewise, without labels.
        """
        with load_scorer(self.base, self.model, self.settings) as scorer:
            of_pairs = cached_scores(pairs, scorer, self.identity, self.cache)
            if kind_of(self.model) == "classifier":
                return read_scores(self.model, train)["p_yes"].to_numpy(), of_pairs
            return cached_scores(train, scorer, self.identity, self.cache), of_pairs


def cached_scores(rows: pl.DataFrame, scorer: Scorer, model: str, cache: Path) -> Scores:
    """p(yes) of rows, in their order; a run that was killed goes on from its finished chunks.

    What is kept is whole chunks, as for vectors: the last bits of a score depend on the pairs that are scored with it.

    Args:
        rows: of `ROW_SCHEMA`.
        scorer: the model.
        model: digest of it: with a chunk's texts the key of its scores.
        cache: folder of the cache.
    """
    if rows.is_empty():
        return np.empty(0)
    stored: WorkCache[bytes] = WorkCache(cache)
    prompts, scores = scorer.encode(rows), np.empty(rows.height)
    order = scorer.order(prompts)
    with progress(total=rows.height, desc="teacher", unit="pair") as bar:
        for start in range(0, rows.height, scorer.chunk):
            part = order[start : start + scorer.chunk]
            key = fingerprint(model, rows[part].select("task", *SCORED_COLUMNS).rows())
            found = stored.get_many([key]).get(key)
            if found is None:
                found = scorer.score(prompts[part]).astype("<f8", copy=False).tobytes()
                stored.put_many({key: found})
            scores[part] = np.frombuffer(found, "<f8")
            bar.update(len(part))
    return scores
