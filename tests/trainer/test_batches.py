"""Batches: a global batch holds the same rows however it is cut, fillers count for nothing, no prompt sees another."""

from __future__ import annotations

import pytest
import torch
from accelerate.data_loader import BatchSamplerShard
from torch.utils.data import BatchSampler
from transformers import AutoModelForCausalLM, PreTrainedModel

from babelshelf.llm.prompts import answer_ids, encode
from babelshelf.trainer.batches import (
    FilledSampler,
    LeftPadding,
    PromptExamples,
    answers_of,
    at_answer,
    padding_free,
    with_filler,
    with_labels,
)
from tests.helpers import tiny_lm

TOKENIZER = tiny_lm.tokenizer()
LENGTHS = [3 + number * 7 % 11 for number in range(30)]
GLOBAL = 12


def dealt(processes: int, accumulation: int, rows: int) -> list[list[list[list[int]]]]:
    """Indices by step, process and part, as accelerate deals them out."""
    micro = GLOBAL // (processes * accumulation)
    multiple = micro * processes if processes > 1 else 1
    parts = []
    for rank in range(processes):
        sampler = FilledSampler(LENGTHS[:rows], batch_size=GLOBAL, multiple=multiple, seed=1)
        batches = BatchSampler(sampler, micro, drop_last=False)
        assert len(batches) == -(-len(sampler) // micro)
        parts.append(list(BatchSamplerShard(batches, processes, rank) if processes > 1 else batches))
    assert len({len(part) for part in parts}) == 1  # or one process would wait for the others for ever
    steps = range(0, len(parts[0]), accumulation)
    return [[part[start : start + accumulation] for part in parts] for start in steps]


def rows_of(step: list[list[list[int]]], rows: int) -> list[int]:
    return sorted(index for process in step for part in process for index in part if index < rows)


@pytest.mark.parametrize("rows", [30, 25, 24, 13])
@pytest.mark.parametrize(("processes", "accumulation"), [(1, 3), (2, 1), (2, 3), (3, 2), (4, 3)])
def test_each_row_comes_once_and_each_step_has_the_rows_that_one_process_has(
    processes: int, accumulation: int, rows: int
) -> None:
    whole = [rows_of(step, rows) for step in dealt(1, 1, rows)]
    assert sorted(index for step in whole for index in step) == list(range(rows))
    assert [rows_of(step, rows) for step in dealt(processes, accumulation, rows)] == whole


def test_fillers_are_fewer_than_the_rows_that_are_taken_at_once() -> None:
    sampler = FilledSampler(LENGTHS, batch_size=GLOBAL, multiple=4, seed=1)
    indices = list(sampler)
    assert len(indices) == len(sampler) == 32
    assert indices[30:] == [30, 30]
    assert sorted(indices[:30]) == list(range(30))


def test_the_order_is_another_in_each_epoch_and_the_same_for_the_same_epoch() -> None:
    sampler = FilledSampler(LENGTHS, batch_size=GLOBAL, multiple=1, seed=1)
    first = list(sampler)
    sampler.set_epoch(1)
    assert list(sampler) != first
    sampler.set_epoch(0)
    assert list(sampler) == first


def examples() -> PromptExamples:
    rows = tiny_lm.rows()
    encoded = encode(rows, tiny_lm.TEMPLATE, TOKENIZER, 64)
    return with_labels(encoded.ids, rows["label"].to_list(), answer_ids(tiny_lm.TEMPLATE, TOKENIZER))


def test_a_filler_is_the_shortest_prompt_without_its_answer() -> None:
    rows = with_filler(examples().to_dataset())
    assert len(rows) == 31
    assert rows[30]["length"] == min(rows["length"][:])
    assert set(rows[30]["labels"]) == {-100}
    assert answers_of(LeftPadding(0)([rows[0], rows[30]])).tolist()[1] == -100


def model(attention: str) -> PreTrainedModel:
    config = tiny_lm.model().config
    config._attn_implementation = attention
    made = AutoModelForCausalLM.from_config(config, attn_implementation=attention)
    made.load_state_dict(tiny_lm.model().state_dict())
    return made


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_without_padding_each_prompt_is_answered_as_alone_and_so_are_its_gradients(attention: str) -> None:
    rows = list(examples().to_dataset())[:7]
    assert len({row["length"] for row in rows}) > 2
    found = []
    for batch in (padding_free(rows), LeftPadding(TOKENIZER.pad_token_id)(rows)):
        lm = model(attention)
        logits = at_answer(lm, batch)
        torch.nn.functional.cross_entropy(logits, answers_of(batch), reduction="sum").backward()
        found.append((logits, {name: weight.grad for name, weight in lm.named_parameters()}))
    alone = torch.cat([model(attention)(torch.tensor([row["input_ids"]])).logits[:, -1] for row in rows])
    for logits, _ in found:
        torch.testing.assert_close(logits, alone, rtol=1e-4, atol=1e-5)
    for name, gradient in found[0][1].items():
        torch.testing.assert_close(gradient, found[1][1][name], rtol=1e-3, atol=1e-5)
