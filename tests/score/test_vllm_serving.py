"""What vLLM is told to serve, and the order in which it is asked: without vLLM."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file

from babelshelf.core.errors import InputError
from babelshelf.score import vllm_serving
from tests.helpers import tiny_lm
from tests.score.backends.test_vllm import MAX_LENGTH, ROWS


def test_p_yes_is_of_no_then_yes() -> None:
    assert vllm_serving.p_yes_from_logprobs({7: -1.0, 9: -3.0, 2: -0.1}, (7, 9)) == pytest.approx(1 / (1 + np.exp(2)))


def test_an_answer_that_the_engine_does_not_give_raises() -> None:
    with pytest.raises(RuntimeError, match=r"tokens \[9\]"):
        vllm_serving.p_yes_from_logprobs({7: -1.0}, (7, 9))


@pytest.mark.parametrize(("config", "rank"), [({"r": 4}, 8), ({"r": 32}, 32), ({"r": 8, "rank_pattern": {"q": 9}}, 16)])
def test_the_engines_rank_is_the_least_that_holds_the_adapter(
    config: dict[str, object], rank: int, tmp_path: Path
) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    assert vllm_serving.lora_rank(tmp_path) == rank


@pytest.mark.parametrize(
    ("config", "message"),
    [({"r": 4, "modules_to_save": ["lm_head"]}, "modules_to_save .lm_head"), ({"r": 513}, "r: 513 is above 512")],
)
def test_an_adapter_that_cannot_be_served_beside_the_base_names_the_fix(
    config: dict[str, object], message: str, tmp_path: Path
) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(InputError, match=f"{message}.*merged"):
        vllm_serving.lora_rank(tmp_path)


def test_an_adapter_is_added_in_fp32_and_rounded_once(tmp_path: Path) -> None:
    """In bf16, most of what it adds would be lost: the last bit of a weight in bf16 is a 256th of it."""
    base = tiny_lm.save_base(tmp_path / "base")
    lora = LoraConfig(task_type="CAUSAL_LM", r=2, lora_alpha=4, target_modules=["q_proj"])
    adapted = get_peft_model(tiny_lm.model(), lora)
    expected = {}
    with torch.no_grad():
        for number, layer in enumerate(adapted.base_model.model.model.layers):
            part = layer.self_attn.q_proj
            part.lora_B["default"].weight.copy_(0.001 * torch.randn_like(part.lora_B["default"].weight))
            added = 2.0 * part.lora_B["default"].weight @ part.lora_A["default"].weight  # alpha / r
            name = f"model.layers.{number}.self_attn.q_proj.weight"
            expected[name] = (part.base_layer.weight + added).to(torch.bfloat16)
    adapted.save_pretrained(tmp_path / "adapter")
    vllm_serving.merge(base, tmp_path / "adapter", "bfloat16", tmp_path / "merged")
    written = load_file(tmp_path / "merged" / "model.safetensors")
    for name, weight in expected.items():
        assert torch.equal(written[name], weight), name


def test_prompts_that_begin_alike_follow_each_other() -> None:
    scorer = vllm_serving.VllmScorer(None, tiny_lm.tokenizer(), tiny_lm.TEMPLATE, MAX_LENGTH, 1)  # type: ignore[arg-type]
    rows = ROWS.sample(fraction=1, shuffle=True, seed=1)
    ordered = rows[scorer.order(scorer.encode(rows))]["candidate"]
    assert (ordered != ordered.shift(1)).sum() + 1 == ordered.n_unique()  # in this template the candidate comes first
