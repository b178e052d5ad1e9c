"""Scoring with transformers, on a CPU or one GPU.

Pairs are sorted by their tokens and packed, so that a prefix that they share is computed once a row
(`prefix_packing`). The last layer's outputs and its feed-forward part are
computed only where an answer follows, and of the head just the rows of the two answers, in fp32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import torch
from torch import nn
from torch.nn import functional
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerBase

from babelshelf.core.errors import InputError, first_line
from babelshelf.core.files import read_json
from babelshelf.llm.base_model import DTYPES, load_tokenizer, weights
from babelshelf.llm.prompts import Template, answer_ids, as_series, encode, parse
from babelshelf.score import prefix_packing
from babelshelf.score.scorer import CHUNK, by_tokens

if TYPE_CHECKING:
    from babelshelf.score.backends.transformers import Params


def _check_window(ids: pl.Series, tokens: pl.Series, window: int | None) -> None:
    if window is None or not (tokens > window).any():
        return
    longest = int(tokens.to_numpy().argmax())
    raise InputError(
        f"row {ids[longest]!r}: its prompt of {tokens[longest]} tokens is longer than the base model's attention "
        f"window of {window}: set score.backend to vllm, or train with sft.max_length at most {window}"
    )


class TransformersScorer:
    """A `babelshelf.score.scorer.Scorer` on a causal LM and its tokenizer; the model is changed for good."""

    chunk = CHUNK

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        template: Template,
        max_length: int,
        settings: Params,
    ) -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.template = template
        self.max_length = max_length
        self.settings = settings
        self.head = _skip_unread_outputs(model, answer_ids(template, tokenizer))

    def encode(self, rows: pl.DataFrame) -> pl.Series:
        """Token ids of the rows' prompts, `List(Int32)`.

        Raises:
            InputError: a prompt is longer than the window that the model's attention has.
        """
        prompts = as_series(encode(rows, self.template, self.tokenizer, self.max_length))
        window = getattr(self.model.config.get_text_config(), "sliding_window", None)
        _check_window(rows["id"], prompts.list.len(), window)
        return prompts

    def order(self, prompts: pl.Series) -> np.ndarray:
        """Prompts by their tokens: those that begin alike follow each other."""
        return by_tokens(prompts)

    @torch.inference_mode()
    def score(self, prompts: pl.Series) -> np.ndarray:
        """p(yes) of each prompt, float64, shape (prompts,)."""
        rows = prefix_packing.rows(prompts.to_list(), self.settings.row_tokens)
        parts = [self._batch(batch) for batch in prefix_packing.batches(rows, self.settings.batch_tokens)]
        return torch.cat(parts).cpu().numpy() if parts else np.empty(0)

    def _batch(self, rows: Sequence[prefix_packing.Row]) -> torch.Tensor:
        """p(yes), float64, shape (prompts,), on the model's device: a GPU computes while the next batch is packed."""
        device, dtype = self.model.device, self.model.dtype
        packed = prefix_packing.pack(rows, self.tokenizer.pad_token_id).to(device)
        self.head.last = packed.last
        zero, least = (torch.tensor(value, dtype=dtype, device=device) for value in (0, torch.finfo(dtype).min))
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=self.settings.precision == "bf16"):
            output = self.model(
                input_ids=packed.input_ids,
                position_ids=packed.position_ids,
                attention_mask=torch.where(packed.seen(), zero, least),
                use_cache=False,
            )
        return torch.softmax(output.logits[0].double(), dim=-1)[:, 1]


