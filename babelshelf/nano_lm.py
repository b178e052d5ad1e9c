"""A small language model made on the spot: the base LM of the nano profile, where no hub can be reached.

A Qwen3-architecture causal LM of about a million parameters with a byte-level BPE. An adapter needs something to
adapt, so it is pre-trained on self-supervised matching over the catalogue's unlabelled text: does this part of a text
belong to that text? It answers in the fine-tuning's own prompt, so that "yes" and "no" are already its words.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from babelshelf.matching import matching_pairs
from babelshelf.prompts import answer_ids, encode, load_template, parse
from babelshelf.training import Examples, Schedule, fit

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import polars as pl

    from babelshelf.params.base_model import LmParams

PAD, END = "<|pad|>", "<|end|>"
MAX_LENGTH = 512
TOKENIZER_PROMPTS = 2000  # enough that the template's words and both answers become tokens of their own


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE (arXiv 1909.03341) over `texts`, at most `vocab_size` tokens."""
    tokenizer = Tokenizer(models.BPE())
    # sellers write titles in capitals and shoppers queries without: one spelling leaves less to learn
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[PAD, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, eos_token=END, padding_side="left", clean_up_tokenization_spaces=False
    )


def new_model(tokenizer: PreTrainedTokenizerFast, settings: LmParams, seed: int) -> Qwen3ForCausalLM:
    """Qwen3 (arXiv 2505.09388) with random weights, its embeddings tied."""
    torch.manual_seed(seed)
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=settings.hidden_size,
        intermediate_size=settings.intermediate_size,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        num_key_value_heads=settings.key_value_heads,
        head_dim=settings.hidden_size // settings.heads,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        attn_implementation=settings.attention,
    )
    return Qwen3ForCausalLM(config)


def pretrain(
    texts: pl.DataFrame, settings: LmParams, seed: int, checkpoints: Path
) -> tuple[Qwen3ForCausalLM, PreTrainedTokenizerFast]:
    """Make and train the LM.

    Args:
        texts: the catalogue's unlabelled text: columns `text`, `language`, `kind`.
        settings: its size and training.
        seed: of the weights, the pairs and their order.
        checkpoints: folder of this run's checkpoints (see `training.fit`).
    """
    template = parse(load_template(settings.template), settings.template)
    pairs = matching_pairs(texts, settings.pairs, np.random.default_rng([seed, 1]))
    prompts = (template.render(pair) for pair in pairs.head(TOKENIZER_PROMPTS).to_dicts())
    answered = (prompt + answer for prompt in prompts for answer in (template.no, template.yes))
    tokenizer = train_tokenizer(chain(texts.sort("text", "language")["text"], answered), settings.vocab_size)
    model = new_model(tokenizer, settings, seed)
    no, yes = answer_ids(template, tokenizer)
    encoded = encode(pairs, template, tokenizer, MAX_LENGTH)
    examples = Examples(encoded.ids, [yes if label else no for label in pairs["label"]])
    schedule = Schedule(
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        epochs=1,
        warmup_share=0.1,
        weight_decay=0.01,
        precision=settings.precision,
        gradient_checkpointing=False,
        seed=seed,
    )
    fit(model, tokenizer, examples, schedule, checkpoints)
    return model, tokenizer
