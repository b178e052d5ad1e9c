"""Translation with a causal LM by transformers, on a CPU or one GPU: greedy or beam search."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from transformers import (
    AutoModelForCausalLM,
    DataCollatorWithPadding,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from babelshelf.llm.base_model import DTYPES, load_tokenizer

if TYPE_CHECKING:
    from babelshelf.translate.backends.transformers import Params


class TransformersGenerator:
    """A `causal_lm.Generator`: takes prompts in the order of their length, in batches that are padded on the left."""

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, settings: Params) -> None:
        self.model = model.eval()
        tokenizer.padding_side = "left"
        self.pad = DataCollatorWithPadding(tokenizer)
        self.eos = int(tokenizer.eos_token_id)
        beam = settings.decoding == "beam"
        # Greedy decoding ends at a new line as well; beam search does not, in no backend: vLLM's knows the end of text
        # alone.
        self.config = GenerationConfig(
            do_sample=False,
            num_beams=settings.beam_width if beam else 1,
            max_new_tokens=settings.max_tokens,
            pad_token_id=int(tokenizer.pad_token_id),
            eos_token_id=[self.eos] if beam else [self.eos, *new_lines(tokenizer)],
        )
        # In place of the model's own, whose sampling and penalties generate() would take where this says nothing.
        self.model.generation_config = self.config
        self.batch_size = settings.batch_size

    @torch.inference_mode()
    def generate(self, prompts: Sequence[list[int]]) -> list[list[int]]:
        """What follows each prompt, see `Generator`."""
        order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]), reverse=True)
        replies: list[list[int]] = [[]] * len(prompts)
        for start in range(0, len(order), self.batch_size):
            batch = order[start : start + self.batch_size]
            for index, reply in zip(batch, self._batch([prompts[index] for index in batch]), strict=True):
                replies[index] = reply
        return replies

    def close(self) -> None:
        """It has no processes of its own."""

    def _batch(self, prompts: Sequence[list[int]]) -> list[list[int]]:
        padded = self.pad([{"input_ids": prompt} for prompt in prompts]).to(self.model.device)
        outputs = self.model.generate(**padded, generation_config=self.config)
        rows: list[list[int]] = outputs[:, padded["input_ids"].shape[1] :].tolist()
        return [self._cut(row) for row in rows]

    def _cut(self, row: list[int]) -> list[int]:
        """Without what pads the row after its end."""
        ends = [index for index, token in enumerate(row) if token in self.config.eos_token_id]
        return row[: ends[0] + 1] if ends else row


def new_lines(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Token ids whose text has a new line in it."""
    texts = tokenizer.batch_decode([[token] for token in range(len(tokenizer))])
    return [token for token, text in enumerate(texts) if "\n" in text]


def load(folder: Path, settings: Params) -> TransformersGenerator:
    """The generator of the model in `folder`."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=DTYPES[settings.precision])
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return TransformersGenerator(model.to(device), load_tokenizer(folder), settings)