class AnswerHead(nn.Module):
    """The rows of a model's head that are the two answers, in fp32: logits in bf16 have steps that p(yes) shows.

    Attributes:
        last: int64, shape (prompts,): the positions that are read, in the flattened rows of the batch.
    """

    last: torch.Tensor

    def __init__(self, head: nn.Linear, answers: Sequence[int]) -> None:
        super().__init__()
        self.weight = nn.Parameter(head.weight[list(answers)].detach().float())
        self.bias = None if head.bias is None else nn.Parameter(head.bias[list(answers)].detach().float())

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Logits of the answers at `last`, float32, shape (1, prompts, answers).

        Args:
            hidden: the last layer's states, shape (rows, tokens, channels).
        """
        with torch.autocast(hidden.device.type, enabled=False):
            return functional.linear(self.read(hidden).float(), self.weight, self.bias)

    def read(self, hidden: torch.Tensor) -> torch.Tensor:
        """What is read of (rows, tokens, channels), shape (1, prompts, channels)."""
        return hidden.flatten(0, 1)[self.last].unsqueeze(0)


def _skip_unread_outputs(model: PreTrainedModel, answers: Sequence[int]) -> AnswerHead:
    """Change a model so that it computes only what the answers read; returns its new head.

    Raises:
        InputError: the model has no Llama-like architecture (as Qwen3, Mistral and Gemma have), or no plain head.
    """
    layer = _last_layer(model)
    head = AnswerHead(_plain_head(model), answers)
    model.set_output_embeddings(head)
    for part in (layer.self_attn.o_proj, layer.mlp):
        part.forward = _at_last(part.forward, head, model)
    return head


def _last_layer(model: PreTrainedModel) -> Any:  # noqa: ANN401 - each architecture has a class of its own
    """The last layer, where each is attention over all positions and a feed-forward part, each added to its input."""
    kinds = getattr(model.config.get_text_config(), "layer_types", None) or []
    layers = list(getattr(model.get_decoder(), "layers", []))
    if not layers or not all(map(_is_llama_like, layers)) or not set(kinds) <= {"full_attention", "sliding_attention"}:
        raise _unknown_architecture(model)
    return layers[-1]


def _is_llama_like(layer: nn.Module) -> bool:
    names = {name for name, _ in layer.named_children() if "norm" not in name and "dropout" not in name}
    return names == {"self_attn", "mlp"} and hasattr(layer.self_attn, "o_proj")


def _unknown_architecture(model: PreTrainedModel) -> InputError:
    return InputError(
        "score.backend: transformers scores models with a Llama-like architecture (Qwen3, Mistral, Gemma, ...), "
        f"not of type {model.config.model_type!r}: take vllm"
    )


def _plain_head(model: PreTrainedModel) -> nn.Linear:
    head: Any = model.get_output_embeddings()
    if hasattr(head, "modules_to_save"):  # PEFT's, of a head that is trained as a whole
        head = head.modules_to_save[head.active_adapter]
    if type(head) is not nn.Linear:
        raise InputError(
            f"score.transformers.weights: the model's head is a {type(head).__name__}, not a plain one: set "
            "weights to fp32, so that an adapter of it is merged, or score.backend to vllm"
        )
    return head


Part = Callable[..., torch.Tensor]


def _at_last(forward: Part, head: AnswerHead, model: PreTrainedModel) -> Part:
    """A part of a layer that runs only at the positions that are read, and gives zeros elsewhere."""

    def run(hidden: torch.Tensor, *others: object) -> torch.Tensor:
        output = forward(head.read(hidden), *others)
        if others or not isinstance(output, torch.Tensor):  # as that of a router
            raise _unknown_architecture(model)
        spread = output.new_zeros(hidden.shape[0] * hidden.shape[1], output.shape[-1])
        spread[head.last] = output[0]
        return spread.view(*hidden.shape[:2], -1)

    return run


@contextmanager
def load(base: Path, model: Path, settings: Params) -> Iterator[TransformersScorer]:
    """A scorer from what `sft` wrote.

    Args:
        base: folder of the base model, which also holds the tokenizer.
        model: folder of an adapter, or of all weights; its `prompt.json` says which prompt it was trained with.
        settings: precision, dtype of the weights, attention and batch size.

    Raises:
        InputError: the scorer does not know the model's architecture, or that has no such attention.
    """
    prompt = read_json(model / "prompt.json")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    adapted = (model / "adapter_config.json").is_file()
    lm = _loaded(weights(base) if adapted else model, settings)
    if adapted:
        from peft import PeftModel  # noqa: PLC0415 - slow to import, and not every model has an adapter

        lm = PeftModel.from_pretrained(lm, model)
        if settings.weights == "fp32":  # to add it to weights in bf16 would round it
            lm = lm.merge_and_unload()
    tokenizer = load_tokenizer(base)
    template = parse(prompt["template"], str(model / "prompt.json"))
    scorer = TransformersScorer(lm.to(device), tokenizer, template, prompt["max_length"], settings)
    scorer.score(pl.Series([[tokenizer.pad_token_id]], dtype=pl.List(pl.Int32)))  # refuses now what it can't score
    yield scorer


def _loaded(folder: Path, settings: Params) -> PreTrainedModel:
    try:
        lm: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            folder, dtype=getattr(torch, DTYPES[settings.weights]), attn_implementation=settings.attention
        )
    except ValueError as error:
        if "attention implementation" not in str(error):
            raise
        raise InputError(
            f"score.transformers.attention: {settings.attention}: {first_line(error)}: take eager"
        ) from error
    return lm
