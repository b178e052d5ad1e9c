"""Scoring with vLLM, on GPUs or on its CPU build: the base model with the LoRA adapter, or all weights.

Each prompt goes in as token ids, the same that transformers gets, and one token is asked for, with the
log-probabilities of just the two answers. Pairs come in the order of their tokens, so that prompts that begin alike
follow each other and the engine's prefix cache computes what they share once.

The numbers are those of this engine and this precision: calibrate the threshold on the path that serves.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise, repeat
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import polars as pl

from babelshelf.child_process import Guard, end_with_parent
from babelshelf.errors import InputError
from babelshelf.files import read_json, replacing
from babelshelf.fingerprint import partial_work
from babelshelf.pointer import DTYPES, load_tokenizer, weights
from babelshelf.prompts import Template, answer_ids, as_series, encode, parse

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from babelshelf.params.score import ScoreParams

RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)  # those that vLLM has kernels for (vllm.config.lora.MaxLoRARanks)
Prompts = Sequence[list[int]]


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


class Engines(Protocol):
    """One engine or several."""

    def p_yes(self, prompts: Prompts) -> np.ndarray:
        """p(yes) of each prompt, float64, shape (prompts,)."""
        ...


class VllmScorer:
    """A `scorers.base.Scorer` on vLLM's engines."""

    def __init__(
        self, engines: Engines, tokenizer: PreTrainedTokenizerBase, template: Template, max_length: int
    ) -> None:
        self.engines = engines
        self.tokenizer = tokenizer
        self.template = template
        self.max_length = max_length

    def encode(self, rows: pl.DataFrame) -> pl.Series:
        """Token ids of the rows' prompts, `List(Int32)`."""
        return as_series(encode(rows, self.template, self.tokenizer, self.max_length))

    def order(self, prompts: pl.Series) -> np.ndarray:
        """Prompts by their tokens: those that begin alike follow each other."""
        tokens = prompts.to_list()
        return np.array(sorted(range(len(tokens)), key=tokens.__getitem__), dtype=np.int64)

    def score(self, prompts: pl.Series) -> np.ndarray:
        """p(yes) of each prompt, float64, shape (prompts,)."""
        return self.engines.p_yes(prompts.to_list())


@contextmanager
def load(base: Path, model: Path, settings: ScoreParams) -> Iterator[VllmScorer]:
    """A scorer from what `train` wrote; its engines are shut down at the end.

    Args:
        base: folder of the base model, which also holds the tokenizer.
        model: folder of an adapter, or of all weights; its `prompt.json` says which prompt it was trained with.
        settings: precision, and the section `vllm`.

    Raises:
        InputError: the adapter has what vLLM cannot serve beside a base model, or there are too few GPUs.
    """
    prompt = read_json(model / "prompt.json")
    template = parse(prompt["template"], str(model / "prompt.json"))
    tokenizer = load_tokenizer(base)
    with ExitStack() as stack:
        served, adapter = stack.enter_context(_weights(base, model, settings))
        serving = Serving(
            weights=str(served),
            adapter=None if adapter is None else str(adapter),
            rank=1 if adapter is None else lora_rank(adapter),
            answers=answer_ids(template, tokenizer),
            max_length=prompt["max_length"],
            dtype=DTYPES[settings.precision],
            tensor_parallel=settings.vllm.tensor_parallel,
            gpu_memory_utilization=settings.vllm.gpu_memory_utilization,
            enforce_eager=settings.vllm.enforce_eager,
        )
        engines = stack.enter_context(_engines(serving, settings.vllm.data_parallel))
        yield VllmScorer(engines, tokenizer, template, prompt["max_length"])


def lora_rank(adapter: Path) -> int:
    """The least of `RANKS` that holds an adapter.

    Raises:
        InputError: vLLM has no such rank, or cannot serve all of the adapter beside a base model.
    """
    file = adapter / "adapter_config.json"
    config = read_json(file)
    if config.get("modules_to_save"):
        trained = ", ".join(config["modules_to_save"])
        raise InputError(f"{file}: modules_to_save ({trained}): vLLM serves LoRA alone: set score.vllm.adapter: merged")
    rank = max([config["r"], *(config.get("rank_pattern") or {}).values()])
    found = next((known for known in RANKS if known >= rank), None)
    if found is None:
        raise InputError(f"{file}: r: {rank} is above {RANKS[-1]}, vLLM's limit: set score.vllm.adapter: merged")
    return found


@contextmanager
def _weights(base: Path, model: Path, settings: ScoreParams) -> Iterator[tuple[Path, Path | None]]:
    """The folder of the weights to serve, and that of the adapter, where there is one beside them."""
    if not (model / "adapter_config.json").is_file():
        yield model, None
    elif settings.vllm.adapter == "lora":
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


