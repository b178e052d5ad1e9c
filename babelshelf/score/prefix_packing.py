"""Pack prompts with common prefixes, so that each prefix is computed once.

Consecutive prompts become one row of tokens: the first prompt, then of each further prompt only the tokens after the
prefix that it shares with the previous one. An attention mask lets a token attend only to tokens of its own prompt, and
its position is that in its prompt (tree attention, arXiv 2305.09781, section 4.2). Sort the prompts by their tokens to
share the most: an instruction, a query with many candidates, or a category with many queries is then computed once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields

import numpy as np
import torch

NEVER = np.iinfo(np.int32).max


@dataclass
class Row:
    """Prompts in one row of tokens.

    Attributes:
        ids: token ids.
        positions: position of each token in its prompts.
        first: for each token, index of the first prompt of this row that has it.
        after: for each token, index of the first later prompt without it.
        last: for each prompt, index of its last token in the row.
        path: indices in the row of the tokens of the latest prompt.
    """

    ids: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    first: list[int] = field(default_factory=list)
    after: list[int] = field(default_factory=list)
    last: list[int] = field(default_factory=list)
    path: list[int] = field(default_factory=list)

    def add(self, prompt: Sequence[int], shared: int) -> None:
        """Append a prompt that shares its first `shared` tokens with the latest one."""
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
        first, after: int32, shape (rows, tokens): see `Row`.
        last: int64, shape (prompts,): indices of the prompts' last tokens in the flattened rows.
    """

    input_ids: torch.Tensor
    position_ids: torch.Tensor
    first: torch.Tensor
    after: torch.Tensor
    last: torch.Tensor

    def to(self, device: torch.device) -> Packed:
        """The same on another device."""
        return Packed(*(getattr(self, field.name).to(device) for field in fields(self)))

    def seen(self) -> torch.Tensor:
        """Attention mask, bool, shape (rows, 1, tokens, tokens): which of the fourth axis a token of the third sees.

        It is made on the tensors' device, as it is as many times larger as a row has tokens.
        """
        width, device = self.first.shape[1], self.first.device
        seen = self.first[:, :, None] < self.after[:, None, :]
        seen &= torch.ones(width, width, dtype=torch.bool, device=device).tril()
        seen |= torch.eye(width, dtype=torch.bool, device=device)  # of padding: the softmax of an empty set is NaN
        return seen[:, None]


def rows(prompts: Sequence[list[int]], tokens: int) -> Iterator[Row]:
    """Pack all prompts, in their order, into rows of at most `tokens` tokens.

    A prompt with a shared prefix may make its row twice as long as itself, because prompts longer than half of `tokens`
    could otherwise share nothing.

    Args:
        prompts: token ids, at least one each.
        tokens: longer rows share more, but attention costs grow with the square of the length.
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
    """Length of the prefix that each prompt shares with the previous one; 0 for the first."""
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
    """Batches of consecutive rows: as many rows as fit into `tokens` padded tokens, at least one."""
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
    """Rows as padded tensors."""
    width = max(len(row.ids) for row in batch)
    ids, positions, first, after = (
        torch.from_numpy(np.array([values + [filler] * (width - len(values)) for values in column], dtype=dtype))
        for column, filler, dtype in (
            ([row.ids for row in batch], pad_id, np.int64),
            ([row.positions for row in batch], 0, np.int64),
            ([row.first for row in batch], NEVER, np.int32),
            ([row.after for row in batch], 0, np.int32),
        )
    )
    last = np.concatenate([np.array(row.last) + number * width for number, row in enumerate(batch)])
    return Packed(ids, positions, first, after, torch.from_numpy(last))
