"""A tokenizer, a base model of some 30,000 weights, and rows with a clear rule: for tests of training and scoring."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM

from babelshelf.base_model.nano_lm import new_model, train_tokenizer
from babelshelf.base_model.params import NanoLmParams
from babelshelf.core.params import section
from babelshelf.core.rows import ROW_SCHEMA
from babelshelf.llm.prompts import load_template
from babelshelf.score.params import ScoreParams
from babelshelf.score.scorer import Scorer, load_scorer

TEMPLATE = load_template(Path(__file__).parents[2] / "prompts" / "short" / "qi.txt")
SHORT = TEMPLATE.source
SETTINGS = NanoLmParams(
    vocab_size=512,
    hidden_size=32,
    intermediate_size=64,
    layers=2,
    heads=2,
    texts=1,
    questions=1,
    batch_size=1,
    learning_rate=0.001,
    embedding_learning_rate=0.001,
    precision="fp32",
    attention="eager",
)
WIDE = SETTINGS.model_copy(update={"hidden_size": 64})  # heads of 32, the least that vLLM's CPU build has kernels for
ENGINE = {"adapter": "lora", "tensor_parallel": 1, "gpu_memory_utilization": 0.1, "enforce_eager": True}
VLLM = ENGINE | {"data_parallel": 1}
RAY = ENGINE | {"address": "local", "replicas": 2, "shard": 40}
QUERIES = ("cheap gift", "red one", "for my mother", "42", "best of this year")
SHOES = ("Running Shoes", "Hiking Shoes", "Ballet Shoes for Girls")
PANS = ("Frying Pans", "Cast Iron Pans", "Sauce Pans with a Glass Lid")


def tokenizer() -> PreTrainedTokenizerFast:
    """A BPE to which " yes" and " no" are one token each."""
    prompts = [TEMPLATE.render(row) for row in rows().to_dicts()]
    return train_tokenizer([prompt + answer for prompt in prompts for answer in (" yes", " no")], SETTINGS.vocab_size)


def model(seed: int = 1, settings: NanoLmParams = SETTINGS) -> Qwen3ForCausalLM:
    """Random weights, the same for the same seed."""
    return new_model(tokenizer(), settings, seed)


def save_base(folder: Path, settings: NanoLmParams = SETTINGS) -> Path:
    """The folder of a base model, as `base_model` leaves it."""
    model(settings=settings).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def score_params(
    backend: Literal["transformers", "vllm", "ray"] = "transformers",
    *,
    batch_tokens: int = 8192,
    row_tokens: int = 64,
    precision: Literal["fp32", "bf16"] = "fp32",
    weights: Literal["fp32", "bf16"] = "fp32",
    attention: Literal["eager", "sdpa"] = "eager",
    **changes: object,
) -> ScoreParams:
    """Params of the section `score`; `changes` are of the section of vllm or ray."""
    of_transformers = {
        "batch_tokens": batch_tokens,
        "row_tokens": row_tokens,
        "weights": weights,
        "attention": attention,
    }
    own = {"transformers": of_transformers, "vllm": VLLM, "ray": RAY}[backend] | {"precision": precision} | changes
    return section(ScoreParams, {"score": {"backend": backend, backend: own}}, "score", None)


def scored(base: Path, model: Path, settings: ScoreParams, some: pl.DataFrame) -> np.ndarray:
    """p(yes) of some rows."""
    with load_scorer(base, model, settings) as scorer:
        return p_yes(scorer, some)


def p_yes(scorer: Scorer, some: pl.DataFrame) -> np.ndarray:
    """p(yes) of some rows in one go, in their order."""
    return scorer.score(scorer.encode(some))


def rows(queries: Sequence[str] = QUERIES, candidates: Sequence[str] = (*SHOES, *PANS)) -> pl.DataFrame:
    """All pairs, thirty of them if not told, of prompts of many lengths; shoes are relevant and pans are not."""
    pairs = [(query, candidate) for query in queries for candidate in candidates]
    return pl.DataFrame(
        {
            "id": [f"r{number}" for number in range(len(pairs))],
            "task": "qi",
            "language": "en",
            "query": [query for query, _ in pairs],
            "candidate": [candidate for _, candidate in pairs],
            "label": [int(candidate in SHOES) for _, candidate in pairs],
            "origin": "original",
            "parent_id": None,
            "group": [query for query, _ in pairs],
        },
        schema=ROW_SCHEMA,
    )
