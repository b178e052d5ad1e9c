"""Training of a causal LM that answers "yes" or "no": TRL's SFTTrainer, with the loss at the answer alone.

`babelshelf.trainer.trainers` has the loss. In several processes (`babelshelf.trainer.distributed`) every function is
called by all of them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerBase
from transformers.integrations import is_deepspeed_zero3_enabled
from transformers.utils import is_flash_attn_2_available
from trl import SFTConfig

from babelshelf.core.errors import InputError
from babelshelf.core.files import read_json, write_json
from babelshelf.llm.base_model import DTYPES, weights
from babelshelf.llm.prompts import Encoded
from babelshelf.trainer import distributed
from babelshelf.trainer.accelerate_config import accumulation
from babelshelf.trainer.batches import Examples, collator
from babelshelf.trainer.trainers import AnswerTrainer

if TYPE_CHECKING:
    from babelshelf.trainer.params import ScheduleParams

LOGGED_POINTS = 60  # of a learning curve
CURVE = ("step", "epoch", "loss", "learning_rate")  # columns of a learning curve, as TRL logs them
CHECKPOINTS = 6  # of a run: what a kill loses is at most this part of it


@dataclass(frozen=True)
class Trained:
    """What `fit` gives.

    Attributes:
        curve: `step`, `epoch`, `loss` (nats an answer, mean since the point before), `learning_rate`.
        state: the weights, whole, where processes share the model (FSDP, ZeRO-3), in the main one; None elsewhere.
    """

    curve: list[dict[str, float]]
    state: dict[str, torch.Tensor] | None


@dataclass(frozen=True)
class FineTuned:
    """A trained model, as it is to be saved.

    Attributes:
        model: with an adapter, or with all weights trained.
        trained: see `fit`.
        counts: metrics: rows, prompt tokens, shortened candidates, steps.
    """

    model: PreTrainedModel
    trained: Trained
    counts: dict[str, int]


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


def load_model(folder: Path, attention: str, dtype: str) -> PreTrainedModel:
    """Causal LM of a base model's folder.

    Args:
        folder: of the base model.
        attention: transformers' `attn_implementation`.
        dtype: of the weights, `fp32` or `bf16`.

    Raises:
        InputError: FlashAttention-2 can't be had here.
    """
    if attention == "flash_attention_2" and not (torch.cuda.is_available() and is_flash_attn_2_available()):
        lacking = "the package flash-attn" if torch.cuda.is_available() else "a GPU with CUDA"
        raise InputError(f"attention: flash_attention_2 needs {lacking}, which is not here; take sdpa or eager")
    return AutoModelForCausalLM.from_pretrained(weights(folder), dtype=DTYPES[dtype], attn_implementation=attention)


def trained_in_fp32(model: PreTrainedModel) -> PreTrainedModel:
    """The model, its frozen weights as they are and those that are trained in fp32.

    In bf16, of three significant digits, most steps of a small learning rate would change nothing. Under ZeRO-3 all
    weights of a model must have one type, and DeepSpeed keeps an fp32 copy of those that it trains.
    """
    for weight in model.parameters():
        if weight.requires_grad:
            weight.data = weight.data.to(model.dtype if is_deepspeed_zero3_enabled() else torch.float32)
    return model


def fit(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    examples: Examples,
    schedule: Schedule,
    *,
    checkpoints: Path,
    trainer_class: type[AnswerTrainer] = AnswerTrainer,
) -> Trained:
    """Train `model` in place.

    Args:
        model: a causal LM, or one with an adapter: what does not require a gradient stays as it is.
        tokenizer: gives the id that pads.
        examples: prompts with their answers.
        schedule: batch size, learning rate, epochs.
        checkpoints: a folder for this very run's checkpoints; if an earlier, killed run left one there, this one
            goes on from it and ends with the same weights.
        trainer_class: what takes the loss.
    """
    config = configuration(schedule, checkpoints, examples, trainer_class)
    return fit_with(model, tokenizer, examples, schedule, config=config, trainer_class=trainer_class)


def configuration(
    schedule: Schedule, checkpoints: Path, examples: Examples, trainer_class: type[AnswerTrainer] = AnswerTrainer
) -> SFTConfig:
    """TRL's configuration of a run; for the arguments see `fit`."""
    arguments = trainer_arguments(schedule, checkpoints, len(examples.prompts), trainer_class.sampling)
    return SFTConfig(**arguments, dataset_kwargs={"skip_prepare_dataset": True})


def fit_with(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    examples: Examples,
    schedule: Schedule,
    *,
    config: SFTConfig,
    trainer_class: type[AnswerTrainer] = AnswerTrainer,
) -> Trained:
    """Train `model` in place with a configuration that was made before it was loaded; for the rest see `fit`."""
    trainer = trainer_class(
        model=model,
        args=config,
        data_collator=collator(schedule.packing, tokenizer.pad_token_id),
        train_dataset=_dataset(examples),
        processing_class=tokenizer,
        embedding_learning_rate=schedule.embedding_learning_rate,
    )
    return run(trainer, Path(config.output_dir), {key: key for key in CURVE})


