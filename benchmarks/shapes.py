"""Models in the shapes of published ones, with random weights: what they cost does not depend on what they know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import torch
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from babelshelf.base_model.nano_lm import train_tokenizer
from babelshelf.core.rows import ROW_SCHEMA
from babelshelf.llm.prompts import load_template

HEADS = {"head_dim": 128, "num_key_value_heads": 8}
SHAPES: dict[str, dict[str, Any]] = {  # of the models' config.json
    "tiny": {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2}
    | {"head_dim": 32, "num_key_value_heads": 1, "vocab_size": 1024, "tie_word_embeddings": True},
    "qwen3-0.6b": {"hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 28, "num_attention_heads": 16}
    | HEADS
    | {"vocab_size": 151936, "tie_word_embeddings": True},
    "qwen3-8b": {"hidden_size": 4096, "intermediate_size": 12288, "num_hidden_layers": 36, "num_attention_heads": 32}
    | HEADS
    | {"vocab_size": 151936, "tie_word_embeddings": False},
    "qwen3-14b": {"hidden_size": 5120, "intermediate_size": 17408, "num_hidden_layers": 40, "num_attention_heads": 40}
    | HEADS
    | {"vocab_size": 151936, "tie_word_embeddings": False},
}


def rows(count: int, words: int) -> pl.DataFrame:
    """Labelled rows, each with a candidate of that many words, a third of them relevant."""
    made = [
        {
            "id": f"r{number}",
            "task": "qi",
            "language": "en",
            "query": f"item {number}",
            "candidate": " ".join(f"part {(number * 31 + word) % 997}" for word in range(words)),
            "label": int(number % 3 == 0),
            "origin": "original",
            "parent_id": None,
            "group": f"item {number}",
        }
        for number in range(count)
    ]
    return pl.DataFrame(made, schema=ROW_SCHEMA)


def tokenizer(template: str, some: pl.DataFrame) -> PreTrainedTokenizerFast:
    """A small BPE to which the template's answers are one token each."""
    prompt = load_template(Path("prompts", template, "qi.txt"))
    texts = [prompt.render(row) for row in some.head(300).to_dicts()]
    return train_tokenizer([text + answer for text in texts for answer in (prompt.yes, prompt.no)], 1000)


def layer_maps(config: Any) -> list[tuple[int, int]]:  # noqa: ANN401 - of transformers
    """Inputs and outputs of the linear maps in one layer."""
    channels = config.num_attention_heads * config.head_dim
    keys = config.num_key_value_heads * config.head_dim
    hidden, inner = config.hidden_size, config.intermediate_size
    maps = [(hidden, channels), (hidden, keys), (hidden, keys), (channels, hidden)]
    return [*maps, (hidden, inner), (hidden, inner), (inner, hidden)]


def save_base(folder: Path, shape: str, dtype: torch.dtype, words: PreTrainedTokenizerFast) -> Path:
    """The folder of a base model of that shape, with random weights, drawn on the GPU where there is one."""
    config = Qwen3Config(
        **SHAPES[shape], max_position_embeddings=4096, pad_token_id=words.pad_token_id, eos_token_id=words.eos_token_id
    )
    torch.manual_seed(0)
    default = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
            model = Qwen3ForCausalLM(config)
    finally:
        torch.set_default_dtype(default)
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder
