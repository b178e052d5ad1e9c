"""A random model of Seed-X's architecture (Mistral) and tokenizer layout (BPE with byte fallback)."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, processors, trainers
from transformers import MistralConfig, MistralForCausalLM, PreTrainedTokenizerFast

TEXTS = [
    "Translate the following English sentence into German:\nblack bag <de>",
    "Translate the following French sentence into Arabic:\nsac noir <ar>",
    "running shoes for women schwarze Tasche حقيبة سوداء zapatillas",
]
SPECIAL = ["<unk>", "<s>", "</s>"]


def tokenizer() -> PreTrainedTokenizerFast:
    """As Mistral's: `<s>` before each text, spaces as `▁`, what is unknown as bytes, a new line among them."""
    trained = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    trained.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    trained.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    special = [AddedToken(token, normalized=False, special=True) for token in SPECIAL]
    byte_tokens = [AddedToken(f"<0x{byte:02X}>", normalized=False) for byte in range(256)]
    learned = trainers.BpeTrainer(vocab_size=400, special_tokens=special + byte_tokens, show_progress=False)
    trained.train_from_iterator([text.replace("\n", "") for text in TEXTS], learned)
    trained.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=_without_added_bytes(trained), bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


def _without_added_bytes(trained: Tokenizer) -> Tokenizer:
    """The bytes are tokens of the vocabulary, not added ones, which would be found in the text as they are written."""
    state = json.loads(trained.to_str())
    state["added_tokens"] = [token for token in state["added_tokens"] if token["content"] in SPECIAL]
    return Tokenizer.from_str(json.dumps(state))


def save(folder: Path, seed: int = 1, hidden_size: int = 128, layers: int = 2) -> Path:
    """The model's folder, fp32; heads of 32 as vLLM's CPU build asks; large weights, so that no two tokens tie."""
    torch.manual_seed(seed)
    words = tokenizer()
    config = MistralConfig(
        vocab_size=len(words),
        hidden_size=hidden_size,
        intermediate_size=2 * hidden_size,
        num_hidden_layers=layers,
        num_attention_heads=hidden_size // 32,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        sliding_window=None,
        initializer_range=0.3,
        bos_token_id=1,
        eos_token_id=2,
    )
    model = MistralForCausalLM(config)
    with torch.no_grad():  # it never says half a character: engines differ in when they show one
        model.lm_head.weight[words.convert_tokens_to_ids([f"<0x{byte:02X}>" for byte in range(0x80, 0x100)])] = 0
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder
