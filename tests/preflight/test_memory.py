"""Estimates of memory: a model's size from its configuration, and what makes a run need more or less."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, PretrainedConfig

from babelshelf.preflight import memory
from babelshelf.preflight.memory import GIB, Shape, TrainingRun
from tests.helpers.causal_lms import ARCHITECTURES, SIZES

QWEN3_14B = Shape(5120, 17408, 40, 40, 8, 128, 151936, tied=False)
PAPER = TrainingRun(16, 512, 32, "bf16", "bf16", "flash_attention_2", checkpointing=True, shards=4, fused=False)


def _config(name: str) -> PretrainedConfig:
    config_class, _, others = ARCHITECTURES[name]
    return config_class(vocab_size=1000, **SIZES, **others)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_weights_follow_from_the_configuration(name: str) -> None:
    config = _config(name)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    counted = sum(weight.numel() for key, weight in model.named_parameters() if "norm" not in key)
    assert memory.shape_of(config.to_dict()).weights == counted


def test_weights_of_published_models_are_as_published() -> None:
    """In their technical report (arXiv 2505.09388): 14.8B, 8.2B, and 0.6B with 0.44B outside the embeddings."""
    assert QWEN3_14B.weights == pytest.approx(14.8e9, rel=0.005)
    assert Shape(4096, 12288, 36, 32, 8, 128, 151936, tied=False).weights == pytest.approx(8.2e9, rel=0.005)
    small = Shape(1024, 3072, 28, 16, 8, 128, 151936, tied=True)
    assert small.weights == pytest.approx(0.6e9, rel=0.01)
    assert small.layers * small.layer == pytest.approx(0.44e9, rel=0.01)


def test_an_adapters_weights_are_those_that_peft_makes() -> None:
    from babelshelf.sft.fine_tuning import with_lora  # noqa: PLC0415 - slow to import
    from tests.sft.test_fine_tuning import lora  # noqa: PLC0415

    config = _config("qwen3")
    model = with_lora(AutoModelForCausalLM.from_config(config), lora(), seed=1)
    trained = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    assert memory.shape_of(config.to_dict()).adapter(8) == trained


def test_a_configuration_may_leave_out_what_follows_from_the_rest_or_hold_it_for_its_text() -> None:
    values = LlamaConfig(hidden_size=64, num_attention_heads=4, intermediate_size=96, num_hidden_layers=1).to_dict()
    whole = memory.shape_of(values)
    for key in ("head_dim", "num_key_value_heads"):
        del values[key]
    assert memory.shape_of(values) == whole == memory.shape_of({"model_type": "any", "text_config": values})


@pytest.mark.parametrize(
    "more",
    [
        {"rows": 32},
        {"tokens": 1024},
        {"rank": 64},
        {"frozen": "fp32"},
        {"attention": "eager"},
        {"checkpointing": False},
        {"shards": 1},
        {"rank": None},
    ],
    ids=str,
)
def test_what_takes_more_memory_is_estimated_to(more: dict[str, object]) -> None:
    assert memory.training(QWEN3_14B, replace(PAPER, **more)) > memory.training(QWEN3_14B, PAPER) + 2**20


def test_the_paper_profile_fits_four_cards_of_24_gb_sharded_and_not_whole() -> None:
    card = 24e9
    assert memory.training(QWEN3_14B, PAPER) < card
    assert memory.training(QWEN3_14B, replace(PAPER, shards=1)) > card
    assert memory.serving(QWEN3_14B, longest=512, sequences=32, precision="bf16", tensor_parallel=2) < card
    assert memory.serving(QWEN3_14B, longest=512, sequences=32, precision="bf16", tensor_parallel=1) > card


@pytest.mark.parametrize(("vocabulary", "whole"), [(151936, 151936 * 5120), (1000, QWEN3_14B.layer)])
def test_of_a_model_in_parts_a_layer_is_gathered_and_the_head_or_the_next_layer(vocabulary: int, whole: int) -> None:
    shape = replace(QWEN3_14B, vocabulary=vocabulary)
    state = 2 * shape.weights + 16 * shape.adapter(32)  # of which a process has a quarter
    rest = memory.training(shape, replace(PAPER, shards=1)) - state
    assert memory.training(shape, PAPER) - rest - state / 4 == pytest.approx(2 * (shape.layer + whole))


def test_scoring_with_weights_in_bf16_takes_half_the_memory_and_no_copies() -> None:
    run = {"tokens": 8192, "longest": 512, "precision": "bf16", "attention": "sdpa"}
    saved = memory.scoring(QWEN3_14B, weights="fp32", **run) - memory.scoring(QWEN3_14B, weights="bf16", **run)
    assert saved == 2 * QWEN3_14B.weights + 2 * QWEN3_14B.layers * QWEN3_14B.layer


# Peak memory of `fine_tune` in GiB, as docs/profiles.md has it, with a LoRA adapter of rank 32 or all weights: of the
# process on a CPU, 8 rows of 256 tokens, a vocabulary of 8,000 (the fourth with another threshold of malloc); and what
# PyTorch takes of a GPU's, prompts of 511 tokens.
SMALL = Shape(512, 1365, 8, 8, 4, 64, 8000, tied=True)
LARGER = Shape(768, 2048, 12, 12, 6, 64, 8000, tied=True)
ON_A_CPU = TrainingRun(8, 256, 32, "fp32", "fp32", "eager", checkpointing=False, shards=1, fused=False)
MEASURED = [
    (SMALL, replace(ON_A_CPU, rank=None), 1.97),
    (LARGER, replace(ON_A_CPU, rank=None, attention="sdpa"), 3.51),
    (SMALL, ON_A_CPU, 2.62),
    (LARGER, replace(ON_A_CPU, attention="sdpa", checkpointing=True), 1.23),
    (SMALL, replace(ON_A_CPU, checkpointing=True), 1.37),
]
QWEN3_600M = Shape(1024, 3072, 28, 16, 8, 128, 151936, tied=True)
QWEN3_8B = Shape(4096, 12288, 36, 32, 8, 128, 151936, tied=False)
ON_A_GPU = TrainingRun(32, 511, 32, "bf16", "bf16", "sdpa", checkpointing=True, shards=1, fused=False)
MEASURED_ON_A_GPU = [
    (QWEN3_600M, replace(ON_A_GPU, checkpointing=False), 37.0),
    (QWEN3_600M, replace(ON_A_GPU, checkpointing=False, fused=True), 30.0),
    (QWEN3_8B, ON_A_GPU, 26.1),
    (QWEN3_14B, ON_A_GPU, 42.3),
    (QWEN3_14B, replace(ON_A_GPU, fused=True), 40.9),
    (QWEN3_14B, replace(ON_A_GPU, rows=8, checkpointing=False, fused=True), 71.6),
]


@pytest.mark.parametrize(("shape", "run", "peak"), MEASURED)
def test_an_estimate_is_near_the_measured_peak(shape: Shape, run: TrainingRun, peak: float) -> None:
    assert memory.training(shape, run) / GIB == pytest.approx(peak, rel=0.25)


@pytest.mark.parametrize(("shape", "run", "peak"), MEASURED_ON_A_GPU)
def test_an_estimate_is_near_what_a_gpu_takes(shape: Shape, run: TrainingRun, peak: float) -> None:
    assert (memory.training(shape, run) - memory.PROCESS) / GIB == pytest.approx(peak, rel=0.05)
