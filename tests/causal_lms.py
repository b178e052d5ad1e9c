"""Tiny base models of the architectures that users bring, with random weights and a tokenizer that begins with BOS."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers.processors import TemplateProcessing
from transformers import (
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from tests import tiny_lm

BOS, EOS = "<bos>", "<eos>"
SIZES = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
}
ARCHITECTURES = {
    "gemma3": (Gemma3TextConfig, Gemma3ForCausalLM, {"sliding_window": 16}),
    "llama": (LlamaConfig, LlamaForCausalLM, {}),
    "mistral": (MistralConfig, MistralForCausalLM, {"sliding_window": 16}),
    "qwen3": (Qwen3Config, Qwen3ForCausalLM, {"tie_word_embeddings": True}),
}


def tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer that puts BOS first, as Llama's, Mistral's and Gemma's do, and has no token to pad with."""
    backend = tiny_lm.tokenizer().backend_tokenizer
    backend.add_special_tokens([BOS, EOS])
    backend.post_processor = TemplateProcessing(single=f"{BOS} $A", special_tokens=[(BOS, backend.token_to_id(BOS))])
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token=BOS, eos_token=EOS)


def save_base(architecture: str, folder: Path) -> Path:
    """A folder in Hugging Face's format."""
    config_class, model_class, others = ARCHITECTURES[architecture]
    tokens = tokenizer()
    torch.manual_seed(1)
    config = config_class(
        vocab_size=len(tokens),
        bos_token_id=tokens.bos_token_id,
        eos_token_id=tokens.eos_token_id,
        pad_token_id=None,
        initializer_range=0.2,
        **SIZES,
        **others,
    )
    model: PreTrainedModel = model_class(config)
    model.save_pretrained(folder)
    tokens.save_pretrained(folder)
    return folder
