"""TRL's SFTTrainer with the loss at the answer alone, and what `preference` shares with it.

TRL computes log-probabilities and entropies at every position of a prompt of which one position carries a label; here
the model's head runs on that position only.
"""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from safetensors import SafetensorError
from torch.distributed.checkpoint.api import CheckpointException
from transformers import Trainer
from trl import SFTTrainer

from babelshelf.core.errors import InputError, first_line
from babelshelf.trainer.batches import IGNORED, FilledSampler, answers_of, at_answer, with_filler

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
FULL_TEXTS = [*map(os.strerror, sorted(FULL)), "iostream error", "inline_container"]


class ScheduledTrainer(Trainer):  # type: ignore[misc]  # transformers is not followed
    """What TRL's trainers share here, as the first of two bases: batches, learning rates, checkpoints."""

    sampling = "group_by_length"  # prompts of like length go together: little is padded
    loss_is_scaled_for_ga = True  # by `of_whole_batch`: transformers is not to divide it again

    def __init__(
        self,
        *args: Any,  # noqa: ANN401 - the base class's
        train_dataset: Dataset,
        embedding_learning_rate: float,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        # One process takes one GPU: DataParallel, over all that it sees, would take so many times the batch.
        kwargs["args"]._n_gpu = min(kwargs["args"].n_gpu, 1)
        self.embedding_learning_rate = embedding_learning_rate
        self.lengths = train_dataset["length"][:]
        filled = with_filler(train_dataset) if kwargs["args"].world_size > 1 else train_dataset
        super().__init__(*args, train_dataset=filled, **kwargs)

    def of_whole_batch(
        self, losses: torch.Tensor, answers: torch.Tensor, num_items_in_batch: torch.Tensor | int | None
    ) -> torch.Tensor:
        """The part that some rows have in the mean loss of the global batch, for this process's gradient.

        Processes' gradients are averaged (by DDP, FSDP and DeepSpeed alike), those of parts one after another are
        added: so a sum over rows is divided by the answers of the whole batch and multiplied by the processes. Then
        the gradient does not depend on how the batch is cut, and fillers count for nothing.

        Args:
            losses: of the rows, (rows,), or their sum; zero for a filler.
            answers: of the rows, (rows,), -100 for a filler.
            num_items_in_batch: answers of the global batch; None: these rows are all of it.
        """
        if num_items_in_batch is None:
            return losses.sum() / (answers != IGNORED).sum()
        mean: torch.Tensor = losses.sum() / num_items_in_batch * self.accelerator.num_processes
        return mean

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
        """The global batches' order; accelerate deals them out, `train_batch_size` rows to each process in turn."""
        if self.sampling != "group_by_length":
            return super()._get_train_sampler(train_dataset)
        at_once = self.args.train_batch_size * self.args.world_size
        return FilledSampler(
            self.lengths,
            batch_size=at_once * self.args.gradient_accumulation_steps,
            multiple=at_once if self.args.world_size > 1 else 1,
            seed=self.args.seed,
        )

    def _save_rng_state(self, output_dir: str) -> None:
        """The last of what each process writes: the main one then writes what says that a checkpoint is complete."""
        super()._save_rng_state(output_dir)
        self.accelerator.wait_for_everyone()

    def _save_checkpoint(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the base class's signature
        """Remove what a failure leaves, so that the disk has room again; the checkpoint before stays.

        Raises:
            InputError: it can't be written.
        """
        folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
        try:
            super()._save_checkpoint(*args, **kwargs)
        except (OSError, RuntimeError, SafetensorError, CheckpointException) as error:
            shutil.rmtree(folder, ignore_errors=True)
            cause = next(iter(error.failures.values()))[0] if isinstance(error, CheckpointException) else error
            if not isinstance(cause, OSError | SafetensorError) and not _is_full(cause):
                raise  # a collective that failed, a GPU without memory: nothing about the disk
            raise InputError(
                f"{folder}: the checkpoint can't be written ({_why(cause, folder.parent)} and start again: "
                "the run goes on from its last complete checkpoint"
            ) from error


def _is_full(error: BaseException) -> bool:
    """Whether a file could not grow; of that torch's writer says only that its stream has failed."""
    text = str(error)
    return (isinstance(error, OSError) and error.errno in FULL) or any(mark in text for mark in FULL_TEXTS)


def _why(error: BaseException, folder: Path) -> str:
    """What stopped the writing, and the fix."""
    if not _is_full(error):
        return f"{first_line(error)}). Fix that"
    return f"{first_line(error)}; {shutil.disk_usage(folder).free / 2**20:.0f} MiB are free there). Make room"


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

        With `return_outputs` also the logits, (rows, vocabulary).
        """
        logits, answers = at_answer(model, inputs), answers_of(inputs)
        total = torch.nn.functional.cross_entropy(logits.float(), answers, reduction="sum")
        loss = self.of_whole_batch(total, answers, num_items_in_batch)
        return (loss, {"logits": logits}) if return_outputs else loss
