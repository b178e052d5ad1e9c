"""The model that vLLM serves and the requests to it: the common part of the backends `vllm` and `ray`.

Each prompt goes in as token ids, the same that transformers gets, and one token is asked for, with the
log-probabilities of just the two answers. Pairs come in the order of their tokens, so that prompts that begin alike
follow each other and the engine's prefix cache computes what they share once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import polars as pl

from babelshelf.core.errors import InputError
from babelshelf.core.files import read_json, replacing
from babelshelf.core.partial_work import partial_work
from babelshelf.llm.base_model import DTYPES, load_tokenizer, weights
from babelshelf.llm.prompts import Template, answer_ids, as_series, encode, parse
from babelshelf.score.scorer import by_tokens

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from babelshelf.score.params import VllmEngineParams

RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)  # those that vLLM has kernels for (vllm.config.lora.MaxLoRARanks)


@dataclass(frozen=True)
class Serving:
    """What one engine serves, in plain values, as another process gets it.

    Attributes:
        weights: folder of the base model, or of all weights.
        adapter: folder of the LoRA adapter, None where there is none.
        rank: the least of `RANKS` that holds the adapter.
        answers: token ids of "no" and "yes".
        max_length: tokens of the longest prompt and its answer.
        dtype: of weights and activations.
        tensor_parallel, gpu_memory_utilization, enforce_eager: see params.yaml.
        devices: numbers of the GPUs that the engine has to itself; none: it takes the first.
    """

    weights: str
    adapter: str | None
    rank: int
    answers: tuple[int, int]
    max_length: int
    dtype: str
    tensor_parallel: int
    gpu_memory_utilization: float
    enforce_eager: bool
    devices: tuple[str, ...] = ()

    def engine(self) -> dict[str, Any]:
        """Arguments of vLLM's engine, but for `model`."""
        lora = {"enable_lora": True, "max_lora_rank": self.rank, "max_loras": 1} if self.adapter else {}
        return lora | {
            "skip_tokenizer_init": True,
            "dtype": self.dtype,
            "max_model_len": self.max_length,
            "tensor_parallel_size": self.tensor_parallel,
            "gpu_memory_utilization": self.gpu_memory_utilization,
            "enforce_eager": self.enforce_eager,
            "enable_prefix_caching": True,
        }

    def sampling(self) -> dict[str, Any]:
        """Arguments of vLLM's `SamplingParams`."""
        # `logprobs` would give the likeliest tokens, which "no" need not be among: these are the two and no others.
        return {"max_tokens": 1, "temperature": 0.0, "logprob_token_ids": list(self.answers), "detokenize": False}


class EngineGroup(Protocol):
    """One engine or several."""

    def p_yes(self, prompts: pl.Series) -> np.ndarray:
        """p(yes) of each prompt, float64, shape (prompts,)."""
        ...


class VllmScorer:
    """A `babelshelf.score.scorer.Scorer` on vLLM's engines.

    Attributes:
        chunk: see `babelshelf.score.scorer.Scorer`.
    """

    def __init__(
        self, engines: EngineGroup, tokenizer: PreTrainedTokenizerBase, template: Template, max_length: int, chunk: int
    ) -> None:
        self.engines = engines
        self.tokenizer = tokenizer
        self.template = template
        self.max_length = max_length
        self.chunk = chunk

    def encode(self, rows: pl.DataFrame) -> pl.Series:
        """Token ids of the rows' prompts, `List(Int32)`."""
        return as_series(encode(rows, self.template, self.tokenizer, self.max_length))

    def order(self, prompts: pl.Series) -> np.ndarray:
        """Prompts by their tokens: those that begin alike follow each other."""
        return by_tokens(prompts)

    def score(self, prompts: pl.Series) -> np.ndarray:
        """p(yes) of each prompt, float64, shape (prompts,)."""
        return self.engines.p_yes(prompts)


