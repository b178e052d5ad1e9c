"""Direct preference optimization (DPO, arXiv 2305.18290) of a fine-tuned model: TRL's DPOTrainer on one-token answers.

A labelled row is a pair of answers to one prompt: the right one is chosen, the other rejected. Both are one token at
the same position, so one forward pass of the policy and one of the reference over the prompt give all four
log-probabilities; TRL runs each prompt twice, once with each answer. The reference is the fine-tuned model as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from trl import DPOConfig, DPOTrainer
from trl.trainer.utils import use_adapter

from babelshelf.core.errors import InputError
from babelshelf.core.files import read_json
from babelshelf.llm.base_model import load_tokenizer
from babelshelf.llm.prompts import answer_ids, encode, parse
from babelshelf.trainer.batches import (
    IGNORED,
    Batch,
    Collator,
    PromptExamples,
    answers_of,
    at_answer,
    collator,
    with_labels,
)
from babelshelf.trainer.models import load_model, trained_in_fp32, without_input_casts
from babelshelf.trainer.schedule import Schedule
from babelshelf.trainer.trainers import ScheduledTrainer
from babelshelf.trainer.training import CURVE, TrainedModel, TrainingResult, run, training_counts

if TYPE_CHECKING:
    import polars as pl

    from babelshelf.dpo.params import DpoParams
    from babelshelf.trainer.tracking import Tracking

REFERENCE = "ref"  # TRL's name of the frozen copy that it makes of a model's adapter

# A reward is beta times the log of policy over reference (arXiv 2305.18290, section 4); a margin is that of the chosen
# answer less that of the rejected one, and the accuracy the share of pairs with a margin above zero.
COLUMNS = {key: key for key in CURVE} | {"reward_margin": "rewards/margins", "reward_accuracy": "rewards/accuracies"}


@dataclass(frozen=True)
class PreferencePairs:
    """Preference pairs.

    Attributes:
        chosen: prompts with the id of the right answer.
        rejected: of each prompt, the id of the other answer.
    """

    chosen: PromptExamples
    rejected: Sequence[int]


@dataclass(frozen=True)
class PairCollator:
    """Collator of prompts with two answers each; `collate` lays out the prompts."""

    collate: Collator

    def __call__(self, rows: list[dict[str, Any]]) -> Batch:
        """Batch with the chosen answers as `labels`, and with `rejected`, (rows,)."""
        return self.collate(rows) | {"rejected": torch.tensor([row["rejected"] for row in rows])}


class PreferenceTrainer(ScheduledTrainer, DPOTrainer):  # type: ignore[misc]  # trl has no types
    """DPOTrainer for answers of one token: each model reads a prompt once, with its head at one position alone."""

    def _prepare_dataset(self, dataset: Dataset, *_: Any) -> Dataset:  # noqa: ANN401 - the base class's signature
        """The rows are token ids already."""
        return dataset

    def compute_ref_log_probs(
        self, model: torch.nn.Module, inputs: dict[str, torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Log-probabilities of the chosen and the rejected answers, (rows,) each, by the reference.

        With an adapter, the reference is `model` with TRL's frozen copy of the adapter; `ref_model` otherwise.
        """
        adapted = self.ref_model is None
        switched = use_adapter(self.accelerator.unwrap_model(model), REFERENCE) if adapted else nullcontext()
        with torch.no_grad(), switched:
            return log_probs(model if adapted else self.ref_model, inputs)

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """Mean of -log sigmoid(margin) over the pairs of the global batch (arXiv 2305.18290, eq. 7).

        Raises:
            NotImplementedError: `return_outputs`, which training does not use.
        """
        if return_outputs:
            raise NotImplementedError("this trainer gives the loss alone")
        reference = torch.stack(self.compute_ref_log_probs(model, inputs))
        rewards = self.beta * (torch.stack(log_probs(model, inputs)) - reference)
        margins = rewards[0] - rewards[1]
        answers = answers_of(inputs)
        self._log_rewards(rewards.detach(), margins.detach(), answers)
        losses = torch.nn.functional.logsigmoid(margins) * -(answers != IGNORED).float()
        return self.of_whole_batch(losses, answers, num_items_in_batch)

    def _log_rewards(self, rewards: torch.Tensor, margins: torch.Tensor, answers: torch.Tensor) -> None:
        """Add to the means that the base class logs, under its names; with several parts, a mean a part."""
        values = torch.stack([rewards[0], rewards[1], margins, (margins > 0).float()], dim=1)
        values, answers = self.accelerator.gather((values, answers))
        if (answers == IGNORED).all():  # fillers only
            return
        means = values[answers != IGNORED].mean(dim=0).tolist()  # one wait for the device
        mode = "train" if self.model.training else "eval"
        for name, mean in zip(("chosen", "rejected", "margins", "accuracies"), means, strict=True):
            self._metrics[mode][f"rewards/{name}"].append(mean)


def log_probs(model: torch.nn.Module, inputs: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probabilities of a batch's chosen and rejected answers, over the whole vocabulary, (rows,) each.

    A filler has those of an arbitrary token.
    """
    of_all = at_answer(model, inputs).float().log_softmax(dim=-1)
    answers = torch.stack([answers_of(inputs).clamp(min=0), inputs["rejected"]], dim=-1)
    chosen, rejected = of_all.gather(-1, answers).unbind(-1)
    return chosen, rejected


def load_tuned(base: Path, model: Path, attention: str, dtype: str, kernels: str = "none") -> PreTrainedModel:
    """The model that `sft` wrote, to be trained on: with its adapter if it has one, or all weights.

    Args:
        base: folder of the base model.
        model: folder that `sft` wrote.
        attention: see `models.load_model`.
        dtype: of the base model's weights under an adapter.
        kernels: see `models.load_model`.

    Raises:
        InputError: all weights are to be trained, in bf16.
    """
    if not (model / "adapter_config.json").is_file():
        if dtype != "fp32":
            raise InputError(f"dpo.weights: {dtype} is for frozen weights, and {model} has no adapter: set fp32")
        return load_model(model, attention, dtype, kernels)
    from peft import PeftModel  # noqa: PLC0415 - slow to import, and not every model has an adapter

    frozen = load_model(base, attention, dtype, kernels)
    return trained_in_fp32(PeftModel.from_pretrained(frozen, model, is_trainable=True))


def fit_preferences(
    policy: PreTrainedModel,
    reference: PreTrainedModel | None,
    tokenizer: PreTrainedTokenizerBase,
    pairs: PreferencePairs,
    schedule: Schedule,
    *,
    beta: float,
    checkpoints: Path,
    trainer_class: type[PreferenceTrainer] = PreferenceTrainer,
    tracking: Tracking | None = None,
) -> TrainingResult:
    """Train `policy` in place, without dropout.

    Args:
        policy: a causal LM, or one with an adapter.
        reference: the same model, which is not trained; None for a policy with an adapter, of which TRL keeps a
            frozen copy for the time of the training.
        tokenizer: gives the id that pads.
        pairs: prompts, each with a chosen and a rejected answer.
        schedule: batch size, learning rate, epochs.
        beta: of eq. 7.
        checkpoints: see `training.Training`.
        trainer_class: defines the loss.
        tracking: where the training reports; nowhere by default.

    Returns:
        See `TrainingResult`; `loss` is that of eq. 7, and the curve has `reward_margin` and `reward_accuracy`, means
        since the point before.
    """
    arguments = schedule.arguments(len(pairs.rejected), trainer_class.sampling, checkpoints)
    trainer = trainer_class(
        model=policy,
        ref_model=reference,
        args=DPOConfig(**arguments, beta=beta),
        data_collator=PairCollator(collator(schedule.packing, tokenizer.pad_token_id)),
        train_dataset=pairs.chosen.to_dataset(rejected=pairs.rejected),
        processing_class=tokenizer,
        embedding_learning_rate=schedule.embedding_learning_rate,
    )
    result = run(trainer, COLUMNS, tracking)
    if reference is None:
        policy.delete_adapter(REFERENCE)
    return result


def optimize(
    rows: pl.DataFrame,
    base: Path,
    model: Path,
    *,
    settings: DpoParams,
    seed: int,
    checkpoints: Path,
    tracking: Tracking | None = None,
) -> TrainedModel:
    """Train a fine-tuned model on the preferences that labels state.

    Args:
        rows: a table of `tables.ROW_SCHEMA`, all labelled.
        base: folder of the base model and its tokenizer.
        model: folder of the fine-tuned model, with its `prompt.json`: where the policy starts, and the reference.
        settings: beta and schedule.
        seed: of the order of the rows.
        checkpoints: see `training.Training`.
        tracking: where the training reports; nowhere by default.
    """
    tokenizer = load_tokenizer(base)
    written = read_json(model / "prompt.json")
    prompt = parse(written["template"], str(model / "prompt.json"))
    encoded = encode(rows, prompt, tokenizer, written["max_length"])
    labels, (no, yes) = rows["label"].to_list(), answer_ids(prompt, tokenizer)
    pairs = PreferencePairs(with_labels(encoded.ids, labels, (no, yes)), [no if label else yes for label in labels])
    loaded = (base, model, settings.attention, settings.weights, settings.kernels)
    policy = load_tuned(*loaded)
    if settings.precision == "bf16":
        without_input_casts(policy)
    adapted = hasattr(policy, "peft_config")
    reference = None if adapted else load_tuned(*loaded)
    schedule = Schedule.of(settings, seed)
    result = fit_preferences(
        policy,
        reference,
        tokenizer,
        pairs,
        schedule,
        beta=settings.beta,
        checkpoints=checkpoints,
        tracking=tracking,
    )
    return TrainedModel(policy, result, training_counts(encoded, schedule))
