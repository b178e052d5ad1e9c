"""A random embedder of some 20,000 weights, laid out file by file as Qwen/Qwen3-Embedding-0.6B is published."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3Model

PAD, EOS = "<|endoftext|>", "<|im_end|>"
WIDTH = 32
QUERY_PROMPT = "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:"
TEXTS = [
    "Shoes",
    "Shoes > Sneakers",
    "Home & Garden > Kitchen > Cookware > Frying Pans with a Glass Lid, Cast Iron",
    "携帯電話",
    "Turnschuhe für Damen",
    "a",
    "Baby & Toddler > Nursing & Feeding > Breast Milk Storage Containers",
]


def save(folder: Path) -> Path:
    """Write the checkpoint; random weights, always the same."""
    tokenizer().save_pretrained(folder)
    torch.manual_seed(1)
    config = Qwen3Config(
        vocab_size=512,
        hidden_size=WIDTH,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=256,
        initializer_range=WIDTH**-0.5,
    )
    Qwen3Model(config).save_pretrained(folder)
    _write(
        folder / "modules.json",
        [_module(0, "", "Transformer"), _module(1, "1_Pooling", "Pooling"), _module(2, "2_Normalize", "Normalize")],
    )
    modes = ["cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens"]
    pooling = {f"pooling_mode_{mode}": False for mode in modes} | {"pooling_mode_lasttoken": True}
    _write(folder / "1_Pooling/config.json", {"word_embedding_dimension": WIDTH, "include_prompt": True} | pooling)
    prompts = {"query": QUERY_PROMPT, "document": ""}
    versions = {"sentence_transformers": "2.7.0", "transformers": "4.41.2", "pytorch": "2.3.1"}
    described = {
        "prompts": prompts,
        "default_prompt_name": None,
        "similarity_fn_name": "cosine",
        "__version__": versions,
    }
    _write(folder / "config_sentence_transformers.json", described)
    return folder


def tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE that ends each text with `<|endoftext|>`, which also pads; its own end of text is `<|im_end|>`."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=512,
        special_tokens=[PAD, EOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(TEXTS, trainer)
    end = processors.TemplateProcessing(single=f"$A {PAD}", special_tokens=[(PAD, made.token_to_id(PAD))])
    made.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), end])
    return PreTrainedTokenizerFast(tokenizer_object=made, pad_token=PAD, eos_token=EOS)


def _module(number: int, path: str, kind: str) -> dict[str, object]:
    return {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}


def _write(file: Path, value: object) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(value), encoding="utf-8")
