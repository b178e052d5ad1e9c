"""What `babelshelf try` shows, without the page: answers to a query, and what speaks for and against one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock

import polars as pl

from babelshelf.commands.try_page.pair_table import PairTable
from babelshelf.commands.try_page.tried_model import TriedModel
from babelshelf.core.errors import InputError
from babelshelf.core.rows import LEVEL
from babelshelf.encoder.encoder import Encoder, FloatArray
from babelshelf.encoder.vector_cache import cached_vectors
from babelshelf.text.keys import stored
from babelshelf.text.language_id import identify, supported

CANDIDATES = 20  # that are retrieved and scored
EXAMPLES = 5  # training pairs that are shown
LIKE = 50  # test pairs by which the errors on pairs like one are counted
SHOWN_ERRORS = 3


@dataclass(frozen=True)
class Answer:
    """A model's answer to a pair.

    Attributes:
        p: p(yes), recalibrated where the model is.
        threshold: of the query's language; p is compared with it.
        is_relevant: the answer.
    """

    p: float
    threshold: float
    is_relevant: bool


@dataclass(frozen=True)
class Found:
    """A candidate for a query.

    Attributes:
        query, language, candidate: the pair.
        cosine: of the encoder's vectors of query and candidate.
        answers: of the models, in their order.
    """

    query: str
    language: str
    candidate: str
    cosine: float
    answers: Sequence[Answer]

    @property
    def levels(self) -> list[str]:
        """Of a category path, from the root; of an item its title alone."""
        return self.candidate.split(LEVEL)


@dataclass(frozen=True)
class Example:
    """A labelled training pair.

    Attributes:
        query, language, candidate: the pair.
        label: 1 relevant, 0 not.
        origin: the step that made it: original, translated, negative.
        parent: query and language of the row that it was derived from; None for an original row.
        relabelled_by: people or judges, if they gave it another label; else None.
        similarity: to the pair in question, at most 1.
    """

    query: str
    language: str
    candidate: str
    label: int
    origin: str
    parent: tuple[str, str] | None
    relabelled_by: str | None
    similarity: float


@dataclass(frozen=True)
class Errors:
    """How often a model was wrong on test pairs.

    Attributes:
        pairs: test pairs like the one in question, that got the same answer.
        wrong: how many of them were answered wrongly.
        share: of all test pairs with that answer, those that were answered wrongly.
        examples: the nearest of the wrong ones.
    """

    pairs: int
    wrong: int
    share: float
    examples: Sequence[tuple[str, str, str]]  # query, language, candidate


class QueryTrial:
    """Models, a catalogue and the rows that they were trained and measured on.

    Args:
        task: `qc` or `qi`.
        models: one or two.
        candidates: the catalogue, distinct texts.
        train: the training set of the first model, with the column `by`, see `Example.relabelled_by`.
        encoder: retrieves candidates, and compares pairs.
        cache: folder of the vectors, see `cached_vectors`.

    Raises:
        InputError: the catalogue is empty.
    """

    def __init__(
        self,
        task: str,
        models: Sequence[TriedModel],
        candidates: Sequence[str],
        train: pl.DataFrame,
        *,
        encoder: Encoder,
        cache: Path,
    ) -> None:
        if not candidates:
            raise InputError(f"data/catalogue/{task}.parquet: no candidates: run `dvc repro prepare`")
        self.task, self.models, self.train = task, models, train
        self._candidates, self._encoder, self._cache = candidates, encoder, cache
        self._vectors = cached_vectors(candidates, encoder, cache)
        self._lock = Lock()  # a scorer keeps what it was last given

    @property
    def catalogue_size(self) -> int:
        """Number of candidates."""
        return len(self._candidates)

    @cached_property
    def languages(self) -> list[str]:
        """Of the rows that the models were trained and measured on, ISO 639-1, sorted."""
        tables = [self.train, *(model.test for model in self.models if model.test is not None)]
        return sorted({language for table in tables for language in table["language"].unique()})

    def guess_language(self, query: str) -> str | None:
        """The likeliest of `languages`; None where the query does not tell."""
        if len(supported(self.languages)) < 2:
            return next(iter(self.languages), None)
        (guess,) = identify([stored(query)], self.languages)
        return None if guess is None else guess.language

    def search(self, query: str, language: str) -> list[Found]:
        """The candidates nearest to a query, scored by the models; by the first one's p(yes), the highest first.

        Args:
            query: as it was typed.
            language: of the query, ISO 639-1.
        """
        text = stored(query)
        cosines = self._vectors @ self._encoder.encode([text])[0]
        best = pl.Series(cosines).arg_sort(descending=True)[:CANDIDATES].to_list()
        rows = pl.DataFrame(
            {
                "id": [f"row {number}" for number in best],
                "task": self.task,
                "language": language,
                "query": text,
                "candidate": [self._candidates[number] for number in best],
            }
        )
        with self._lock:
            answered = [[Answer(*row) for row in model.answer(rows).iter_rows()] for model in self.models]
        results = [
            Found(text, language, candidate, float(cosines[number]), answers)
            for candidate, number, *answers in zip(rows["candidate"], best, *answered, strict=True)
        ]
        return sorted(results, key=lambda one: -one.answers[0].p)

    def examples(self, found: Found) -> list[Example]:
        """The labelled training pairs most like a pair."""
        near = self._training.nearest(*self._pair(found), EXAMPLES)
        parents = self.train.filter(pl.col("id").is_in(near["parent_id"].drop_nulls().implode()))
        by_id = {row["id"]: (row["query"], row["language"]) for row in parents.iter_rows(named=True)}
        return [
            Example(
                row["query"],
                row["language"],
                row["candidate"],
                row["label"],
                row["origin"],
                by_id.get(row["parent_id"]),
                row["by"],
                row["similarity"],
            )
            for row in near.iter_rows(named=True)
        ]

    def errors(self, found: Found, model: int) -> Errors | None:
        """How often a model was wrong where it answered pairs like this one in the same way; None: not measured.

        Args:
            found: a pair with its answers.
            model: number of the model.
        """
        table = self._test[model]
        if table is None:
            return None
        same = table.rows["is_relevant"] == found.answers[model].is_relevant
        wrong = pl.col("is_relevant") != (pl.col("label") == 1)
        near = table.nearest(*self._pair(found), LIKE, same.to_numpy())
        errors = near.filter(wrong)
        answered = table.rows.filter(same)
        return Errors(
            near.height,
            errors.height,
            answered.filter(wrong).height / max(answered.height, 1),
            errors.select("query", "language", "candidate").head(SHOWN_ERRORS).rows(),
        )

    def load(self) -> None:
        """Load what takes seconds at first: vectors, encoders, and language identification."""
        _ = self._training, self._test
        texts = self.train.group_by("language", maintain_order=True).first()
        for query in texts["query"]:
            self.guess_language(query)  # the models of a script's languages are loaded with the first text in it
        self.search(texts["query"][0], texts["language"][0])

    @cached_property
    def _training(self) -> PairTable:
        return PairTable.of(self.train, self._encoder, self._cache).labelled()

    @cached_property
    def _test(self) -> list[PairTable | None]:
        tests = [model.test for model in self.models]
        return [None if test is None else PairTable.of(test, self._encoder, self._cache) for test in tests]

    def _pair(self, found: Found) -> tuple[FloatArray, FloatArray]:
        """Unit vectors of query and candidate, shape (dimension,) each."""
        query, candidate = self._encoder.encode([found.query, found.candidate])
        return query, candidate