# --- engines ---


class Engine:
    """vLLM in this process (its core runs in a process of its own)."""

    def __init__(self, serving: Serving) -> None:
        os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
        if serving.devices:
            os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(serving.devices)
        from vllm import LLM, SamplingParams  # noqa: PLC0415 - slow to import, and it reads the variables above
        from vllm.lora.request import LoRARequest  # noqa: PLC0415

        self._guard = Guard()
        lora = {"enable_lora": True, "max_lora_rank": serving.rank, "max_loras": 1} if serving.adapter else {}
        self._llm = LLM(
            model=serving.weights,
            skip_tokenizer_init=True,
            dtype=serving.dtype,
            max_model_len=serving.max_length,
            tensor_parallel_size=serving.tensor_parallel,
            gpu_memory_utilization=serving.gpu_memory_utilization,
            enforce_eager=serving.enforce_eager,
            enable_prefix_caching=True,
            **lora,
        )
        self._lora = LoRARequest("adapter", 1, serving.adapter) if serving.adapter else None
        self._answers = serving.answers
        # `logprobs` would give the likeliest tokens, which "no" need not be among: these are the two and no others.
        self._sampling = SamplingParams(
            max_tokens=1, temperature=0.0, logprob_token_ids=list(serving.answers), detokenize=False
        )

    def p_yes(self, prompts: Prompts) -> np.ndarray:
        """p(yes) of each prompt."""
        asked = [{"prompt_token_ids": prompt} for prompt in prompts]
        outputs = self._llm.generate(asked, self._sampling, lora_request=self._lora, use_tqdm=False) if asked else []
        return np.array([answered(output.outputs[0].logprobs[0], self._answers) for output in outputs], np.float64)

    def close(self) -> None:
        """End the engine's processes."""
        self._llm.llm_engine.engine_core.shutdown()
        self._guard.close()


def answered(logprobs: dict[int, Any], answers: tuple[int, int]) -> float:
    """p(yes) from the log-probabilities of "no" and "yes", a pair of ids.

    Raises:
        RuntimeError: the engine did not give both.
    """
    missing = [answer for answer in answers if answer not in logprobs]
    if missing:
        raise RuntimeError(f"vLLM gave no log-probability of the tokens {missing}, only of {sorted(logprobs)}")
    no, yes = (logprobs[answer].logprob for answer in answers)
    return float(1 / (1 + np.exp(no - yes)))


class Replicas:
    """Engines in processes of their own: vLLM's `LLM` raises when asked for data parallelism within one."""

    def __init__(self, pools: Sequence[ProcessPoolExecutor]) -> None:
        self._pools = pools

    def p_yes(self, prompts: Prompts) -> np.ndarray:
        """p(yes) of each prompt; each engine gets a run of them, so that its prefixes stay together."""
        ends = np.linspace(0, len(prompts), len(self._pools) + 1).astype(int)
        parts = [prompts[start:end] for start, end in pairwise(ends)]
        futures = [pool.submit(_p_yes, part) for pool, part in zip(self._pools, parts, strict=True)]
        return np.concatenate([future.result() for future in futures])


@contextmanager
def _engines(serving: Serving, replicas: int) -> Iterator[Engines]:
    if replicas == 1:
        engine = Engine(serving)
        try:
            yield engine
        finally:
            engine.close()
        return
    with ExitStack() as stack:
        pools = []
        for devices in _devices(replicas, serving.tensor_parallel):
            own = replace(serving, devices=devices)
            pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_start, initargs=(own,))
            pools.append(stack.enter_context(pool))
            stack.callback(pool.submit, _stop)  # before the pool is left, which waits for it
        yield Replicas(pools)


def _devices(replicas: int, each: int) -> Iterator[tuple[str, ...]]:
    """The GPUs of each engine, none without GPUs; raise InputError where there are too few."""
    import torch  # noqa: PLC0415

    if not torch.cuda.is_available():
        return repeat((), replicas)
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    visible = named.split(",") if named else [str(number) for number in range(torch.cuda.device_count())]
    if len(visible) < replicas * each:
        raise InputError(
            f"score.vllm: data_parallel {replicas} with tensor_parallel {each} needs {replicas * each} GPUs, "
            f"there are {len(visible)}: lower one of them"
        )
    return iter([tuple(visible[number * each : (number + 1) * each]) for number in range(replicas)])


_own: list[Engine] = []  # of a process that is a replica


def _start(serving: Serving) -> None:
    end_with_parent()
    _own.append(Engine(serving))


def _p_yes(prompts: Prompts) -> np.ndarray:
    return _own[0].p_yes(prompts)


def _stop() -> None:
    _own.pop().close()
