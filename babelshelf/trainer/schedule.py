"""How long and how fast a model is trained, and the arguments of TRL's trainers that follow from it."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainingArguments

from babelshelf.trainer import distributed
from babelshelf.trainer.accelerate_config import accumulation
from babelshelf.trainer.params import gradient_steps

if TYPE_CHECKING:
    from babelshelf.trainer.params import ScheduleParams

LOGGED_POINTS = 60  # of a learning curve
CHECKPOINTS = 6  # of a run: what a kill loses is at most this part of it

# transformers 5.23 renamed the argument and warns of the old name; vLLM's environment has an older version.
CHECKPOINTING = next(
    name
    for name in ("activation_checkpointing", "gradient_checkpointing")
    if name in {field.name for field in fields(TrainingArguments)}
)


@dataclass(frozen=True)
class Schedule:
    """How long and how fast; the learning rate falls along a cosine after its warm-up."""

    batch_size: int  # rows of a gradient step, over all processes
    micro_batch_size: int  # rows that a process takes at once
    packing: str  # none: padded prompts; padding_free: one prompt after another
    learning_rate: float
    embedding_learning_rate: float  # of the token embeddings, where they are trained at all
    epochs: float
    warmup_share: float
    weight_decay: float
    precision: str  # fp32, or bf16 by autocast: the weights stay fp32
    gradient_checkpointing: bool
    seed: int
    max_steps: int | None = None  # in place of epochs

    @classmethod
    def of(cls, settings: ScheduleParams, seed: int) -> Schedule:
        """The schedule of a stage's params."""
        names = [field.name for field in fields(cls) if field.name not in {"seed", "max_steps"}]
        return cls(**{name: getattr(settings, name) for name in names}, seed=seed)

    def steps(self, rows: int) -> int:
        """Gradient steps of a training on so many rows."""
        if self.max_steps is not None:
            return self.max_steps
        return gradient_steps(rows, self.batch_size, self.epochs)

    def arguments(self, rows: int, sampling: str, checkpoints: Path) -> dict[str, Any]:
        """What the configurations of all of TRL's trainers share.

        Args:
            rows: number of training rows.
            sampling: transformers' `train_sampling_strategy`.
            checkpoints: folder of the run's checkpoints.
        """
        steps = self.steps(rows)
        processes = distributed.state().num_processes
        return {
            "output_dir": str(checkpoints),
            "per_device_train_batch_size": self.micro_batch_size,
            "gradient_accumulation_steps": accumulation(self.batch_size, self.micro_batch_size, processes),
            "learning_rate": self.learning_rate,
            "num_train_epochs": self.epochs,
            "max_steps": -1 if self.max_steps is None else self.max_steps,
            "lr_scheduler_type": "cosine",
            "warmup_steps": round(steps * self.warmup_share),
            "weight_decay": self.weight_decay,
            "bf16": self.precision == "bf16",
            "use_cpu": not torch.cuda.is_available(),
            "ddp_find_unused_parameters": False,  # all that is trained is used in each step
            CHECKPOINTING: self.gradient_checkpointing,
            "train_sampling_strategy": sampling,
            "logging_steps": max(1, steps // LOGGED_POINTS),
            "save_steps": max(1, math.ceil(steps / CHECKPOINTS)),
            "save_total_limit": 1,
            "seed": self.seed,
            "data_seed": self.seed,
            "adam_beta2": 0.95,  # as large language models are trained: short runs have no use for a longer memory
            "report_to": "none",  # `tracking` adds the callbacks
            "disable_tqdm": True,  # `training.ProgressBar` shows the progress
            "max_length": None,
            "remove_unused_columns": False,
        }
