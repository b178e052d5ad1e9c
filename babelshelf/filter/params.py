"""Params of the filter stage.

A rule is a plugin, a module of `babelshelf.filter.rules`, which says what it has.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from babelshelf.core.plugins import Plugins, PluginSection, known

RULES = Plugins("babelshelf.filter.rules", "filter", "rule", exclusive=False)


class FilterParams(PluginSection):
    """`tasks.<task>.filter`; a rule's own params are the subsection of its name.

    Attributes:
        rule: which labels are taken to be wrong.
        derived: whether a translation is dropped with the row that it was made from; see `self_validation`.
        max_dropped_share: of the rows of a class, language and origin, at most.
    """

    plugins: ClassVar[Plugins] = RULES
    rule: Annotated[str, AfterValidator(partial(known, RULES))]
    derived: Literal["drop", "judge"]
    max_dropped_share: float = Field(gt=0, le=1)

    @classmethod
    def is_of_all_tasks(cls, key: object) -> bool:
        """No: a rule's section is the task's, as the rule is."""
        return False

    @classmethod
    def explain_missing(cls, path: tuple[int | str, ...]) -> str:
        """What to do about a missing key: a rule's section goes into the task's."""
        if len(path) == 1 and path[0] in RULES.names():
            return f"missing section; paste under `tasks.<task>.filter:`\n{RULES.ready(str(path[0]))}"
        return super().explain_missing(path)
