"""Params of the calibrate stage."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PlainValidator, ValidationInfo, field_validator

from babelshelf.core.params import Section


def _threshold(value: object) -> float | str:
    """One validator for both types, so that a wrong value gives one error instead of one for each type."""
    if value == "tuned":
        return "tuned"
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    raise ValueError("expected `tuned` or a number from 0 to 1")


class CalibrateParams(Section):
    """The section `calibrate`, and `tasks.<task>.calibrate`.

    Attributes:
        threshold: `tuned`, or a fixed threshold.
        per_language: whether each language gets a threshold of its own, shrunk to the shared one.
        shrinkage: number of dev rows at which a language's own threshold has the same weight as the shared one.
        folds: number of folds of the cross-validation that compares the two choices.
    """

    threshold: Annotated[float | Literal["tuned"], PlainValidator(_threshold)]
    per_language: bool
    shrinkage: float = Field(ge=0)
    folds: int = Field(gt=1)

    @field_validator("per_language")
    @classmethod
    def _only_tuned(cls, per_language: bool, info: ValidationInfo) -> bool:
        if per_language and info.data.get("threshold") != "tuned":
            raise ValueError("expected false where the threshold is fixed: set threshold to `tuned`, or this to false")
        return per_language
