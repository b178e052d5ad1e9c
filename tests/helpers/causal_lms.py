"""Tiny base models of the architectures that users bring, with random weights and a tokenizer that begins with BOS."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers.processors import TemplateProcessing
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma3Config,
    Gemma3ForCausalLM,
    Gemma3ForConditionalGeneration,
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

from tests.helpers import tiny_lm

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
    "gemma2": (Gemma2Config, Gemma2ForCausalLM, {"sliding_window": 16, "attn_implementation": "eager"}),
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


def with_images(text: Gemma3TextConfig) -> PreTrainedModel:
    """A model that reads images too: its text's config is a part of its own."""
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    vision = sizes | {"image_size": 28, "patch_size": 14}
    model: PreTrainedModel = Gemma3ForConditionalGeneration(
        Gemma3Config(text_config=text.to_dict(), vision_config=vision, mm_tokens_per_image=4)
    )
    return model


def untied(model: PreTrainedModel) -> PreTrainedModel:
    """The model with a head of its own."""
    head = model.get_output_embeddings()
    head.weight = torch.nn.Parameter(head.weight.detach().clone())
    model.config.tie_word_embeddings = False
    return model


def save_base(architecture: str, folder: Path, **changes: object) -> Path:
    """A folder in Hugging Face's format; `changes` are of the config."""
    config_class, model_class, others = ARCHITECTURES[architecture]
    tokens = tokenizer()
    torch.manual_seed(1)
    config = config_class(
        vocab_size=len(tokens),
        bos_token_id=tokens.bos_token_id,
        eos_token_id=tokens.eos_token_id,
        pad_token_id=None,
        initializer_range=0.2,
        **(SIZES | others | changes),
    )
    model: PreTrainedModel = model_class(config)
    model.save_pretrained(folder)
    tokens.save_pretrained(folder)
    return folder


def load(folder: Path) -> PreTrainedModel:
    """What `save_base` wrote."""
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(folder)
    return model
