"""Fine-tuning of a causal LM that answers "yes" or "no": TRL's SFTTrainer, with the loss at the answer alone.

The paper's setting is supervised fine-tuning with LoRA on the one-word answer. TRL computes log-probabilities and
entropies at every position of a prompt of which one position carries a label; here prompts are padded on the left, so
that the answer is every row's last position, and the model's head runs on that position only.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerBase, Trainer
from transformers.trainer_pt_utils import DistributedLengthGroupedSampler
from trl import SFTConfig, SFTTrainer

from babelshelf.pointer import load_tokenizer, weights
from babelshelf.prompts import Encoded, answer_ids, encode, parse

if TYPE_CHECKING:
    import polars as pl

    from babelshelf.params.schedule import ScheduleParams
    from babelshelf.params.train import LoraParams, TrainParams

LOGGED_POINTS = 60  # of a learning curve
CURVE = ("step", "epoch", "loss", "learning_rate")  # columns of a learning curve, as TRL logs them
CHECKPOINTS = 6  # of a run: what a kill loses is at most this part of it


@dataclass(frozen=True)
class Examples:
    """What a model is trained on.

    Attributes:
        prompts: token ids of each prompt, without its answer.
        labels: of each prompt's tokens, the id of the answer that follows it, -100 where none does.
    """

    prompts: Sequence[list[int]]
    labels: Sequence[list[int]]


@dataclass(frozen=True)
class FineTuned:
    """What `fine_tune` gives.

    Attributes:
        model: with an adapter, or with all weights trained.
        curve: see `fit`.
        counts: metrics: rows, prompt tokens, shortened candidates, steps.
    """

    model: PreTrainedModel
    curve: list[dict[str, float]]
    counts: dict[str, int]


@dataclass(frozen=True)
class Schedule:
    """How long and how fast; the learning rate falls along a cosine after its warm-up."""

    batch_size: int
    learning_rate: float
    embedding_learning_rate: float  # of the token embeddings, where they are trained at all
    epochs: float
    warmup_share: float
    weight_decay: float
    precision: str  # fp32, or bf16 by autocast: the weights stay fp32
    gradient_checkpointing: bool
    seed: int


class ScheduledTrainer(Trainer):  # type: ignore[misc]  # transformers is not followed
    """What TRL's trainers share here, as the first of two bases: the rows' order, the embeddings' learning rate."""

    sampling = "group_by_length"  # prompts of like length go together: little is padded

    def __init__(self, *args: Any, embedding_learning_rate: float, **kwargs: Any) -> None:  # noqa: ANN401
        self.embedding_learning_rate = embedding_learning_rate
        super().__init__(*args, **kwargs)

    def create_optimizer(self, model: torch.nn.Module | None = None) -> torch.optim.Optimizer:
        """The base class's optimizer, the token embeddings in a group with a learning rate of their own.

        A weight matrix's best rate falls with the model's width, an embedding's does not (arXiv 2203.03466, table 8),
        and a row of it is touched only by the batches that hold its token.
        """
        optimizer: torch.optim.Optimizer = super().create_optimizer(model)
        embedding = {id(weight) for weight in self.model.get_input_embeddings().parameters()}
        for group in list(optimizer.param_groups):
            moved = [weight for weight in group["params"] if id(weight) in embedding]
            if moved:
                group["params"] = [weight for weight in group["params"] if id(weight) not in embedding]
                optimizer.add_param_group(group | {"params": moved, "lr": self.embedding_learning_rate})
        return optimizer

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> Any:  # noqa: ANN401 - a sampler
        """The base class's sampler by length draws from the global generator, which a resumed run has not wound on.

        This one draws each epoch's order from the seed and the epoch, so that a killed run ends with the same weights.
        """
        if self.sampling != "group_by_length":
            return super()._get_train_sampler(train_dataset)
        return DistributedLengthGroupedSampler(
            self.args.train_batch_size,
            num_replicas=1,
            rank=0,
            seed=self.args.seed,
            lengths=self.train_dataset["length"][:],
        )


class AnswerTrainer(ScheduledTrainer, SFTTrainer):  # type: ignore[misc]  # trl has no types
    """SFTTrainer that asks the model for the logits of the answer's position alone."""

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:  # noqa: ANN401 - the base class's signature
        """Mean cross-entropy of the answers over the whole vocabulary, as plain SFT has it.

        With gradient accumulation `num_items_in_batch` counts the answers of the whole batch, so that the gradient
        does not depend on how the batch is cut.
        """
        outputs = at_answer(model, inputs)
        answers = inputs["labels"][:, -1]
        total = torch.nn.functional.cross_entropy(outputs.logits[:, -1].float(), answers, reduction="sum")
        loss = total / (len(answers) if num_items_in_batch is None else num_items_in_batch)
        return (loss, outputs) if return_outputs else loss


