"""Scoring with transformers, on a CPU or one GPU.

The model's head runs at the last position only and just the two answers' logits are read; pairs come in the order of
their length and are cut into batches of a fixed number of padded tokens, so that short pairs go many at a time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerBase

from babelshelf.pointer import load_tokenizer, weights
from babelshelf.prompts import Template, answer_ids, as_series, encode, parse

if TYPE_CHECKING:
    from babelshelf.params.score import ScoreParams

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


class TransformersScorer:
    """A `scorers.base.Scorer` on a causal LM and its tokenizer."""

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        template: Template,
        max_length: int,
        settings: ScoreParams,
    ) -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.template = template
        self.max_length = max_length
        self.settings = settings
        self.answers = list(answer_ids(template, tokenizer))

    def encode(self, rows: pl.DataFrame) -> pl.Series:
        """Token ids of the rows' prompts, `List(Int32)`."""
        return as_series(encode(rows, self.template, self.tokenizer, self.max_length))

    def order(self, prompts: pl.Series) -> np.ndarray:
        """Prompts by their length, so that little is padded."""
        return np.argsort(prompts.list.len().to_numpy(), kind="stable")

    @torch.inference_mode()
    def score(self, prompts: pl.Series) -> np.ndarray:
        """p(yes) of each prompt, float64, shape (prompts,)."""
        parts = [self._batch(batch) for batch in batches(prompts.to_list(), self.settings.batch_tokens)]
        return np.concatenate(parts) if parts else np.empty(0)

    def _batch(self, prompts: Sequence[list[int]]) -> np.ndarray:
        lengths = np.array([len(prompt) for prompt in prompts])
        real = np.arange(lengths.max()) >= lengths.max() - lengths[:, None]  # padded on the left
        padded = np.full(real.shape, self.tokenizer.pad_token_id)
        padded[real] = np.concatenate(prompts)
        input_ids, mask = torch.from_numpy(padded), torch.from_numpy(real).long()
        device = self.model.device
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=self.settings.precision == "bf16"):
            hidden = self.model(
                input_ids=input_ids.to(device), attention_mask=mask.to(device), logits_to_keep=1, use_cache=False
            )
        no_yes = hidden.logits[:, -1, self.answers].double()
        probability: np.ndarray = torch.softmax(no_yes, dim=-1)[:, 1].cpu().numpy()
        return probability


@contextmanager
def load(base: Path, model: Path, settings: ScoreParams) -> Iterator[TransformersScorer]:
    """A scorer from what `train` wrote.

    Args:
        base: folder of the base model, which also holds the tokenizer.
        model: folder of an adapter, or of all weights; its `prompt.json` says which prompt it was trained with.
        settings: precision, dtype of the weights, attention and batch size.
    """
    prompt = json.loads((model / "prompt.json").read_text(encoding="utf-8"))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    adapted = (model / "adapter_config.json").is_file()
    lm = AutoModelForCausalLM.from_pretrained(
        weights(base) if adapted else model, dtype=DTYPES[settings.weights], attn_implementation=settings.attention
    )
    if adapted:
        from peft import PeftModel  # noqa: PLC0415 - slow to import, and not every model has an adapter

        lm = PeftModel.from_pretrained(lm, model)
        if settings.weights == "fp32":  # to add it to weights in bf16 would round it
            lm = lm.merge_and_unload()
    tokenizer = load_tokenizer(base)
    template = parse(prompt["template"], str(model / "prompt.json"))
    yield TransformersScorer(lm.to(device), tokenizer, template, prompt["max_length"], settings)


def batches(prompts: Sequence[list[int]], tokens: int) -> Iterator[Sequence[list[int]]]:
    """Runs of consecutive prompts, as many as fit into `tokens` padded tokens, at least one."""
    start = longest = 0
    for index, prompt in enumerate(prompts):
        longest = max(longest, len(prompt))
        if index > start and longest * (index - start + 1) > tokens:
            yield prompts[start:index]
            start, longest = index, len(prompt)
    if start < len(prompts):
        yield prompts[start:]
