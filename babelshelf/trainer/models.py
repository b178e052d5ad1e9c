"""Causal LMs of a folder, to be trained, and the folder of a trained one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers.integrations import is_deepspeed_zero3_enabled
from transformers.utils import is_flash_attn_2_available

from babelshelf.core.errors import InputError
from babelshelf.llm.base_model import DTYPES, weights
from babelshelf.llm.versions import write_versions
from babelshelf.trainer.kernels import with_liger_kernels


def load_model(folder: Path, attention: str, dtype: str, kernels: str = "none") -> PreTrainedModel:
    """Causal LM of a base model's folder.

    Args:
        folder: of the base model.
        attention: transformers' `attn_implementation`.
        dtype: of the weights, `fp32` or `bf16`.
        kernels: `liger` for its fused kernels, or `none`.

    Raises:
        InputError: FlashAttention-2 or Liger is not available.
    """
    if attention == "flash_attention_2" and not (torch.cuda.is_available() and is_flash_attn_2_available()):
        lacking = "the package flash-attn" if torch.cuda.is_available() else "a GPU with CUDA"
        raise InputError(f"attention: flash_attention_2 needs {lacking}, which is not here; set sdpa or eager")
    model = AutoModelForCausalLM.from_pretrained(weights(folder), dtype=DTYPES[dtype], attn_implementation=attention)
    return with_liger_kernels(model) if kernels == "liger" else model


def trained_in_fp32(model: PreTrainedModel) -> PreTrainedModel:
    """The model, its frozen weights as they are and the trained ones in fp32.

    In bf16, of three significant digits, most steps of a small learning rate would change nothing. Under ZeRO-3 all
    weights of a model must have one type, and DeepSpeed keeps an fp32 copy of those that it trains.
    """
    for weight in model.parameters():
        if weight.requires_grad:
            weight.data = weight.data.to(model.dtype if is_deepspeed_zero3_enabled() else torch.float32)
    return model


def without_input_casts(model: PreTrainedModel) -> PreTrainedModel:
    """The model, its adapter's layers told to take their inputs as they come: for training by autocast.

    PEFT casts each input to the adapter's fp32 before its dropout, and autocast casts it back before the product. The
    products are the same without the two casts, and a step on an H200 takes 12 % less time (docs/benchmarks.md).
    """
    for layer in model.modules():
        if hasattr(layer, "cast_input_dtype_enabled"):
            layer.cast_input_dtype_enabled = False
    return model


def save(
    model: PreTrainedModel, folder: Path, prompt: dict[str, Any], state: dict[str, torch.Tensor] | None = None
) -> None:
    """Write the weights (an adapter, or all), the prompt that they were trained with, and the versions of the packages.

    Args:
        model: its weights are written, unless `state` has them.
        folder: to be made.
        prompt: `template`, `max_length` and `base`, the base model's `llm.base_model.identity`.
        state: see `TrainingResult`.
    """
    model.save_pretrained(folder, state_dict=state)
    (folder / "README.md").unlink(missing_ok=True)  # the trainer's model card names nothing of this run
    (folder / "prompt.json").write_text(json.dumps(prompt, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    write_versions(folder)