@dataclass(frozen=True)
class LeftPadding:
    """Collator that pads on the left, so that the last token of every prompt is in the last column."""

    pad_id: int

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Batch of `input_ids`, `attention_mask` and `labels`, each (rows, longest prompt)."""
        longest = max(len(row["input_ids"]) for row in rows)
        input_ids = torch.full((len(rows), longest), self.pad_id)
        attention_mask = torch.zeros_like(input_ids)
        labels = torch.full_like(input_ids, -100)
        for index, row in enumerate(rows):
            length = len(row["input_ids"])
            input_ids[index, longest - length :] = torch.as_tensor(row["input_ids"])
            attention_mask[index, longest - length :] = 1
            labels[index, longest - length :] = torch.as_tensor(row["labels"])
        return {"input_ids": input_ids, "attention_mask": attention_mask, "labels": labels}


def at_answer(model: torch.nn.Module, inputs: dict[str, torch.Tensor]) -> Any:  # noqa: ANN401 - a model's outputs
    """Outputs for a batch that is padded on the left, its logits at the last position alone: (rows, 1, vocabulary)."""
    return model(
        input_ids=inputs["input_ids"],
        attention_mask=inputs["attention_mask"],
        logits_to_keep=1,
        use_cache=False,
    )


def load_model(folder: Path, attention: str) -> PreTrainedModel:
    """Causal LM of a base model's folder, in fp32; `attention` is transformers' `attn_implementation`."""
    return AutoModelForCausalLM.from_pretrained(weights(folder), dtype=torch.float32, attn_implementation=attention)


def with_lora(model: PreTrainedModel, lora: LoraParams, seed: int) -> PreTrainedModel:
    """The model with a fresh LoRA adapter (arXiv 2106.09685); its other weights are frozen."""
    from peft import LoraConfig, get_peft_model  # noqa: PLC0415 - slow to import, and not every run needs it

    torch.manual_seed(seed)
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=lora.target_modules,
        modules_to_save=lora.modules_to_save or None,
        ensure_weight_tying=bool(lora.modules_to_save),
    )
    return get_peft_model(model, config)


def fit(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    examples: Examples,
    schedule: Schedule,
    *,
    checkpoints: Path,
    trainer_class: type[AnswerTrainer] = AnswerTrainer,
) -> list[dict[str, float]]:
    """Train `model` in place.

    Args:
        model: a causal LM, or one with an adapter: what does not require a gradient stays as it is.
        tokenizer: gives the id that pads.
        examples: prompts with their answers.
        schedule: batch size, learning rate, epochs.
        checkpoints: a folder for this very run's checkpoints; if an earlier, killed run left one there, this one
            goes on from it and ends with the same weights.
        trainer_class: what takes the loss.

    Returns:
        The learning curve: `step`, `epoch`, `loss` (nats an answer, mean since the point before), `learning_rate`.
    """
    arguments = trainer_arguments(schedule, checkpoints, len(examples.prompts), trainer_class.sampling)
    trainer = trainer_class(
        model=model,
        args=SFTConfig(**arguments, dataset_kwargs={"skip_prepare_dataset": True}),
        data_collator=LeftPadding(tokenizer.pad_token_id),
        train_dataset=_dataset(examples),
        processing_class=tokenizer,
        embedding_learning_rate=schedule.embedding_learning_rate,
    )
    return run(trainer, checkpoints, {key: key for key in CURVE})


def run(trainer: Any, checkpoints: Path, columns: dict[str, str]) -> list[dict[str, float]]:  # noqa: ANN401 - of TRL
    """Train, from the last checkpoint where there is one; for the rest see `fit`.

    Args:
        trainer: one of TRL's.
        checkpoints: its `output_dir`.
        columns: names of the learning curve's columns, each with the name under which the trainer logs it.
    """
    trainer.train(resume_from_checkpoint=_last_checkpoint(checkpoints))
    entries = [entry for entry in trainer.state.log_history if "loss" in entry]
    return [{column: entry[key] for column, key in columns.items()} for entry in entries]


def fine_tune(
    rows: pl.DataFrame, base: Path, template: str, *, settings: TrainParams, seed: int, checkpoints: Path
) -> FineTuned:
    """Fine-tune the base model on labelled rows.

    Args:
        rows: a table of `tables.ROW_SCHEMA`, all labelled.
        base: folder of the base model and its tokenizer.
        template: text of the prompt's template.
        settings: adapter, prompt length, schedule.
        seed: of the adapter's weights and the order of the rows.
        checkpoints: see `fit`.
    """
    tokenizer = load_tokenizer(base)
    model = load_model(base, settings.attention)
    if settings.adapter == "lora":
        model = with_lora(model, settings.lora, seed)
    prompt = parse(template, settings.template)
    encoded = encode(rows, prompt, tokenizer, settings.max_length)
    examples = answered(encoded, rows["label"].to_list(), answer_ids(prompt, tokenizer))
    schedule = schedule_of(settings, seed)
    curve = fit(model, tokenizer, examples, schedule, checkpoints=checkpoints)
    return FineTuned(model, curve, counts(encoded, schedule))


def schedule_of(settings: ScheduleParams, seed: int) -> Schedule:
    """The schedule of a stage's params."""
    return Schedule(
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        embedding_learning_rate=settings.embedding_learning_rate,
        epochs=settings.epochs,
        warmup_share=settings.warmup_share,
        weight_decay=settings.weight_decay,
        precision=settings.precision,
        gradient_checkpointing=settings.gradient_checkpointing,
        seed=seed,
    )


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


def save(model: PreTrainedModel, folder: Path, prompt: dict[str, Any]) -> None:
    """Write the weights (an adapter, or all) and, beside them, the prompt that they were trained with."""
    model.save_pretrained(folder)
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
    return {
        "output_dir": str(checkpoints),
        "per_device_train_batch_size": schedule.batch_size,
        "learning_rate": schedule.learning_rate,
        "num_train_epochs": schedule.epochs,
        "lr_scheduler_type": "cosine",
        "warmup_steps": round(steps * schedule.warmup_share),
        "weight_decay": schedule.weight_decay,
        "bf16": schedule.precision == "bf16",
        "use_cpu": not torch.cuda.is_available(),
        "activation_checkpointing": schedule.gradient_checkpointing,
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
