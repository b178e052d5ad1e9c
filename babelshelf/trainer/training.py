"""One training of a causal LM that answers "yes" or "no": TRL's SFTTrainer, with the loss at the answer alone.

`babelshelf.trainer.trainers` has the loss. In several processes (`babelshelf.trainer.distributed`) every function is
called by all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from trl import SFTConfig

from babelshelf.core.errors import InputError
from babelshelf.core.files import read_json, write_json
from babelshelf.llm.prompts import Encoded
from babelshelf.runtime import screen
from babelshelf.trainer.batches import PromptExamples, collator
from babelshelf.trainer.schedule import Schedule
from babelshelf.trainer.tracking import Tracking
from babelshelf.trainer.trainers import AnswerTrainer

CURVE = ("step", "epoch", "loss", "learning_rate")  # columns of a learning curve, as TRL logs them


@dataclass(frozen=True)
class TrainingResult:
    """What a training gives beside the model that it changed.

    Attributes:
        curve: `step`, `epoch`, `loss` (nats an answer, mean since the point before), `learning_rate`.
        state: the weights, whole, where processes share the model (FSDP, ZeRO-3), in the main one; None elsewhere.
    """

    curve: list[dict[str, float]]
    state: dict[str, torch.Tensor] | None


@dataclass(frozen=True)
class TrainedModel:
    """A trained model, as it is saved.

    Attributes:
        model: with an adapter, or with all weights trained.
        result: of its training.
        counts: metrics: rows, prompt tokens, shortened candidates, steps.
    """

    model: PreTrainedModel
    result: TrainingResult
    counts: dict[str, int]


class Training:
    """A training that goes on from its last checkpoint, and ends with the same weights as one that was not killed.

    Create it before the model is loaded: ZeRO-3 then shards the model while it loads.

    Args:
        examples: prompts with their answers.
        schedule: batch size, learning rate, epochs.
        checkpoints: folder for the checkpoints of this very training.
        trainer_class: defines the loss.
        tracking: where it reports; nowhere by default.
    """

    def __init__(
        self,
        examples: PromptExamples,
        schedule: Schedule,
        checkpoints: Path,
        trainer_class: type[AnswerTrainer] = AnswerTrainer,
        tracking: Tracking | None = None,
    ) -> None:
        self._examples = examples
        self._schedule = schedule
        self._trainer_class = trainer_class
        self._tracking = tracking
        arguments = schedule.arguments(len(examples.prompts), trainer_class.sampling, checkpoints)
        self._config = SFTConfig(**arguments, dataset_kwargs={"skip_prepare_dataset": True})

    def fit(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> TrainingResult:
        """Train `model` in place.

        Args:
            model: a causal LM, or one with an adapter: what does not require a gradient stays as it is.
            tokenizer: gives the id that pads.
        """
        trainer = self._trainer_class(
            model=model,
            args=self._config,
            data_collator=collator(self._schedule.packing, tokenizer.pad_token_id),
            train_dataset=self._examples.to_dataset(),
            processing_class=tokenizer,
            embedding_learning_rate=self._schedule.embedding_learning_rate,
        )
        return run(trainer, {key: key for key in CURVE}, self._tracking)


class ProgressBar(TrainerCallback):  # type: ignore[misc]  # transformers is not followed
    """Gradient steps with the latest loss, on the screen of the main process."""

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Begin at the step of the checkpoint."""
        self._bar = screen.progress(total=state.max_steps, initial=state.global_step, desc="train", unit="step")

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        """Count a step."""
        self._bar.update(state.global_step - self._bar.n)

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        """Show the loss, the mean since the point before."""
        if "loss" in state.log_history[-1]:
            self._bar.set_postfix(loss=f"{state.log_history[-1]['loss']:.3f}", refresh=False)

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        """Remove the bar."""
        self._bar.close()


def run(
    trainer: Any,  # noqa: ANN401 - of TRL
    columns: dict[str, str],
    tracking: Tracking | None = None,
) -> TrainingResult:
    """Train, from the last checkpoint in the trainer's `output_dir` where there is one.

    Args:
        trainer: one of TRL's.
        columns: names of the learning curve's columns, each with the name under which the trainer logs it.
        tracking: where it reports; nowhere by default.

    Raises:
        InputError: a checkpoint can't be written, or is of another number of processes.
    """
    checkpoints = Path(trainer.args.output_dir)
    last = last_checkpoint(checkpoints)
    _same_processes(trainer.accelerator, checkpoints, last)
    trainer.add_callback(ProgressBar)
    if tracking is not None:
        trainer.args.run_name = tracking.run
        for callback in tracking.callbacks():
            trainer.add_callback(callback)
    trainer.train(resume_from_checkpoint=None if last is None else str(last))
    entries = [entry for entry in trainer.state.log_history if "loss" in entry]
    curve = [{column: entry[key] for column, key in columns.items()} for entry in entries]
    shared = trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled
    return TrainingResult(curve, trainer.accelerator.get_state_dict(trainer.model_wrapped) if shared else None)


def last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that is complete: the trainer's state is what a checkpoint gets last."""
    complete = [path.parent for path in folder.glob("checkpoint-*/trainer_state.json")]
    return max(complete, key=lambda path: int(path.name.split("-")[1]), default=None)


def training_counts(encoded: Encoded, schedule: Schedule) -> dict[str, int]:
    """Metrics of a training: rows, prompt tokens, shortened candidates, steps."""
    return {
        "rows": len(encoded.ids),
        "prompt_tokens": sum(map(len, encoded.ids)),
        "shortened_candidates": encoded.shortened,
        "steps": schedule.steps(len(encoded.ids)),
    }


def _same_processes(accelerator: Any, checkpoints: Path, last: Path | None) -> None:  # noqa: ANN401 - of accelerate
    """Raise unless the run goes on as it began: its optimizer, its dropout and its shards are of just so many."""
    file = checkpoints / "processes.json"
    now = {"processes": accelerator.num_processes, "type": accelerator.distributed_type.value}
    if last is None and accelerator.is_main_process:
        write_json(file, now)
    began = read_json(file) if last is not None and file.is_file() else now
    if began != now:
        raise InputError(
            f"{last}: this run began with {began['processes']} processes ({began['type']}), now there are "
            f"{now['processes']} ({now['type']}): start as many again, or remove {checkpoints} to begin anew"
        )
