"""The params of `dpo`: the section `dpo`, and `tasks.<task>.dpo` for what differs by task."""

from __future__ import annotations

from pydantic import Field

from babelshelf.trainer.params import ScheduleParams


class DpoParams(ScheduleParams):
    """How a fine-tuned model goes on with direct preference optimization; adapter and prompt are that model's own."""

    beta: float = Field(gt=0)  # the smaller, the farther the model may go from the fine-tuned one
