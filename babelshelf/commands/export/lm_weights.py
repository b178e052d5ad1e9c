"""A fine-tuned LM as one model: an adapter is added to the base's weights in fp32, and rounded once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from babelshelf.llm.base_model import DTYPES, weights

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def merged(base: Path, model: Path, precision: str) -> PreTrainedModel:
    """The model with all its weights.

    Args:
        base: folder of the base LM.
        model: folder of an adapter, or of all weights.
        precision: `fp32` or `bf16`, of the result.
    """
    import torch  # noqa: PLC0415 - slow to import
    from transformers import AutoModelForCausalLM  # noqa: PLC0415

    adapted = (model / "adapter_config.json").is_file()
    lm = AutoModelForCausalLM.from_pretrained(weights(base) if adapted else model, dtype=torch.float32)
    if adapted:
        from peft import PeftModel  # noqa: PLC0415

        lm = PeftModel.from_pretrained(lm, model).merge_and_unload()
    whole: PreTrainedModel = lm.to(getattr(torch, DTYPES[precision]))
    return whole
