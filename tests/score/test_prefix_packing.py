"""Packed prompts: each token sees its own prompt alone, and what prompts share is there once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from babelshelf.score.prefix_packing import Row, batches, pack, rows, shared_tokens

PROMPTS = [[1, 2], [1, 2, 3], [1, 2, 3], [1, 2, 4, 5], [1, 6], [7]]
PAD = 99
some_prompts = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=6), min_size=1, max_size=12)


def what_each_sees(batch: list[Row]) -> list[tuple[list[int], list[int]]]:
    """For each prompt, the tokens and positions that its last token sees, in their order in the row."""
    packed = pack(batch, PAD)
    width = packed.input_ids.shape[1]
    ids, positions, seen = packed.input_ids.numpy(), packed.position_ids.numpy(), packed.seen().numpy()[:, 0]
    found = []
    for last in packed.last.tolist():
        row, token = divmod(last, width)
        found.append((ids[row][seen[row, token]].tolist(), positions[row][seen[row, token]].tolist()))
    return found


def test_what_consecutive_prompts_share_is_counted_from_their_beginning() -> None:
    assert shared_tokens(PROMPTS) == [0, 2, 3, 2, 1, 0]
    assert shared_tokens([]) == []


def test_one_row_holds_shared_tokens_once() -> None:
    (row,) = rows(PROMPTS, 100)
    assert row.ids == [1, 2, 3, 4, 5, 6, 7]
    assert row.positions == [0, 1, 2, 2, 3, 1, 0]
    assert row.last == [1, 2, 2, 4, 5, 6]


def test_rows_are_cut_before_they_are_too_long_and_a_longer_prompt_has_one_to_itself() -> None:
    cut = list(rows([[1, 2, 3], [1, 2, 4], [1, 2, 5], [3] * 9, [4]], 5))
    assert [row.ids for row in cut] == [[1, 2, 3, 4, 5], [3] * 9, [4]]
    assert list(rows([], 4)) == []


def test_prompts_longer_than_a_row_share_what_they_begin_with_nevertheless() -> None:
    cut = list(rows([[1] * 9 + [2], [1] * 9 + [3], [1] * 9 + [3]], 4))
    assert [row.ids for row in cut] == [[1] * 9 + [2, 3]]


def test_batches_hold_all_rows_in_order_within_their_tokens() -> None:
    made = [Row(ids=[number] * width) for number, width in enumerate([1, 2, 3, 3, 9, 30, 2, 2])]
    found = list(batches(made, 12))
    assert [row for batch in found for row in batch] == made
    assert [[len(row.ids) for row in batch] for batch in found] == [[1, 2, 3, 3], [9], [30], [2, 2]]


@given(prompts=some_prompts, tokens=st.integers(1, 30), in_order=st.booleans())
def test_the_last_token_of_a_prompt_sees_that_prompt_whatever_the_order(
    prompts: list[list[int]], tokens: int, *, in_order: bool
) -> None:
    if in_order:
        prompts.sort()
    expected = [(prompt, list(range(len(prompt)))) for prompt in prompts]
    assert what_each_sees(list(rows(prompts, tokens))) == expected


@given(prompts=some_prompts)
def test_every_token_sees_one_token_of_each_position_up_to_its_own(prompts: list[list[int]]) -> None:
    packed = pack(list(rows(sorted(prompts), 30)), PAD)
    for ids, positions, seen in zip(packed.input_ids, packed.position_ids, packed.seen()[:, 0], strict=True):
        for token in range(len(ids)):
            if ids[token] == PAD:
                assert seen[token].nonzero().flatten().tolist() == [token]
            else:
                assert positions[seen[token]].tolist() == list(range(int(positions[token]) + 1))


@pytest.mark.parametrize(("tokens", "waste"), [(24, 2.0), (64, 1.2), (10_000, 1.0)])
def test_sorted_prompts_take_hardly_more_tokens_than_a_tree_of_them(tokens: int, waste: float) -> None:
    prompts = sorted(np.random.default_rng(1).integers(0, 3, size=(200, 6)).tolist())
    tree = {tuple(prompt[: length + 1]) for prompt in prompts for length in range(6)}
    assert len(tree) <= sum(len(row.ids) for row in rows(prompts, tokens)) <= waste * len(tree) < len(prompts) * 6
