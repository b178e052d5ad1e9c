"""Params of the calibrate stage.

A method is a plugin, a module of `babelshelf.calibrate.methods`, which says what it has; `auto` chooses one of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, PlainValidator, ValidationInfo, field_validator

from babelshelf.core.plugins import Plugins, PluginSection, known

METHODS = Plugins("babelshelf.calibrate.methods", "calibrate", "method", exclusive=False)  # dev compares all
SHARED, AUTO = "shared", "auto"  # the simplest method, and the choice among all others


def _threshold(value: object) -> float | str:
    """One validator for both types, so that a wrong value gives one error instead of one for each type."""
    if value == "tuned":
        return "tuned"
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    raise ValueError("expected `tuned` or a number from 0 to 1")


def _method(value: str) -> str:
    if value == AUTO:
        return value
    try:
        return known(METHODS, value)
    except ValueError as error:
        raise ValueError(f"{error}\n  {AUTO}: one of these, by cross-validation on dev") from error


class CalibrateParams(PluginSection):
    """The section `calibrate`, and `tasks.<task>.calibrate`; a method's own params are the subsection of its name.

    Attributes:
        threshold: `tuned`, or a fixed threshold, which leaves no choice to `method`.
        method: how thresholds are chosen and p(yes) is recalibrated.
        folds: number of folds of the cross-validation that compares the methods.
    """

    plugins: ClassVar[Plugins] = METHODS
    threshold: Annotated[float | Literal["tuned"], PlainValidator(_threshold)]
    method: Annotated[str, AfterValidator(_method)]
    folds: int = Field(gt=1)

    @classmethod
    def fitted(cls, values: Mapping[str, Any]) -> type[PluginSection]:
        """As of any plugin; `auto` needs the sections of all methods."""
        needed = METHODS.names() if values.get("method") == AUTO else []
        return super().fitted({**dict.fromkeys(needed), **values})

    @field_validator("method")
    @classmethod
    def _only_tuned(cls, method: str, info: ValidationInfo) -> str:
        if method not in {SHARED, AUTO} and info.data.get("threshold") != "tuned":
            raise ValueError("expected shared or auto where the threshold is fixed: set threshold to `tuned`, or this")
        return method

    @property
    def methods(self) -> list[str]:
        """The methods that can be compared: all whose params are here, the simplest first."""
        ready = [name for name in METHODS.names() if METHODS.params(name) is None or hasattr(self, name)]
        return sorted(ready, key=lambda name: METHODS.load(name).COMPLEXITY)
