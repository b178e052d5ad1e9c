"""The params that `sft` and `dpo` share: how long and how fast a model is trained, and where it reports to."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from babelshelf.core.errors import InputError
from babelshelf.core.params import PARAMS_FILE, Section, read
from babelshelf.llm.params import Precision, Weights

# Experiment trackers, and how the package of each is installed.
TRACKERS = {
    "dvclive": "pip install -e '.[dvclive]'",
    "mlflow": "pip install mlflow",
    "tensorboard": "pip install tensorboard",
    "wandb": "pip install wandb",
}

LIGER = "pip install -e '.[liger]'"  # how the package of `kernels: liger` is installed


def gradient_steps(rows: int, batch_size: int, epochs: float) -> int:
    """Gradient steps of a training on so many rows."""
    return math.ceil(math.ceil(rows / batch_size) * epochs)


def load_tracker(file: Path = PARAMS_FILE) -> str:
    """The tracker that a training reports to, of `TRACKERS`, or `none`: the param `report_to`.

    Raises:
        InputError: it is missing or unknown.
    """
    return tracker(read(file), file)


def tracker(values: dict[str, Any], file: Path = PARAMS_FILE) -> str:
    """Like `load_tracker`, from values that are already read."""
    name = values.get("report_to", "nothing")
    if name not in ("none", *TRACKERS):
        raise InputError(f"{file}: report_to: expected none, {', '.join(TRACKERS)}, found {name!r}")
    return str(name)


class ScheduleParams(Section):
    """How long and how fast, and what it costs in memory."""

    precision: Precision
    weights: Weights  # of what is frozen; what is trained is fp32
    packing: Literal["none", "padding_free"]
    attention: Literal["eager", "sdpa", "flash_attention_2"]
    kernels: Literal["none", "liger"]
    gradient_checkpointing: bool
    warmup_share: float = Field(ge=0, lt=1)
    weight_decay: float = Field(ge=0)
    accelerate: str = Field(pattern=r"^[\w-]+$")  # a file of profiles/accelerate
    micro_batch_size: int = Field(gt=0)
    batch_size: int = Field(gt=0)  # of a gradient step, over all processes
    learning_rate: float = Field(gt=0)
    embedding_learning_rate: float = Field(gt=0)  # of the token embeddings, where they are trained
    epochs: float = Field(gt=0)

    @field_validator("batch_size")
    @classmethod
    def _can_be_cut(cls, value: int, info: ValidationInfo) -> int:
        part = info.data.get("micro_batch_size", 1)
        if value % part:
            raise ValueError(f"must be a multiple of micro_batch_size, {part} (and of that times the processes)")
        return value
