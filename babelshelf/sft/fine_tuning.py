"""Fine-tune a base model, or a LoRA adapter of it, on labelled rows: what the stage `sft` calls."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from transformers import PreTrainedModel

from babelshelf.llm.base_model import load_tokenizer
from babelshelf.llm.prompts import Template, answer_ids, encode
from babelshelf.trainer.batches import with_labels
from babelshelf.trainer.models import load_model, trained_in_fp32, without_input_casts
from babelshelf.trainer.schedule import Schedule
from babelshelf.trainer.trainers import AnswerTrainer
from babelshelf.trainer.training import TrainedModel, Training, TrainingResult, training_counts

if TYPE_CHECKING:
    import polars as pl

    from babelshelf.sft.params import LoraParams, SftParams
    from babelshelf.trainer.tracking import Tracking


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
    return trained_in_fp32(get_peft_model(model, config))


def fine_tune(
    rows: pl.DataFrame,
    base: Path,
    template: Template,
    *,
    settings: SftParams,
    seed: int,
    checkpoints: Path,
    trainer_class: type[AnswerTrainer] = AnswerTrainer,
    tracking: Tracking | None = None,
) -> TrainedModel:
    """Fine-tune the base model on labelled rows.

    Args:
        rows: a table of `core.rows.ROW_SCHEMA`, all labelled.
        base: folder of the base model and its tokenizer.
        template: of the prompts.
        settings: adapter, prompt length, schedule.
        seed: of the adapter's weights and the order of the rows.
        checkpoints: see `Training`.
        trainer_class: defines the loss.
        tracking: where the training reports; nowhere by default.
    """
    tokenizer = load_tokenizer(base)
    encoded = encode(rows, template, tokenizer, settings.max_length)
    examples = with_labels(encoded.ids, rows["label"].to_list(), answer_ids(template, tokenizer))
    schedule = Schedule.of(settings, seed)
    if settings.steps != "none":
        schedule = replace(schedule, max_steps=settings.steps)
    training = None if settings.steps == 0 else Training(examples, schedule, checkpoints, trainer_class, tracking)
    model = load_model(base, settings.attention, settings.weights, settings.kernels)
    if settings.adapter == "lora":
        model = with_lora(model, settings.lora, seed)
    if settings.precision == "bf16":
        without_input_casts(model)
    result = TrainingResult([], None) if training is None else training.fit(model, tokenizer)
    return TrainedModel(model, result, training_counts(encoded, schedule))