def run(trainer: Any, checkpoints: Path, columns: dict[str, str]) -> Trained:  # noqa: ANN401 - of TRL
    """Train, from the last checkpoint where there is one; for the rest see `fit`.

    Args:
        trainer: one of TRL's.
        checkpoints: its `output_dir`.
        columns: names of the learning curve's columns, each with the name under which the trainer logs it.

    Raises:
        InputError: a checkpoint can't be written, or is of another number of processes.
    """
    last = _last_checkpoint(checkpoints)
    _same_processes(trainer.accelerator, checkpoints, last)
    trainer.train(resume_from_checkpoint=last)
    entries = [entry for entry in trainer.state.log_history if "loss" in entry]
    curve = [{column: entry[key] for column, key in columns.items()} for entry in entries]
    shared = trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled
    return Trained(curve, trainer.accelerator.get_state_dict(trainer.model_wrapped) if shared else None)


def _same_processes(accelerator: Any, checkpoints: Path, last: str | None) -> None:  # noqa: ANN401 - of accelerate
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


def schedule_of(settings: ScheduleParams, seed: int) -> Schedule:
    """The schedule of a stage's params."""
    shared = [field.name for field in fields(Schedule) if field.name != "seed"]
    return Schedule(**{name: getattr(settings, name) for name in shared}, seed=seed)


def answered(encoded: Encoded, labels: Sequence[int], answers: tuple[int, int]) -> Examples:
    """Prompts with the right answer after the last token of each; `answers` are the ids of "no" and "yes"."""
    told = [[-100] * (len(ids) - 1) + [answers[label]] for ids, label in zip(encoded.ids, labels, strict=True)]
    return Examples(encoded.ids, told)


def counts(encoded: Encoded, schedule: Schedule) -> dict[str, int]:
    """Metrics of a training: rows, prompt tokens, shortened candidates, steps."""
    return {
        "rows": len(encoded.ids),
        "prompt_tokens": sum(map(len, encoded.ids)),
        "shortened_candidates": encoded.shortened,
        "steps": _steps(len(encoded.ids), schedule),
    }


def save(
    model: PreTrainedModel, folder: Path, prompt: dict[str, Any], state: dict[str, torch.Tensor] | None = None
) -> None:
    """Write the weights (an adapter, or all) and, beside them, the prompt that they were trained with.

    Args:
        model: its weights are written, unless `state` has them.
        folder: to be made.
        prompt: `template`, `max_length` and `base`, the base model's `pointer.identity`.
        state: see `Trained`.
    """
    model.save_pretrained(folder, state_dict=state)
    (folder / "README.md").unlink(missing_ok=True)  # the trainer's model card names nothing of this run
    (folder / "prompt.json").write_text(json.dumps(prompt, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _steps(rows: int, schedule: Schedule) -> int:
    return math.ceil(math.ceil(rows / schedule.batch_size) * schedule.epochs)


def _last_checkpoint(folder: Path) -> str | None:
    """The newest checkpoint that is complete: the trainer's state is what a checkpoint gets last."""
    complete = [path.parent for path in folder.glob("checkpoint-*/trainer_state.json")]
    return str(max(complete, key=lambda path: int(path.name.split("-")[1]))) if complete else None


def _dataset(examples: Examples) -> Dataset:
    return Dataset.from_dict(
        {
            "input_ids": examples.prompts,
            "labels": examples.labels,
            "length": [len(prompt) for prompt in examples.prompts],
        }
    )


def trainer_arguments(schedule: Schedule, checkpoints: Path, rows: int, sampling: str) -> dict[str, Any]:
    """What the configurations of all of TRL's trainers share."""
    steps = _steps(rows, schedule)
    processes = distributed.state().num_processes
    return {
        "output_dir": str(checkpoints),
        "per_device_train_batch_size": schedule.micro_batch_size,
        "gradient_accumulation_steps": accumulation(schedule.batch_size, schedule.micro_batch_size, processes),
        "learning_rate": schedule.learning_rate,
        "num_train_epochs": schedule.epochs,
        "lr_scheduler_type": "cosine",
        "warmup_steps": round(steps * schedule.warmup_share),
        "weight_decay": schedule.weight_decay,
        "bf16": schedule.precision == "bf16",
        "use_cpu": not torch.cuda.is_available(),
        "ddp_find_unused_parameters": False,  # all that is trained is used in each step
        "gradient_checkpointing": schedule.gradient_checkpointing,  # the name before transformers 5.23, as vLLM has it
        "train_sampling_strategy": sampling,
        "logging_steps": max(1, steps // LOGGED_POINTS),
        "save_steps": max(1, math.ceil(steps / CHECKPOINTS)),
        "save_total_limit": 1,
        "seed": schedule.seed,
        "data_seed": schedule.seed,
        "adam_beta2": 0.95,  # as large language models are trained: short runs have no use for a longer memory
        "report_to": "none",
        "max_length": None,
        "remove_unused_columns": False,
    }
