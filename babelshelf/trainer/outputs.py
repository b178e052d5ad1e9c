"""The common part of the stages `sft` and `dpo`: start the processes, train, and write what a training gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from babelshelf.core.files import read_json, replacing, write_json
from babelshelf.core.rows import write_csv
from babelshelf.trainer import distributed
from babelshelf.trainer.models import save
from babelshelf.trainer.params import ScheduleParams
from babelshelf.trainer.training import CURVE, TrainedModel


@dataclass(frozen=True)
class Outputs:
    """Where a training stage writes.

    Attributes:
        model: folder of the weights or the adapter.
        metrics: JSON of the counts.
        curve: CSV of the learning curve.
    """

    model: Path
    metrics: Path
    curve: Path

    def summary(self) -> str:
        """What came out, for the screen."""
        counts, losses = read_json(self.metrics), pl.read_csv(self.curve)["loss"]
        last = f", loss {losses[-1]:.3g}" if len(losses) else ""
        return f"{counts['rows']:,} rows, {counts['steps']:,} steps{last}"


def train_and_write(
    stage: str,
    train: Callable[[Path], TrainedModel],
    *,
    work: Sequence[object],
    prompt: dict[str, Any],
    settings: ScheduleParams,
    accelerate: Path,
    outputs: Outputs,
) -> str:
    """Train in this process, or in those that a configuration of accelerate asks for, and write the outputs.

    Args:
        stage: name of the stage and its script.
        train: trains a model; its argument is the folder of the training's checkpoints.
        work: what the training depends on, see `partial_work`.
        prompt: see `models.save`.
        settings: batch size and micro-batch size.
        accelerate: a file of `profiles/accelerate/`.
        outputs: where to write.

    Returns:
        What came out, for the screen; nothing in a process that another one started.
    """
    if distributed.launched(accelerate, f"stages.{stage}", settings.batch_size, settings.micro_batch_size):
        return outputs.summary()
    with distributed.shared_work(stage, *work) as checkpoints:
        trained = train(checkpoints)
        if distributed.is_main():
            with replacing(outputs.model) as folder:
                save(trained.model, folder, prompt, trained.result.state)
    if not distributed.is_main():
        return ""
    write_json(outputs.metrics, trained.counts)
    write_csv(outputs.curve, pl.DataFrame(trained.result.curve, schema=None if trained.result.curve else list(CURVE)))
    return outputs.summary()
