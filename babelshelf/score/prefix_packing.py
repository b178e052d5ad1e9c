"""Prompts that begin alike, packed so that what they share is computed once.

Consecutive prompts become one row of tokens: the first prompt, then of each further one just the tokens after what it
shares with the one before. A token sees those of its own prompt alone, through an attention mask, and has the position
that it has in its prompt (tree attention, arXiv 2305.09781, section 4.2). The most is saved where prompts come in the
order of their tokens: an instruction, a query with many candidates and a category with many queries then count once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

NEVER = np.iinfo(np.int64).max


@dataclass
class Row:
    """Prompts in one row of tokens.

    Attributes:
        ids: of the tokens.
        positions: of each token in its prompts.
        first: number in this row of the first prompt that has the token.
        after: number in this row of the first prompt after that which has it no more.
        last: for each prompt, where in the row its last token is.
        path: where in the row the tokens of the latest prompt are.
    """

    ids: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    first: list[int] = field(default_factory=list)
    after: list[int] = field(default_factory=list)
    last: list[int] = field(default_factory=list)
    path: list[int] = field(default_factory=list)

    def add(self, prompt: Sequence[int], shared: int) -> None:
        """Append a prompt whose first `shared` tokens are those of the latest one."""
        number, start, new = len(self.last), len(self.ids), len(prompt) - shared
        for index in self.path[shared:]:
            self.after[index] = number
        self.path[shared:] = range(start, start + new)
        self.ids.extend(prompt[shared:])
        self.positions.extend(range(shared, len(prompt)))
        self.first.extend([number] * new)
        self.after.extend([NEVER] * new)
        self.last.append(self.path[-1])


@dataclass(frozen=True)
class Packed:
    """Rows as tensors, padded on the right.

    Attributes:
        input_ids, position_ids: int64, shape (rows, tokens).
        seen: bool, shape (rows, 1, tokens, tokens): whether the token of the third axis sees that of the fourth.
        last: int64, shape (prompts,): where the prompts' last tokens are in the flattened rows.
    """

    input_ids: torch.Tensor
    position_ids: torch.Tensor
    seen: torch.Tensor
    last: torch.Tensor


def rows(prompts: Sequence[list[int]], tokens: int) -> Iterator[Row]:
    """Rows of at most `tokens` tokens that hold all prompts in their order.

    A longer prompt that shares something may make a row of twice its length, or none of its kind would share anything.

    Args:
        prompts: at least one token each.
        tokens: more share more, and each token then takes longer to see the others.
    """
    row = Row()
    for prompt, shared in zip(prompts, shared_tokens(prompts), strict=True):
        limit = max(tokens, 2 * len(prompt)) if shared else tokens
        if row.last and len(row.ids) + len(prompt) - shared > limit:
            yield row
            row = Row()
        row.add(prompt, shared if row.last else 0)
    if row.last:
        yield row


def shared_tokens(prompts: Sequence[list[int]]) -> list[int]:
    """How many tokens at its beginning each prompt shares with the one before; 0 for the first."""
    if not prompts:
        return []
    lengths = np.array([len(prompt) for prompt in prompts])
    longest = lengths.max()
    padded = np.full((len(prompts), longest + 1), -1, dtype=np.int32)
    padded[np.arange(longest + 1) < lengths[:, None]] = np.concatenate(prompts)
    differ = padded[1:] != padded[:-1]
    differ[:, longest] = True
    least = np.minimum(lengths[1:], lengths[:-1])
    return [0, *np.minimum(differ.argmax(axis=1), least).tolist()]


def batches(rows: Iterable[Row], tokens: int) -> Iterator[list[Row]]:
    """Runs of consecutive rows, as many as fit into `tokens` padded tokens, at least one."""
    batch: list[Row] = []
    widest = 0
    for row in rows:
        widest = max(widest, len(row.ids))
        if batch and widest * (len(batch) + 1) > tokens:
            yield batch
            batch, widest = [], len(row.ids)
        batch.append(row)
    if batch:
        yield batch


def pack(batch: Sequence[Row], pad_id: int) -> Packed:
    """Tensors of some rows."""
    width = max(len(row.ids) for row in batch)
    ids, positions, first, after = (
        np.array([values + [filler] * (width - len(values)) for values in column])
        for column, filler in (
            ([row.ids for row in batch], pad_id),
            ([row.positions for row in batch], 0),
            ([row.first for row in batch], NEVER),
            ([row.after for row in batch], 0),
        )
    )
    seen = (first[:, :, None] < after[:, None, :]) & np.tri(width, dtype=bool)
    seen |= np.eye(width, dtype=bool)  # the filling sees itself, as a softmax of nothing is no number
    last = np.concatenate([np.array(row.last) + number * width for number, row in enumerate(batch)])
    return Packed(
        input_ids=torch.from_numpy(ids),
        position_ids=torch.from_numpy(positions),
        seen=torch.from_numpy(seen[:, None]),
        last=torch.from_numpy(last),
    )
