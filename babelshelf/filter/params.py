"""Params of the filter stage.

A rule is a plugin, a module of `babelshelf.filter.rules`, which says what it has. Judges are endpoints of LLMs that
are asked about the rows which the rule flags (`babelshelf.filter.judges`); without their section nobody is asked.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, field_validator

from babelshelf.core.languages import is_code
from babelshelf.core.params import Section
from babelshelf.core.plugins import Plugins, PluginSection, known
from babelshelf.endpoint.params import EndpointParams

RULES = Plugins("babelshelf.filter.rules", "filter", "rule", exclusive=False)

NO_KEY = "none"
LENGTH_KEYS = ("max_tokens", "max_completion_tokens")  # of a request; services have the one or the other


def _language(code: str) -> str:
    if not is_code(code):
        raise ValueError(f"{code!r} is no language code of ISO 639-1")
    return code


class JudgeParams(EndpointParams):
    """`tasks.<task>.filter.judges.panel.<name>`: the endpoint of a judge.

    Attributes:
        key_env: the environment variable that has its key, so that no service gets the key of another; or none.
    """

    key_env: str = Field(pattern=r"^(none|[A-Z][A-Z0-9_]*)$")

    @field_validator("request")
    @classmethod
    def _is_of_limited_length(cls, request: dict[str, Any]) -> dict[str, Any]:
        if not any(isinstance(request.get(key), int) for key in LENGTH_KEYS):
            raise ValueError(f"needs {' or '.join(LENGTH_KEYS)}, a few tokens: an answer is yes or no")
        return request

    @property
    def longest_reply(self) -> int:
        """Tokens of a reply at most."""
        return next(int(str(self.request[key])) for key in LENGTH_KEYS if key in self.request)

    @property
    def key_variable(self) -> str | None:
        """The name of the environment variable; None where the endpoint needs no key."""
        return None if self.key_env == NO_KEY else self.key_env


class JudgesParams(Section):
    """`tasks.<task>.filter.judges`: who is asked about the flagged rows, and what follows from a majority of them.

    Attributes:
        panel: the judges, by name. A majority is more than half of them, those who gave no vote included.
        contradicted: what becomes of a row whose label the majority contradicts.
        undecided: what becomes of one without a majority: dropped, as the rule says, or kept.
        max_calls: prompts of a run at most, over all judges; retries of failed requests do not count.
        max_tokens: of these prompts and their replies.
    """

    panel: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")], JudgeParams] = Field(min_length=1)
    contradicted: Literal["relabel", "drop"]
    undecided: Literal["drop", "keep"]
    max_calls: int = Field(gt=0)
    max_tokens: int = Field(gt=0)

    @field_validator("panel")
    @classmethod
    def _are_distinct(cls, panel: dict[str, JudgeParams]) -> dict[str, JudgeParams]:
        first: dict[str, str] = {}
        for name, judge in panel.items():
            other = first.setdefault(repr((judge.base_url, judge.model, judge.api, judge.request)), name)
            if other != name:
                raise ValueError(f"{other} and {name} are one model at one endpoint, which would have two votes")
        return panel


class FilterParams(PluginSection):
    """`tasks.<task>.filter`; a rule's own params are the subsection of its name.

    Attributes:
        rule: which labels are taken to be wrong.
        derived: whether a translation is dropped with the row that it was made from; see `self_validation`.
        max_dropped_share: of the rows of a class, language and origin, at most.
        dev_languages: in which rows that had no label go to dev, once people have labelled them (`new_labels`).
        judges: who is asked about flagged rows; without this section, nobody.
    """

    plugins: ClassVar[Plugins] = RULES
    rule: Annotated[str, AfterValidator(partial(known, RULES))]
    derived: Literal["drop", "judge"]
    max_dropped_share: float = Field(gt=0, le=1)
    dev_languages: list[Annotated[str, AfterValidator(_language)]]
    judges: JudgesParams | None = None

    @classmethod
    def is_of_all_tasks(cls, key: object) -> bool:
        """No: a rule's section is the task's, as the rule is."""
        return False

    @classmethod
    def explain_missing(cls, path: tuple[int | str, ...]) -> str:
        """What to do about a missing key: a rule's section goes into the task's."""
        if path[0] == "judges":
            return "missing key; profiles/judges.yaml has its usual value"
        if len(path) == 1 and path[0] in RULES.names():
            return f"missing section; paste under `tasks.<task>.filter:`\n{RULES.ready(str(path[0]))}"
        return super().explain_missing(path)
