"""Params of the calibrate stage."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import PlainValidator

from babelshelf.params.load import Section


def _threshold(value: object) -> float | str:
    """One check for both kinds, so that a wrong value gives one error and not one for each kind."""
    if value == "tuned":
        return "tuned"
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    raise ValueError("expected `tuned` or a number from 0 to 1")


class CalibrateParams(Section):
    """`tasks.<task>.calibrate`: `tuned`, or a fixed threshold."""

    threshold: Annotated[float | Literal["tuned"], PlainValidator(_threshold)]
