"""The params of `distill`: the section `distill`, and `tasks.<task>.distill`.

A student is a plugin, a module of `babelshelf.distill.students`; docs/distillation.md says what it has.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field, field_validator

from babelshelf.core.params import Section
from babelshelf.core.plugins import Plugins, PluginSection, known

STUDENTS = Plugins("babelshelf.distill.students", "distill", "student")


class PairsPerQueryParams(Section):
    """Unlabelled pairs of a query, by the rank of the candidate."""

    near: int = Field(ge=0)
    middle: int = Field(ge=0)
    far: int = Field(ge=0)


class DistillParams(PluginSection):
    """The student, its targets, and the unlabelled pairs that the teacher scores for it."""

    section: ClassVar[str] = "distill"
    plugins: ClassVar[Plugins] = STUDENTS

    student: Annotated[str, AfterValidator(partial(known, STUDENTS))]
    label_weight: float = Field(
        ge=0, le=1
    )  # of the label in a labelled row's target; the teacher's p(yes) has the rest
    queries_per_language: int = Field(ge=0)  # at most, drawn at random, that unlabelled pairs are made of
    pairs_per_query: PairsPerQueryParams
    prediction_queries: bool  # whether the queries of the rows to predict are among them
    query_prompt: str  # instruction of the embedder before a query; "": none
    ranks: tuple[int, int] = Field(strict=False)  # the first rank, from 0, that is middle, and the first that is far

    @field_validator("ranks")
    @classmethod
    def _ordered(cls, ranks: tuple[int, int]) -> tuple[int, int]:
        middle, far = ranks
        if not 0 < middle < far:
            raise ValueError("expected [middle, far] with 0 < middle < far")
        return ranks