@dataclass(frozen=True)
class ServedModel:
    """A model to serve, with what makes its prompts.

    Attributes:
        serving: the model.
        tokenizer, template, max_length: of its prompts.
    """

    serving: Serving
    tokenizer: PreTrainedTokenizerBase
    template: Template
    max_length: int

    def scorer(self, engines: EngineGroup, chunk: int) -> VllmScorer:
        """A scorer on engines that serve the model."""
        return VllmScorer(engines, self.tokenizer, self.template, self.max_length, chunk)


@contextmanager
def served_model(base: Path, model: Path, settings: VllmEngineParams) -> Iterator[ServedModel]:
    """What `sft` wrote, as vLLM serves it; merged weights are there until the end.

    Args:
        base: folder of the base model, which also holds the tokenizer.
        model: folder of an adapter, or of all weights; its `prompt.json` says which prompt it was trained with.
        settings: of the backend.

    Raises:
        InputError: the adapter has what vLLM cannot serve beside a base model.
    """
    prompt = read_json(model / "prompt.json")
    template = parse(prompt["template"], str(model / "prompt.json"))
    tokenizer = load_tokenizer(base)
    with _weights(base, model, settings) as (served, adapter):
        serving = Serving(
            weights=str(served),
            adapter=None if adapter is None else str(adapter),
            rank=1 if adapter is None else lora_rank(adapter),
            answers=answer_ids(template, tokenizer),
            max_length=prompt["max_length"],
            dtype=DTYPES[settings.precision],
            tensor_parallel=settings.tensor_parallel,
            gpu_memory_utilization=settings.gpu_memory_utilization,
            enforce_eager=settings.enforce_eager,
        )
        yield ServedModel(serving, tokenizer, template, prompt["max_length"])


def p_yes_from_logprobs(logprobs: Mapping[int, float], answers: tuple[int, int]) -> float:
    """p(yes) from the log-probabilities of "no" and "yes", a pair of ids.

    Raises:
        RuntimeError: the engine did not give both.
    """
    missing = [answer for answer in answers if answer not in logprobs]
    if missing:
        raise RuntimeError(f"vLLM gave no log-probability of the tokens {missing}, only of {sorted(logprobs)}")
    no, yes = (logprobs[answer] for answer in answers)
    return float(1 / (1 + np.exp(no - yes)))


def lora_rank(adapter: Path) -> int:
    """The least of `RANKS` that holds an adapter.

    Raises:
        InputError: vLLM has no such rank, or cannot serve all of the adapter beside a base model.
    """
    file = adapter / "adapter_config.json"
    config = read_json(file)
    if config.get("modules_to_save"):
        trained = ", ".join(config["modules_to_save"])
        raise InputError(
            f"{file}: modules_to_save ({trained}): vLLM serves LoRA alone: set the backend's adapter: merged"
        )
    rank = max([config["r"], *(config.get("rank_pattern") or {}).values()])
    fitting = next((known for known in RANKS if known >= rank), None)
    if fitting is None:
        raise InputError(f"{file}: r: {rank} is above {RANKS[-1]}, vLLM's limit: set its adapter: merged")
    return fitting


@contextmanager
def _weights(base: Path, model: Path, settings: VllmEngineParams) -> Iterator[tuple[Path, Path | None]]:
    """The folder of the weights to serve, and that of the adapter, where there is one beside them."""
    if not (model / "adapter_config.json").is_file():
        yield model, None
    elif settings.adapter == "lora":
        yield weights(base), model
    else:
        with partial_work("merged", base, model, settings.precision) as folder:
            if not folder.is_dir():
                merge(weights(base), model, DTYPES[settings.precision], folder)
            yield folder, None


def merge(base: Path, adapter: Path, dtype: str, folder: Path) -> None:
    """Write the base model with the adapter added to its weights; they are added in fp32 and rounded once."""
    import torch  # noqa: PLC0415
    from peft import PeftModel  # noqa: PLC0415 - slow to import, and not every model is merged
    from transformers import AutoModelForCausalLM  # noqa: PLC0415

    lm = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    merged = PeftModel.from_pretrained(lm, adapter).merge_and_unload().to(getattr(torch, dtype))
    with replacing(folder) as temporary:
        merged.save_pretrained(temporary)
