"""Batches of prompts that a model answers with one token: how rows are laid out, and which rows are one batch.

The global batch, of which one gradient step is made, is cut into parts: one after another (gradient accumulation) and
side by side (processes). Its rows and their order are those of one process with the whole batch, however it is cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from datasets import Dataset
from transformers.trainer_pt_utils import DistributedLengthGroupedSampler

IGNORED = -100  # a label that counts for nothing, as PyTorch has it

Batch = dict[str, torch.Tensor]
Collator = Callable[[list[dict[str, Any]]], Batch]


@dataclass(frozen=True)
class PromptExamples:
    """What a model is trained on.

    Attributes:
        prompts: token ids of each prompt, without its answer.
        labels: of each prompt's tokens, the id of the answer that follows it, -100 where none does.
    """

    prompts: Sequence[list[int]]
    labels: Sequence[list[int]]

    def to_dataset(self, **columns: Sequence[int]) -> Dataset:
        """A row a prompt: `input_ids`, `labels`, `length` in tokens, and further columns."""
        lengths = [len(prompt) for prompt in self.prompts]
        return Dataset.from_dict({"input_ids": self.prompts, "labels": self.labels, "length": lengths, **columns})


def with_labels(prompts: Sequence[list[int]], labels: Sequence[int], answers: tuple[int, int]) -> PromptExamples:
    """Prompts with the right answer after the last token of each; `answers` are the ids of "no" and "yes"."""
    targets = [[IGNORED] * (len(ids) - 1) + [answers[label]] for ids, label in zip(prompts, labels, strict=True)]
    return PromptExamples(prompts, targets)


@dataclass(frozen=True)
class LeftPadding:
    """Collator that pads on the left, so that the last token of every prompt is in the last column."""

    pad_id: int

    def __call__(self, rows: list[dict[str, Any]]) -> Batch:
        """Batch of `input_ids`, `attention_mask` and `labels`, each (rows, longest prompt)."""
        longest = max(len(row["input_ids"]) for row in rows)
        input_ids = torch.full((len(rows), longest), self.pad_id)
        attention_mask = torch.zeros_like(input_ids)
        labels = torch.full_like(input_ids, IGNORED)
        for index, row in enumerate(rows):
            length = len(row["input_ids"])
            input_ids[index, longest - length :] = torch.as_tensor(row["input_ids"])
            attention_mask[index, longest - length :] = 1
            labels[index, longest - length :] = torch.as_tensor(row["labels"])
        return {"input_ids": input_ids, "attention_mask": attention_mask, "labels": labels}


def padding_free(rows: list[dict[str, Any]]) -> Batch:
    """Batch of the rows' prompts one after another, without padding.

    Positions begin at 0 again with each prompt: by that, attention keeps prompts apart (transformers makes a mask of
    it, FlashAttention-2 the prompts' offsets).

    Returns:
        `input_ids`, `position_ids` and `labels`, each (1, tokens), and `answer_at`, (rows,): the last token of each.
    """
    lengths = torch.tensor([len(row["input_ids"]) for row in rows])
    return {
        "input_ids": torch.cat([torch.as_tensor(row["input_ids"]) for row in rows])[None],
        "position_ids": torch.cat([torch.arange(length) for length in lengths.tolist()])[None],
        "labels": torch.cat([torch.as_tensor(row["labels"]) for row in rows])[None],
        "answer_at": lengths.cumsum(0) - 1,
    }


def collator(packing: str, pad_id: int) -> Collator:
    """The collator of the param `packing`."""
    return padding_free if packing == "padding_free" else LeftPadding(pad_id)


def at_answer(model: torch.nn.Module, batch: Batch) -> torch.Tensor:
    """Logits at the last token of each prompt, (rows, vocabulary): the model's head runs nowhere else.

    The last column is named by its index. By the number 1, transformers cuts a view, whose product with the head's
    weights PyTorch makes row by row: on a CPU a third of a LoRA step of Gemma 3 270M (docs/benchmarks.md).
    """
    read = {key: batch[key] for key in ("input_ids", "attention_mask", "position_ids") if key in batch}
    last = torch.tensor([batch["input_ids"].shape[1] - 1], device=batch["input_ids"].device)
    logits: torch.Tensor = model(**read, logits_to_keep=batch.get("answer_at", last), use_cache=False).logits
    return logits[0] if "answer_at" in batch else logits[:, 0]


def answers_of(batch: Batch) -> torch.Tensor:
    """Token ids of the right answers, (rows,); -100 for a filler."""
    return batch["labels"][0, batch["answer_at"]] if "answer_at" in batch else batch["labels"][:, -1]


def with_filler(rows: Dataset) -> Dataset:
    """The rows and, as the last, one whose answer counts for nothing: a copy of the shortest without its label."""
    lengths = rows["length"][:]
    shortest = rows[lengths.index(min(lengths))]
    return rows.add_item(shortest | {"labels": [IGNORED] * len(shortest["labels"])})


class FilledSampler(DistributedLengthGroupedSampler):  # type: ignore[misc]  # transformers is not followed
    """Rows of like length together, in an order that depends on the seed, the epoch and the *global* batch alone.

    The base class shuffles by seed and epoch, not by the global generator, which a resumed run has not wound on. At the
    end of an epoch each process must have as many rows as the others, or they wait for each other for ever. Accelerate
    would begin again with the first rows, which would then count twice; this one adds the filler.
    """

    def __init__(self, lengths: Sequence[int], *, batch_size: int, multiple: int, seed: int) -> None:
        """`lengths` in tokens, without the filler's; `batch_size` is the global one; `multiple`: fill up to that."""
        super().__init__(batch_size, num_replicas=1, rank=0, seed=seed, lengths=lengths)
        self.fillers = -len(lengths) % multiple

    def __iter__(self) -> Iterator[int]:
        """Indices of rows, then of the filler, which stands after the last row."""
        yield from super().__iter__()
        yield from [len(self.lengths)] * self.fillers

    def __len__(self) -> int:
        """Rows and fillers of an epoch."""
        return len(self.lengths) + self.fillers
