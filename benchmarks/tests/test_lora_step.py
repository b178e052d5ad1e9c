"""The benchmark of a LoRA step: every line runs on the tiny shape, and its FLOPs are those that PyTorch counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from torch.utils.flop_counter import FlopCounterMode
from transformers import Qwen3Config, Qwen3ForCausalLM

from babelshelf.sft.fine_tuning import with_lora
from babelshelf.sft.params import LoraParams
from benchmarks import lora_step, shapes

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("packing", ["none", "padding_free"])
def test_a_step_is_measured(tmp_path: Path, packing: str) -> None:
    arguments = ["--base", str(tmp_path), "--max-length", "128", "--steps", "2", "--peak-tflops", "0.1"]
    killed = tmp_path / "checkpoints" / "checkpoint-1"
    killed.mkdir(parents=True)
    (killed / "trainer_state.json").write_text("{}", encoding="utf-8")
    told = CliRunner().invoke(lora_step.main, [*arguments, "--packing", packing, "--gradient-checkpointing"])
    assert told.exit_code == 0, told.output
    result = json.loads(told.output.strip().splitlines()[-1])
    assert result["tokens_a_step"] == 8 * 127  # a prompt is as long as it may be, less its answer
    assert result["tokens_a_second"] == pytest.approx(result["tokens_a_step"] / result["seconds_a_step"], rel=0.01)
    assert result["mfu"] == pytest.approx(result["tflops"] / 0.1, abs=1e-3)
    assert len(result["peak_memory_gib"]) == 1
    assert not (tmp_path / "checkpoints").exists()


def test_flops_are_those_that_pytorch_counts() -> None:
    config = Qwen3Config(**shapes.SHAPES["tiny"] | {"num_hidden_layers": 12}, attn_implementation="eager")
    lora = LoraParams(r=32, alpha=64, dropout=0.0, target_modules="all-linear", modules_to_save=[])
    model = with_lora(Qwen3ForCausalLM(config), lora, seed=1)
    ids = torch.randint(0, 1000, (4, 96))
    with FlopCounterMode(display=False) as counted:
        model(ids, logits_to_keep=1, use_cache=False).logits.sum().backward()
    seen = 2  # this attention computes all positions, of which a causal one needs half
    attention = 6 * 2 * 64 * 96 / 2 * ids.numel() * config.num_hidden_layers * (seen - 1)
    expected = lora_step.model_flops(config, ids.numel(), 96) + attention
    assert counted.get_total_flops() == pytest.approx(expected, rel=0.06)


@pytest.mark.parametrize(("shape", "billions"), [("qwen3-0.6b", 0.596), ("qwen3-8b", 8.19), ("qwen3-14b", 14.77)])
def test_shapes_have_the_published_numbers_of_weights(shape: str, billions: float) -> None:
    with torch.device("meta"):
        model = Qwen3ForCausalLM(Qwen3Config(**shapes.SHAPES[shape]))
    assert sum(weight.numel() for weight in model.parameters()) / 1e9 == pytest.approx(billions, rel=0.01)
