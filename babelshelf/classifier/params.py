"""The params of `classifier`: the section `classifier`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from babelshelf.core.params import Section
from babelshelf.encoder.params import EncoderParams


class HeadParams(Section):
    """How the head is fitted."""

    penalties: list[Annotated[float, Field(gt=0)]] = Field(min_length=1)  # of the squared weights; the folds choose one
    folds: int = Field(ge=2, le=100)  # over query groups: they choose the penalty and give out-of-fold scores
    penalty_rows: int = Field(ge=1000)  # rows, of whole query groups, that the penalty is chosen on at most


class ClassifierParams(HeadParams, EncoderParams):
    """The head's params, and the encoder's."""

    section: ClassVar[str] = "classifier"
